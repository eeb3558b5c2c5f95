"""The command line: help, usage, settings, models, databases, and how each mistake ends."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from bot import advice
from bot.cli import main
from bot.config import TOKEN_VARIABLES
from bot.platforms.console import NAME as CONSOLE
from bot.upkeep import ID_FORMS
from classifiers.artefact import MANIFEST_FILE, MODEL_FILE, bundled
from classifiers.assessment import Kind

ROOT = Path(__file__).parents[1]
Run = Callable[..., subprocess.CompletedProcess[str]]
Invoke = Callable[..., Result]
Refused = Callable[..., None]

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ESCAPES = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e"


def walk(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from walk(command, *path, name)


COMMANDS = list(walk(main))


# Help, version, usage.


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help(invoke: Invoke, tmp_path: Path, path: tuple[str, ...], option: str) -> None:
    result = invoke(*path, option)
    assert result.exit_code == 0
    assert result.stdout.startswith(" ".join(("Usage: haven", *path)))
    assert len(result.stdout.split("\n\n")[1].strip()) > 20
    assert result.stderr == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", [(), *{path[:-1] for path in COMMANDS if path[1:]}], ids=" ".join)
def test_no_line_of_help_is_cut_short_at_80_columns(haven: Run, path: tuple[str, ...]) -> None:
    told = haven(*path, "--help", COLUMNS="80").stdout.partition("Commands:\n")[2]
    assert len(told.splitlines()) == len([other for other in COMMANDS if other[:-1] == path])
    assert all(line.endswith(".") and not line.endswith("...") for line in told.splitlines())


def test_the_help_of_run_says_what_starts_which_platform(invoke: Invoke) -> None:
    told = " ".join(invoke("run", "--help").stdout.split())
    for platform, variable in TOKEN_VARIABLES.items():
        assert f"{variable} or" in told
        assert f"[{platform}] token_file" in told
    assert "without any token Haven reads the console" in told


def test_a_process_says_its_version_and_leaves_nothing(haven: Run, tmp_path: Path) -> None:
    result = haven("--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"python -m bot, version {version('haven')}\n", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_readme_names_every_command(path: tuple[str, ...]) -> None:
    assert " ".join(("haven", *path)) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_names_no_command_that_is_not_there() -> None:
    named = re.findall(r"`haven ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(named) <= {path[0] for path in COMMANDS}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["--loud"],
        ["demo", "--pace", "-1"],
        ["demo", "--pace", "quick"],
        ["demo", "--database"],
        ["demo", "--database", "."],
        ["demo", "more"],
        ["try", "more"],
        ["run", "more"],
        ["scan"],
        ["scan", "--format", "icq", "x"],
        ["scan", "--sensitivity", "extreme", "x"],
        ["advice", "poem"],
        ["config"],
        ["config", "dance"],
        ["config", "check", "more"],
        ["forget"],
        ["forget", "console"],
        ["forget", "console", "sam", "--all"],
        ["train", "--jobs", "0"],
        ["train", "--jobs", "many"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_says_why(invoke: Invoke, tmp_path: Path, arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.match("Usage: haven|Error: ", result.stderr)
    assert not list(tmp_path.iterdir())


# Advice and settings.


@pytest.mark.parametrize(("disclosure", "crisis"), list(product((False, True), repeat=2)))
def test_advice_prints_its_pages(invoke: Invoke, disclosure: bool, crisis: bool) -> None:
    flags = [*["--disclosure"] * disclosure, *["--crisis"] * crisis]
    kind = Kind.DISCLOSURE if disclosure else Kind.THREAT
    warning = advice.warning("en-GB", kind=kind, crisis=crisis)
    assert invoke("advice", "warning", *flags).stdout == warning.plain() + "\n"
    guidance = advice.guidance("en-GB", kind=kind, crisis=crisis)
    assert invoke("advice", "moderators", *flags).stdout == guidance.plain() + "\n"


def test_advice_prints_the_help_which_is_the_same_for_everybody(invoke: Invoke) -> None:
    for page in ([], ["help"]):
        assert invoke("advice", *page).stdout == advice.help_page("en-GB").plain() + "\n"
        for flag in ("--disclosure", "--crisis"):
            result = invoke("advice", *page, flag)
            assert (result.exit_code, result.stdout) == (2, "")
            assert "Error: the help is the same for everybody: name warning or moderators" in result.stderr


def test_an_unknown_locale_is_refused_with_the_known_ones(invoke: Invoke, refused: Refused) -> None:
    refused(invoke("advice", "--locale", "tlh"), "'tlh'", "en-GB")


def test_advice_is_readable_where_only_plain_letters_can_be_written(haven: Run) -> None:
    result = haven("advice", PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert "Childline on 0800 1111" in result.stdout


def test_config_check_says_what_is_in_order_and_writes_nothing(haven: Run, tmp_path: Path) -> None:
    (tmp_path / "haven.toml").write_text('[policy]\nmode = "alert"\n[spaces."77"]\nmode = "observe"')
    result = haven("config", "check", HAVEN_DISCORD_TOKEN="s3cret")  # noqa: S106 (a made-up one)
    assert (result.returncode, result.stderr) == (0, "")
    assert re.findall("^[^:]+", result.stdout, re.MULTILINE) == [
        "settings", "policy", "space 77", "discord", "telegram", "model", "database",
    ]  # fmt: skip
    assert "settings: haven.toml\npolicy: alert, sensitivity normal\nspace 77: observe" in result.stdout
    assert "discord: a token is set\ntelegram: no token (HAVEN_TELEGRAM_TOKEN is not set)" in result.stdout
    assert "s3cret" not in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["haven.toml"]


def test_config_check_refuses_a_haven_toml_that_leads_nowhere(invoke: Invoke, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "haven.toml").symlink_to("nowhere.toml")
    refused(invoke("config", "check"), "haven.toml: cannot read the settings: ", "(a link to nowhere.toml)")


@pytest.mark.parametrize("folder", ["nowhere", "haven.toml"])
def test_config_check_says_where_no_database_can_be_made(
    invoke: Invoke, refused: Refused, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "haven.toml").write_text(f'[store]\ndatabase = "{folder}/haven.db"')
    refused(invoke("config", "check"), f"{folder}: the database cannot be made here: N")
    refused(invoke("run"), f"{folder}/haven.db: unable to open database file")


def test_a_link_in_the_place_of_the_database_is_followed_by_config_check_too(
    invoke: Invoke, refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "haven.db").symlink_to("disk/haven.db")
    where = str(tmp_path.resolve() / "disk")
    refused(invoke("config", "check"), f"{where}: the database cannot be made here: No such file or directory")
    refused(invoke("run"), f"{where}/haven.db: unable to open database file")
    (tmp_path / "disk").mkdir()
    assert invoke("config", "check").exit_code == 0
    (tmp_path / "haven.db").unlink()
    (tmp_path / "haven.db").symlink_to("haven.db")
    for command in (["config", "check"], ["run"]):
        refused(invoke(*command), "haven.db: not a file; the database has to be one")


@pytest.mark.parametrize("name", [":memory:", "./:memory:"])
def test_memory_is_no_file_for_a_database(invoke: Invoke, refused: Refused, tmp_path: Path, name: str) -> None:
    (tmp_path / "haven.toml").write_text(f'[store]\ndatabase = "{name}"')
    for command in (["config", "check"], ["run"]):
        refused(invoke(*command), "haven.toml: store.database: expected a file, which :memory: is none of")
    refused(invoke("demo", "--database", name), ":memory:: not a file; the database has to be one")
    assert [path.name for path in tmp_path.iterdir()] == ["haven.toml"]


def test_config_check_says_where_no_key_can_be_made(invoke: Invoke, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "haven.toml").write_text('[store]\nkey_file = "nowhere/haven.key"')
    refused(invoke("config", "check"), "nowhere: the key cannot be made here: No such file or directory")
    refused(invoke("run"), "nowhere/haven.key: cannot write the encryption key: No such file or directory")
    assert [path.name for path in tmp_path.iterdir()] == ["haven.toml"]
    key = "A" * 43 + "="
    assert invoke("config", "check", HAVEN_KEY=key).exit_code == 0


def test_config_example_is_the_example_and_is_in_order(invoke: Invoke, tmp_path: Path) -> None:
    printed = invoke("config", "example").stdout
    assert printed == (ROOT / "config.example.toml").read_text(encoding="utf-8")
    (tmp_path / "haven.toml").write_text(printed, encoding="utf-8")
    assert invoke("config", "check").exit_code == 0


@pytest.mark.parametrize(
    "command", [["run"], ["scan", "x.jsonl"], ["config", "check"], ["forget", "console", "sam"]], ids=" ".join
)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["mine.toml: cannot read the settings: No such file or directory"]),
        ("[policy]\nmode = 'loud'", ["mine.toml: policy.mode: ", "'loud'", "allowed: observe, alert, advise"]),
        ("[policy]\nmod = 'alert'", ["mine.toml: policy.mod: unknown key; allowed: mode, "]),
        (f'"{ESCAPES.encode("unicode_escape").decode()}\\n" = 1', ["mine.toml: �]0;pwned�"]),
        ("[policy", ["mine.toml: line 1: not TOML: Expected ']' at the end of a table declaration"]),
    ],
    ids=["missing", "wrong", "unknown", "escapes", "not TOML"],
)
def test_wrong_settings_end_every_command_with_a_line(
    invoke: Invoke, refused: Refused, tmp_path: Path, command: list[str], text: str | None, words: list[str]
) -> None:
    if text is not None:
        (tmp_path / "mine.toml").write_text(text.replace("\\x", "\\u00"), encoding="utf-8")
    result = invoke(*command, "--config", "mine.toml")
    refused(result, *words)
    assert not CONTROL.search(result.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"] * (text is not None)


# Model files.


def alter(name: str, key: str, value: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        held: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps(held | {key: value}), encoding="utf-8")

    return change


def overwrite(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, ["manifest.json: cannot read", "No such file or directory"]),
        (lambda folder: (folder / MODEL_FILE).unlink(), ["haven.joblib: cannot read", "No such file or directory"]),
        (lambda folder: (folder / MANIFEST_FILE).unlink(), ["manifest.json: cannot read", "No such file"]),
        (overwrite(MODEL_FILE, lambda raw: raw[: len(raw) // 2]), ["haven.joblib: ", "SHA-256"]),
        (overwrite(MODEL_FILE, lambda raw: b""), ["haven.joblib: ", "SHA-256"]),
        (overwrite(MODEL_FILE, lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])), ["haven.joblib: ", "SHA-256"]),
        (overwrite(MANIFEST_FILE, lambda raw: raw[:-20]), ["manifest.json: not a model manifest"]),
        (overwrite(MANIFEST_FILE, lambda raw: b""), ["manifest.json: not a model manifest"]),
        (overwrite(MANIFEST_FILE, lambda raw: b"\xff\xfe\x00"), ["manifest.json: not a model manifest"]),
        (overwrite(MANIFEST_FILE, lambda raw: b"[]"), ["manifest.json: not a model manifest"]),
        (alter(MANIFEST_FILE, "sha256", "0" * 64), ["haven.joblib: ", "SHA-256"]),
        (alter(MANIFEST_FILE, "format", 99), ["manifest.json: model format 99"]),
        (alter(MANIFEST_FILE, "format", "1"), ["manifest.json: not a model manifest", "format"]),
        (alter(MANIFEST_FILE, "colour", 1), ["manifest.json: not a model manifest", "colour"]),
        (alter(MANIFEST_FILE, "scales", {}), ["manifest.json: ", "threat"]),
        (alter(MANIFEST_FILE, "scales", {"threat": {"slope": 1}}), ["manifest.json: not a model manifest", "offset"]),
        (alter(MANIFEST_FILE, "thresholds", {}), ["manifest.json: ", "threat"]),
        (alter(MANIFEST_FILE, "thresholds", {"threat": {"low": {"english": [1]}}}), ["manifest.json: not a model"]),
    ],
)
def test_a_damaged_model_is_not_loaded(
    invoke: Invoke, refused: Refused, tmp_path: Path, damage: Callable[[Path], object], words: list[str]
) -> None:
    shutil.copytree(bundled(), tmp_path / "model")
    (tmp_path / "haven.toml").write_text('[model]\nfolder = "model"')
    damage(tmp_path / "model")
    refused(invoke("config", "check"), "model/", *words)


def test_the_model_of_the_settings_is_used(invoke: Invoke, tmp_path: Path) -> None:
    shutil.copytree(bundled(), tmp_path / "model")
    (tmp_path / "haven.toml").write_text('[model]\nfolder = "model"')
    assert invoke("config", "check").exit_code == 0


def test_without_a_model_no_process_starts(haven: Run, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "haven.toml").write_text('[model]\nfolder = "model"')
    result = haven("run")
    refused(result, "model/manifest.json: cannot read the model's manifest: No such file or directory")
    assert result.stdout == ""


# Databases.


THREAT = "".join(
    f"kayla_x> @samantha77 {text}\n"
    for text in (
        "i recorded our video call. i have your nudes and i saved all your followers",
        "send me 400 in gift cards or i send the video to your mum and your whole family",
        "you have 30 minutes. dont block me or i post it everywhere",
        "i send your nudes to everyone you know. pay me now",
    )
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the database of a real run, in which samantha77 was threatened by kayla_x."""
    folder = tmp_path_factory.mktemp("kept")
    command = [sys.executable, "-P", "-m", "bot", "run"]
    subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, input=THREAT.encode(), check=True)
    assert sorted(path.name for path in folder.iterdir()) == ["haven.db", "haven.db.lock", "haven.key"]
    return folder


@pytest.fixture
def database(kept: Path, tmp_path: Path) -> Path:
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    return tmp_path / "haven.db"


def newer(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "haven.db")) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('haven', 'm999_later', '')"
        )


def put(name: str, raw: bytes, mode: int = 0o600) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(raw)
        (folder / name).chmod(mode)

    return change


def folder_instead(folder: Path) -> None:
    (folder / "haven.db").unlink()
    (folder / "haven.db").mkdir()


def keyless(spoil: Callable[[Path], object]) -> Callable[[Path], object]:
    def both(folder: Path) -> None:
        (folder / "haven.key").unlink()
        spoil(folder)

    return both


RESTORE = "restore a backup (README, Drills: the database is lost or damaged)"
KEY_DRILLS = ["is it the key of that time?", "(README, Drills: the key does not fit; the key is lost)"]
DATABASES = {
    "prose": (put("haven.db", b"not a database, but as long as one. " * 50), ["haven.db: ", "not a database", RESTORE]),
    "picture": (put("haven.db", b"\x89PNG\r\n\x1a\n" + bytes(5_000)), ["haven.db: ", "not a database"]),
    "folder": (folder_instead, ["haven.db: not a file"]),
    "open to all": (lambda folder: (folder / "haven.db").chmod(0o666), ["haven.db: other users", "chmod 600 haven.db"]),
    "keyless folder": (keyless(folder_instead), ["haven.db: not a file"]),
    "keyless prose": (keyless(put("haven.db", b"not a database" * 50)), ["haven.db: not a database", RESTORE]),
    "cut": (overwrite("haven.db", lambda raw: raw[: len(raw) // 3]), ["haven.db: ", "malformed", RESTORE]),
    "newer": (newer, ["haven.db: written by a newer version of Haven (m999_later); update Haven"]),
    "no key": (lambda folder: (folder / "haven.key").unlink(), ["haven.key: the key is not there; put it back"]),
    "no key in it": (put("haven.key", b""), ["haven.key: not an encryption key"]),
    "other key": (put("haven.key", b"A" * 43 + b"="), ["haven.db: haven.key: this key does not open", *KEY_DRILLS]),
    "shared key": (put("haven.key", b"A" * 43 + b"=", 0o640), ["haven.key: other users may", "chmod 600 haven.key"]),
}  # fmt: skip


def test_every_drill_that_a_message_names_is_in_the_readme(invoke: Invoke, database: Path) -> None:
    drills = re.findall(r"^\| (the [^|]+) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    for fault in ("prose", "cut", "no key", "other key"):
        folder = database.with_name(fault)
        shutil.copytree(database.parent, folder, ignore=lambda _folder, names: [*{*names} & {*DATABASES}])
        DATABASES[fault][0](folder)
        (folder / "haven.toml").touch()
        said = invoke("config", "check", "--config", folder / "haven.toml").stderr
        (named,) = re.findall(r"\(README, Drills: (.+)\)", said)
        assert {*named.split("; ")} <= {*drills}, said


@pytest.mark.parametrize("command", [["config", "check"], ["forget", "console", "samantha77"]], ids=" ".join)
@pytest.mark.parametrize("fault", DATABASES)
def test_a_database_that_cannot_be_used_is_refused_and_left_as_it_is(
    invoke: Invoke, refused: Refused, database: Path, command: list[str], fault: str
) -> None:
    spoil, words = DATABASES[fault]
    spoil(database.parent)
    held = database.read_bytes() if database.is_file() else None
    refused(invoke(*command), *words)
    assert held == (database.read_bytes() if database.is_file() else None)


@pytest.mark.parametrize(
    ("command", "fault"), [(["run"], "newer"), (["demo", "--database", "haven.db"], "prose")], ids=["run", "demo"]
)
def test_a_process_does_not_start_on_a_database_that_it_cannot_use(
    haven: Run, refused: Refused, database: Path, command: list[str], fault: str
) -> None:
    spoil, words = DATABASES[fault]
    spoil(database.parent)
    result = haven(*command)
    refused(result, *words)
    assert result.stdout == ""


def test_the_key_of_the_environment_goes_before_that_of_the_file(
    invoke: Invoke, refused: Refused, database: Path
) -> None:
    key = (database.parent / "haven.key").read_text()
    (database.parent / "haven.key").unlink()
    assert invoke("config", "check", HAVEN_KEY=key).exit_code == 0
    for wrong, said in (
        ("A" * 43 + "=", "haven.db: HAVEN_KEY: this key does not open"), ("short", "HAVEN_KEY: not an encryption key"),
    ):  # fmt: skip
        refused(invoke("config", "check", HAVEN_KEY=wrong), said)


def test_a_locked_database_ends_what_writes_to_it_with_a_line(database: Path, environment: dict[str, str]) -> None:
    python = [sys.executable, "-P", "-m", "bot"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started: dict[str, Any] = pipes | {"text": True, "env": environment, "cwd": database.parent}
    with closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN IMMEDIATE")
        with (
            subprocess.Popen([*python, "run"], **started) as running,
            subprocess.Popen([*python, "forget", "console", "samantha77"], **started) as forgetting,
        ):
            ends = [
                running.communicate(THREAT, timeout=60),
                forgetting.communicate(timeout=60),
            ]
    for process, (out, errors) in zip((running, forgetting), ends, strict=True):
        assert (process.returncode, out) == (1, "")
        assert errors == "haven: haven.db: database is locked\n"


def without_privilege(*command: str) -> list[str]:
    """Return the command as one whom the modes of files bind, as they do not bind root."""
    if os.geteuid():
        return list(command)
    if not (setpriv := shutil.which("setpriv")):
        pytest.skip("setpriv is not here to give up root's privilege over files")
    return [setpriv, "--bounding-set", "-dac_override,-dac_read_search", *command]


def test_a_read_only_database_ends_what_writes_to_it_with_a_line(
    refused: Refused, database: Path, environment: dict[str, str]
) -> None:
    database.chmod(0o400)
    result = subprocess.run(
        without_privilege(sys.executable, "-P", "-m", "bot", "run"),
        cwd=database.parent, env=environment, input=THREAT, capture_output=True, text=True,
    )  # fmt: skip
    refused(result, "haven.db: Haven may not read and write it")
    assert not [*database.parent.glob("haven.db-*")]
    assert result.stdout == ""


def test_a_lock_that_may_not_be_written_is_named_by_config_check_too(
    refused: Refused, database: Path, environment: dict[str, str]
) -> None:
    database.with_name("haven.db.lock").chmod(0)
    for command in (["config", "check"], ["doctor"], ["run"]):
        result = subprocess.run(
            without_privilege(sys.executable, "-P", "-m", "bot", *command),
            cwd=database.parent, env=environment, input=THREAT, capture_output=True, text=True,
        )  # fmt: skip
        refused(result, "haven.db: ", "write haven.db.lock beside it")


@pytest.mark.parametrize(("room", "said"), [(20, "haven.key: cannot write the encryption key"), (20_000, "haven.db: ")])
def test_a_full_disk_ends_the_first_start_with_a_line_and_spoils_nothing(
    invoke: Invoke, tmp_path: Path, environment: dict[str, str], room: int, said: str
) -> None:
    result = subprocess.run(
        [sys.executable, "-B", "-P", "-W", "ignore", "-m", "bot", "run"],
        cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip
    assert result.returncode == 1
    assert re.fullmatch(f"haven: {said}.*\n", result.stderr)
    assert invoke("demo", "--pace", "0", "--database", "haven.db").exit_code == 0


def test_forget_erases_an_account_from_the_file(haven: Run, invoke: Invoke, database: Path) -> None:
    result = haven("forget", "console", "samantha77")
    said = "erased; cases about this account or aimed at it: 1\n"
    assert (result.returncode, result.stdout, result.stderr) == (0, said, "")
    assert invoke("forget", "console", "samantha77").stdout == "nothing was kept about samantha77 on console\n"
    assert invoke("forget", "console", "kayla_x").stdout == "erased; cases about this account or aimed at it: 1\n"


@pytest.mark.parametrize(
    ("platform", "id", "words"),
    [
        ("discrod", "80351110224678912", ["unknown platform 'discrod'; known: console, discord, telegram"]),
        ("Discord", "80351110224678912", ["unknown platform 'Discord'"]),
        ("discord", "@sam", ["'@sam' is not an id of an account on discord; expected a number"]),
        ("discord", "-5", ["'-5' is not an id"]),
        ("telegram", "four", ["'four' is not an id of an account on telegram; expected a number"]),
        ("telegram", "٤٧", ["is not an id"]),
        ("console", "sam> hi", ["is not an id of an account on console; expected a name"]),
        ("console", "", ["'' is not an id of an account on console; expected a name"]),
    ],
)
def test_forget_refuses_what_is_no_account_and_erases_nothing(
    invoke: Invoke, refused: Refused, database: Path, platform: str, id: str, words: list[str]
) -> None:
    before = database.read_bytes()
    refused(invoke("forget", platform, id), *words)
    assert before == database.read_bytes()


@pytest.mark.parametrize("account", [("discord", "80351110224678912"), ("telegram", "-1004711008155")])
def test_forget_says_that_nothing_was_kept_and_notes_nothing(
    invoke: Invoke, database: Path, account: tuple[str, str]
) -> None:
    result = invoke("forget", *account)
    assert (result.exit_code, result.stdout) == (0, f"nothing was kept about {account[1]} on {account[0]}\n")
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT * FROM audit WHERE act = 'somebody_forgotten'").fetchall() == []


def test_forget_knows_every_platform_and_help_and_readme_name_them(invoke: Invoke) -> None:
    assert set(ID_FORMS) == {CONSOLE, *TOKEN_VARIABLES}
    told = invoke("forget", "--help").stdout
    (line,) = (
        line for line in (ROOT / "README.md").read_text(encoding="utf-8").split("\n") if "`haven forget P" in line
    )
    for platform in ID_FORMS:
        assert platform in told
        assert f"`{platform}`" in line


def test_forget_needs_a_database_and_makes_none(invoke: Invoke, refused: Refused, tmp_path: Path) -> None:
    refused(invoke("forget", "console", "sam"), "haven.db: there is no database")
    assert not list(tmp_path.iterdir())


def test_config_check_looks_into_the_database_and_changes_nothing(invoke: Invoke, database: Path) -> None:
    before = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    result = invoke("config", "check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("database: haven.db, spaces with cases: 1\n")
    assert {path.name: path.read_bytes() for path in database.parent.iterdir()} == before
