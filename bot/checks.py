"""Looks at everything that Haven needs to start, without changing anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from bot.app import model_folder, open_seal, open_store
from bot.backup import check_pages
from bot.config import TOKEN_VARIABLES, default_file, load_config, token
from bot.files import check_file, check_lock, check_room, followed, is_claimed, is_lost, is_there
from bot.platforms.checkup import Finding
from bot.platforms.console import visible
from bot.policies import Policies
from bot.records import Records
from bot.sealing import KEY_VARIABLE, one_time_seal
from bot.store import Store
from classifiers.artefact import load
from classifiers.errors import InputError


def checks(config_file: Path | None, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each thing that is in order; InputError at the first that is not."""
    config, folder = load_config(config_file)
    yield f"settings: {config_file or default_file() or 'the defaults, no file'}"
    yield f"policy: {config.policy.mode}, sensitivity {config.policy.sensitivity}"
    for space in sorted(config.spaces):
        own = config.policy_of(space)
        yield f"space {space}: {own.mode.name.lower()}, sensitivity {own.sensitivity}"
    for platform, variable in TOKEN_VARIABLES.items():
        held = token(platform, getattr(config, platform), folder, environment)
        unset = f"no token ({variable} is {'empty' if variable in environment else 'not set'})"
        yield f"{platform}: {'a token is set' if held else unset}"
    model, manifest = load(model_folder(config, folder))
    yield f"model: {len(model.rows):,} terms, SHA-256 {manifest.sha256[:16]}…"
    database = folder / config.store.database
    check_file(database)
    check_lock(database)
    if not is_there(database):
        key_file = folder / config.store.key_file
        if environment.get(KEY_VARIABLE) or key_file.exists() or key_file.is_symlink():
            open_seal(config, folder, environment, create=False)
            yield "key: in order"
        else:
            check_room(key_file.parent, "key")
        check_room(followed(database).parent, "database")
        lost = ", though Haven was started on it before: restore a backup if it is lost" if is_lost(database) else ""
        yield f"database: {database} is made at the first start, and its key {config.store.key_file}{lost}"
        return
    with closing(open_store(config, folder, environment)) as store:
        yield "key: opens the database"
        check_pages(store, database)
        yield f"database: {database}, spaces with cases: {len(store.spaces())}"


def online(config_file: Path | None, environment: Mapping[str, str]) -> list[tuple[str, bool]]:
    """Return a line for each thing looked at, on platforms that have a token and of metrics, and if it is in order."""
    config, folder = load_config(config_file)
    there = is_there(folder / config.store.database)
    store = open_store(config, folder, environment) if there else Store(None, one_time_seal())
    records = Records(store)
    policies = Policies(config, records, needs_channel=True)

    async def look() -> list[tuple[str, bool]]:
        found = []
        if config.metrics.listen:
            from bot.monitor import listening  # half a second to import

            runs = is_claimed(folder / config.store.database)
            found.append(("metrics", await listening(config.metrics, runs=runs)))
        if held := token("discord", config.discord, folder, environment):
            from bot.platforms.discord_bot.by_http import findings as on_discord  # a second to import

            found += await _looked("discord", on_discord(config.discord, held, policies, records))
        if held := token("telegram", config.telegram, folder, environment):
            from bot.platforms.telegram_bot.by_http import findings as on_telegram  # likewise

            found += await _looked("telegram", on_telegram(config.telegram, held, policies, records))
        return [
            (visible(f"{where}: {'' if finding.fine else 'to mend: '}{finding.text}"), finding.fine)
            for where, finding in found
        ]

    try:
        return asyncio.run(look())
    finally:
        store.close()


async def _looked(platform: str, findings: AsyncIterator[tuple[str, Finding]]) -> list[tuple[str, Finding]]:
    """Return what is found on a platform; what keeps it from being looked at to its end is to mend, too."""
    found: list[tuple[str, Finding]] = []
    try:
        async for one in findings:
            found.append(one)  # noqa: PERF401 (what came before a fault is kept)
    except InputError as error:
        found.append((platform, Finding(str(error).removeprefix(f"{platform}: "), fine=False)))
    return found
