"""Looks at everything that Haven needs to start, without changing anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.app import model_folder, open_seal, open_store
from bot.config import DEFAULT_FILE, TOKEN_VARIABLES, load_config, token
from bot.sealing import KEY_VARIABLE
from classifiers.artefact import load


def checks(config_file: Path | None, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each thing that is in order; InputError at the first that is not."""
    config, folder = load_config(config_file)
    read_from = config_file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    yield f"settings: {read_from or 'the defaults, no file'}"
    yield f"policy: {config.policy.mode}, sensitivity {config.policy.sensitivity}"
    for space in sorted(config.spaces):
        own = config.policy_of(space)
        yield f"space {space}: {own.mode.name.lower()}, sensitivity {own.sensitivity}"
    for platform, variable in TOKEN_VARIABLES.items():
        held = token(platform, getattr(config, platform), folder, environment)
        yield f"{platform}: {'a token is set' if held else f'no token ({variable})'}"
    model, manifest = load(model_folder(config, folder))
    yield f"model: {len(model.rows):,} terms, SHA-256 {manifest.sha256[:16]}…"
    database = folder / config.store.database
    if KEY_VARIABLE in environment or (folder / config.store.key_file).exists():
        open_seal(config, folder, environment, create=False)
        yield "key: in order"
    if not database.exists():
        yield f"database: {database} is made at the first start, and its key {config.store.key_file}"
        return
    store = open_store(config, folder, environment)
    yield f"database: {database}, cases in {len(store.spaces())} spaces"
    store.close()
