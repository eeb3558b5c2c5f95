"""Measures everything and shows it: a table, one JSON object, a page, plots."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.console import Console
from threadpoolctl import threadpool_limits

from bot.bench import adapters, footprint, load, plots, rates, report
from bot.bench.mix import ONE_IN, Mix, load_data, read_supply
from bot.bench.reference import keyword_filter
from bot.bench.sizes import Size
from bot.bench.subject import subject
from bot.bench.timing import can_measure, machine, unwatched
from bot.card import Card
from classifiers.artefact import bundled
from classifiers.artefact import load as load_model
from classifiers.classifier import Classifier
from classifiers.errors import InputError
from classifiers.plots import check


def bench(
    data: Path, real: Path | None, *, size: Size, as_json: bool, card: Path | None, pictures: Path | None
) -> None:
    """Measure and print tables, or one JSON object; write the tables to a page and draw plots where asked to.

    InputError, before anything is measured, where chat is missing or the page, and where a reference decides otherwise.
    """
    if not can_measure():
        raise InputError("haven bench reads from /proc how much memory Haven takes, and there is none here")
    page = Card(card, "haven bench") if card else None
    if pictures:
        check()
    console = Console(stderr=True)
    with threadpool_limits(1):
        found = measured(data, real, size, console)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        out = Console(highlight=False)
        out.print(report.circumstances(found), soft_wrap=True, markup=False)
        for table in report.tables(found):
            out.print(report.grid(table))
    drawn = plots.draw(found, pictures) if pictures else {}
    if page:
        ways = {told: os.path.relpath(file, page.file.parent) for told, file in drawn.items()}
        page.write(
            report.circumstances(found),
            report.tables(found),
            [f"![{told}]({Path(way).as_posix()})" for told, way in ways.items()],
        )


def measured(data: Path, real: Path | None, size: Size, console: Console) -> dict[str, Any]:
    """Return all that is measured, by the keys of `haven bench --json`."""
    with console.status("reading chat"):
        corpus = load_data(data)
        supply = read_supply(corpus, real)
        keywords = keyword_filter(corpus)
        del corpus
        model, _ = load_model(bundled())
        classifier = Classifier(model)
    mix = Mix(supply, size.conversations)
    found: dict[str, Any] = {"quick": size.quick, "machine": machine()}
    with unwatched(), TemporaryDirectory() as folder, subject(Path(folder), size.conversations) as parts:
        with console.status("messages a second"):
            found |= rates.measure(parts, classifier, mix, keywords, size)
        with console.status("latency, and the event loop"):
            waiting = load.measure(parts, mix, size)
            found["guard"] |= waiting.pop("guard")
            found |= waiting
        found |= footprint.on_disk(parts)
        read = sum(parts.guard.levels.values())
        with console.status("cost by length"):
            found |= footprint.by_length(parts, supply, size)
    found["messages"] = {
        "source": supply.source,
        "different": supply.messages,
        "sextortion": 1 / ONE_IN,
        "read": read,
        "conversations": size.conversations,
        **found.pop("lengths"),
    }
    with console.status("adapters"):
        found["adapters"] = adapters.measure(mix, size)
    with console.status("starting"):
        found |= footprint.starting(supply, size)
    with console.status("memory"):
        found |= footprint.memory(supply, size)
    with console.status("rows in the database"):
        found |= footprint.by_rows(supply, size)
    return found
