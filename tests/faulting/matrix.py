"""Which faults are tried at which steps, and what came of it, as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from faulting.adapters import PLACES, trials, tried
from faulting.bench import Bench, Harm
from faulting.faults import FAULTS, Fault
from faulting.haven import ERASURE, INCIDENT, Action
from faulting.places import ALERT
from faulting.world import Kind

KINDS = (
    Kind("keys are known", remembers=120, away=5),
    Kind("keys are forgotten by then", remembers=120, away=300),
    Kind("no keys", remembers=0, away=5),
)
ROWS = (
    "start", "read", "assessed", "decide: each statement", "mark", "decide: commit", "recorded",
    "begin: each statement", "begin: commit", "begun", "sent", "performed", "answered",
    "settle: each statement", "settle: commit", "settled",
    "edit", "edit delivered", "despair", "ruling", "forget", "retention",
)  # fmt: skip
COLUMNS = tuple(dict.fromkeys(fault.name for fault in FAULTS))
_ERASING = ("forget", "retention")
_LOCKED = ("locked briefly", "locked long")
IMPOSSIBLE = {
    *product(("decide: commit", "mark", "begin: commit", "settle: commit"), _LOCKED),
    ("start", "loop stalls"),
}
"""While Haven writes nobody else can lock its database, and while it starts there is no event loop yet."""


@dataclass
class Table:
    """How many faults were injected in each cell, and what is broken."""

    rows: Sequence[str]
    columns: Sequence[str]
    impossible: frozenset[tuple[str, str]] = frozenset()
    injected: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    broken: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def total(self) -> int:
        """How many faults were injected."""
        return sum(self.injected.values())

    def add(self, row: str, column: str, injected: int, wrong: Sequence[str]) -> None:
        """Note what came of a fault."""
        self.injected[row, column] += injected
        self.broken[row, column] += wrong

    def red(self) -> list[str]:
        """Return a line for each cell that is not green: something is broken there, or nothing was tried."""
        lines = []
        for cell in product(self.rows, self.columns):
            if wrong := list(dict.fromkeys(self.broken[cell])):
                more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
                lines.append(f"RED: {cell[0]} × {cell[1]}: {wrong[0]}{more}")
            elif not self.injected[cell] and cell not in self.impossible:
                lines.append(f"RED: {cell[0]} × {cell[1]}: nothing was tried")
        return lines

    def lines(self) -> Iterator[str]:
        """Yield it as it is printed."""
        wide = max(map(len, self.rows))
        yield " " * wide + "".join(f"  {column}" for column in self.columns)
        for row in self.rows:
            cells = (f"  {self._cell(row, column):>{len(column)}}" for column in self.columns)
            yield f"{row:<{wide}}" + "".join(cells)

    def _cell(self, row: str, column: str) -> str:
        if self.broken[row, column]:
            return "RED"
        return str(self.injected[row, column] or "–")


def planned(story: Sequence[Action], steps: Sequence[tuple[str, int]], faults: Sequence[Fault]) -> Iterator[Harm]:
    """Yield what is tried: a kill at each step, others at the first, the middle and the last of a part of a story."""
    places: dict[tuple[str, int], list[int]] = {}
    for number, (row, part) in enumerate(steps):
        if (row in _ERASING) == (story is ERASURE):
            places.setdefault((row, part), []).append(number)
    for turn, fault in enumerate(faults):
        for (row, _), numbers in places.items():
            three = {numbers[0], numbers[len(numbers) // 2], numbers[-1]}
            for number in numbers if fault is FAULTS[0] else sorted(three):
                yield Harm(fault, story, KINDS[(number + turn) % len(KINDS)], number, row)


def core(bench: Bench, faults: Sequence[Fault] = FAULTS, rows: Sequence[str] = ROWS, *, once: bool = False) -> Table:
    """Try faults at the steps of a Haven whose platform is a process of its own; or, with `once`, one in each cell."""
    table = Table(rows, tuple(dict.fromkeys(fault.name for fault in faults)), frozenset(IMPOSSIBLE))
    cells: dict[tuple[str, str], list[Harm]] = {}
    for story in (INCIDENT, ERASURE):
        steps, wrong = bench.steps(story)
        table.add(rows[0], table.columns[0], 0, wrong)
        for harm in planned(story, steps, faults):
            if harm.row in rows:
                cells.setdefault((harm.row, harm.fault.name), []).append(harm)
    for number, ((row, column), harms) in enumerate(cells.items()):
        start = number % len(harms) if once else 0
        for harm in harms[start:] + harms[:start]:
            came = bench.harm(harm, once=once)
            table.add(row, column, came.injected, came.wrong)
            if once and came.injected:
                break
    return table


async def adapters(*, once: bool = False) -> Table:
    """Try faults at the steps of each effect between Haven and the platforms; or, with `once`, each of an alert."""
    every = {trial.fault: trial for trial in trials() if trial.effect == ALERT}.values() if once else [*trials()]
    effects = dict.fromkeys(trial.effect for trial in every)
    rows = tuple(f"{place.name}: {effect}" for place, effect in product(PLACES, effects))
    table = Table(rows, tuple(dict.fromkeys(trial.fault for trial in every)))
    for place, trial in product(PLACES, every):
        table.add(f"{place.name}: {trial.effect}", trial.fault, 1, await tried(place, trial))
    return table
