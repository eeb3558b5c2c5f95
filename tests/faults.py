"""Harms a real Haven at every step between "message read" and "delivery settled", and holds it to its promise.

    python tests/faults.py          every fault at every step (about thirteen minutes on two cores)
    python tests/faults.py --once   one fault in each cell of the table

Exit code 1, and a line for each cell, where something of the promise is broken.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import click
from faulting.bench import Bench
from faulting.haven import CONFIG
from faulting.matrix import Table, adapters, core

from bot.app import open_classifier

LEGEND = """\
Rows are the steps of a message through Haven, columns what is done to it there. A number says how often that was tried
and the promise held, RED that it was broken or nothing was tried; a dash is what cannot be.
"""
LEAST = 500
LEAST_ONCE = 200


def report(tables: Sequence[Table], least: int) -> Iterator[str]:
    """Yield the tables under their legend, a line for each cell that is not green, and the verdict."""
    yield LEGEND
    for table in tables:
        yield from (*table.lines(), "")
    red = [line for table in tables for line in table.red()]
    total = sum(table.total for table in tables)
    if total < least:
        red.append(f"RED: {total} faults are fewer than {least}")
    yield from red
    yield f"{total} faults: {f'{len(red)} cells are BROKEN' if red else 'all cells are green'}"


@click.command(help=__doc__.split("\n")[0])
@click.option("--once", is_flag=True, help="One fault in each cell.")
def main(once: bool) -> None:
    """Try every fault, and print the tables."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name, closing(Bench(Path(name), open_classifier(CONFIG, Path()))) as bench:
        first = core(bench, once=once)
    lines = [*report((first, asyncio.run(adapters(once=once))), LEAST_ONCE if once else LEAST)]
    click.echo("\n".join(lines))
    click.echo(f"{(time.monotonic() - start) / 60:.0f} minutes", err=True)
    sys.exit(any(line.startswith("RED") for line in lines))


if __name__ == "__main__":
    main()
