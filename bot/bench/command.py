"""Measures everything and shows it."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.console import Console
from threadpoolctl import threadpool_limits

from bot.bench import adapters, footprint, load, rates
from bot.bench.mix import Mix, load_data, read_supply
from bot.bench.reference import keyword_filter
from bot.bench.sizes import QUICK, Size
from bot.bench.subject import subject
from bot.bench.timing import can_measure, machine, unwatched
from classifiers.artefact import bundled
from classifiers.artefact import load as load_model
from classifiers.errors import InputError


def bench(data: Path, real: Path | None, *, quick: bool, as_json: bool) -> None:
    """Measure and print a table, or one JSON object."""
    if not can_measure():
        raise InputError("haven bench reads from /proc how much memory Haven takes, and there is none here")
    console = Console(stderr=True)
    with threadpool_limits(1):
        found = _measured(data, real, QUICK if quick else Size(), console)
    if as_json:
        click.echo(json.dumps(found, indent=1))


def _measured(data: Path, real: Path | None, size: Size, console: Console) -> dict[str, Any]:
    with console.status("reading chat"):
        corpus = load_data(data)
        supply = read_supply(corpus, real)
        keywords = keyword_filter(corpus)
        del corpus
        model, _ = load_model(bundled())
    mix = Mix(supply, size.conversations)
    found: dict[str, Any] = {"machine": machine()}
    with unwatched(), TemporaryDirectory() as folder, subject(Path(folder), size.conversations) as parts:
        with console.status("rates of messages"):
            found |= rates.measure(parts, model, mix, keywords, size)
        with console.status("cost by length"):
            found |= footprint.by_length(parts, supply, size)
        with console.status("latency and the event loop"):
            waiting = load.measure(parts, mix, size)
            found["guard"] |= waiting.pop("guard")
            found |= waiting
        found |= footprint.on_disk(parts)
    with console.status("adapters"):
        found["adapters"] = adapters.measure(mix, size)
    with console.status("starting"):
        found |= footprint.starting(supply, size)
    with console.status("memory"):
        found |= footprint.memory(supply, size)
    with console.status("rows in the database"):
        found |= footprint.by_rows(supply, size)
    return found
