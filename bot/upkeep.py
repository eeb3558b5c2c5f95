"""What the owner of a Haven does with its database: forgetting, a new key, copies, what a file of evidence is worth."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from bot import backup
from bot.app import now, open_seal, open_store
from bot.config import load_config
from bot.evidence import trouble
from bot.files import claimed, followed, give_place, is_claimed, is_there
from bot.rotation import former_keys, rotate
from bot.sealing import KEY_VARIABLE, NEW_KEY_VARIABLE, Seal, make_key, next_key_file, read_secret, take_next_key
from bot.store import Store
from classifiers.conversation import Account
from classifiers.errors import InputError

Environment = Mapping[str, str]
_REPLACED = ".replaced-"
ID_FORMS = {
    "console": (re.compile(r"[^\s>][^>]{0,63}"), "a name, as in: name> text"),
    "discord": (re.compile(r"[1-9][0-9]{0,19}"), "a number, such as 80351110224678912"),
    "telegram": (re.compile(r"-?[1-9][0-9]{0,19}"), "a number, such as 471100815 (of a channel -1004711008155)"),
}
"""What the id of an account looks like on each platform."""


def existing_store(config_file: Path | None, environment: Environment) -> Store:
    """Open the database that the settings name; InputError where there is none."""
    config, folder = load_config(config_file)
    if not is_there(folder / config.store.database):
        raise InputError(f"{folder / config.store.database}: there is no database")
    return open_store(config, folder, environment)


def forget(config_file: Path | None, environment: Environment, platform: str, id: str) -> int | None:
    """Erase everything about an account; return how many cases lost content, None where nothing was kept about it."""
    if platform not in ID_FORMS:
        raise InputError(f"unknown platform {platform!r}; known: {', '.join(ID_FORMS)}")
    form, expected = ID_FORMS[platform]
    if not form.fullmatch(id):
        raise InputError(f"{id!r} is not an id of an account on {platform}; expected {expected}")
    account = Account(platform, id)
    with closing(existing_store(config_file, environment)) as store:
        return store.forget(account, now().timestamp()) if store.holds(account) else None


def rotate_key(config_file: Path | None, environment: Environment) -> str:
    """Close the database with a new key, while nobody else uses it, and return where that is.

    A new key in a file is written beside the old one first. After a kill, whichever opens the database is the key.
    """
    config, folder = load_config(config_file)
    database, key_file = folder / config.store.database, folder / config.store.key_file
    with claimed(database):
        existing_store(config_file, environment).close()  # it ends what a kill left of an earlier change
        old = open_seal(config, folder, environment, create=False)
        backup.remove_unfinished(followed(database))
        with closing(Store(database, old, alone=True)) as store:
            new = _new_seal(key_file, environment)
            rotate(store, new, now().timestamp())
            if old.source != KEY_VARIABLE:
                take_next_key(key_file)
            store.sweep()
    return new.source


def take_backup(config_file: Path | None, environment: Environment, file: Path) -> None:
    """Copy the database to a new file, also while Haven runs."""
    with closing(existing_store(config_file, environment)) as store:
        backup.backup(store, file)


def put_back(config_file: Path | None, environment: Environment, file: Path) -> Path | None:
    """Put a copy in the place of the database; return where that is now, None when there was none."""
    config, folder = load_config(config_file)
    database = followed(folder / config.store.database)
    with claimed(database):
        seal = open_seal(config, folder, environment, create=False)
        kept = database.with_name(f"{database.name}{_REPLACED}{now():%Y%m%dT%H%M%S.%fZ}")
        return kept if backup.restore(file, database, seal, kept) else None


def left_over(config_file: Path | None) -> Iterator[tuple[Path, str]]:
    """Yield copies of the database beside it, which hold what has been erased since, with where they come from."""
    config, folder = load_config(config_file)
    database = followed(folder / config.store.database)
    for file in sorted(database.parent.glob(f"{glob.escape(database.name)}{_REPLACED}*")):
        yield file, "from before a restore"
    if not is_claimed(database):  # by a restore that is under way
        for file in sorted(database.parent.glob(f"{glob.escape(backup.unfinished(database).name)}*")):
            yield file, "left by a restore that was cut off"


def vouched(config_file: Path | None, environment: Environment, file: Path) -> str:
    """Return with which key a file of evidence was sealed, and is unchanged since; InputError when it was not."""
    config, folder = load_config(config_file)
    content, seal = file.read_bytes(), open_seal(config, folder, environment, create=False)
    wrong = trouble(content, seal)
    if wrong and (folder / config.store.database).exists():
        with closing(open_store(config, folder, environment)) as store:
            wrong = trouble(content, store.seal, former_keys(store))
        if wrong is None:
            return "an earlier key of this Haven"
    if wrong:
        raise InputError(f"{file}: {wrong}")
    return "this Haven's key"


def _new_seal(key_file: Path, environment: Environment) -> Seal:
    if old := environment.get(KEY_VARIABLE):
        new = environment.get(NEW_KEY_VARIABLE, "")
        if not new or new == old:
            raise InputError(f"{NEW_KEY_VARIABLE}: no new key; where {KEY_VARIABLE} holds the key, it comes from there")
        return Seal(new.encode(), NEW_KEY_VARIABLE)
    if environment.get(NEW_KEY_VARIABLE):
        raise InputError(
            f"{NEW_KEY_VARIABLE}: {KEY_VARIABLE} is not set, and the key is that of {key_file}; set both or neither"
        )
    made = next_key_file(key_file)
    made.unlink(missing_ok=True)
    make_key(made)
    give_place(made, key_file)
    return Seal(read_secret(made).encode(), str(key_file))
