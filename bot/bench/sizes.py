"""How much is measured: the whole of it, or a run of some seconds that shows that everything works."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Size:
    """Counts of messages unless said; times in seconds.

    `conversations` are active while rates and latencies are measured, `warm` messages come before that, of which
    `compared` are compared with the reference. `filled` are
    the numbers of conversations for memory and growth, `lines` the most lines in each (0: as many as the mix has on
    average), which are written for no longer than `patience`. `rows` are the rows in the database for growth.
    Of a `quick` run no number means anything.
    """

    conversations: int = 250
    warm: int = 40_000
    rounds: int = 5
    per_round: int = 5_000
    batched: int = 2_048
    single: int = 100
    compared: int = 10_000
    load_seconds: float = 6.0
    loop_seconds: float = 5.0
    filled: tuple[int, ...] = (1_000, 10_000, 100_000)
    ringed: int = 1_000
    lines: int = 0
    patience: float = 100.0
    starts: int = 3
    rows: tuple[int, ...] = (0, 1_000_000)
    lengths: tuple[int, ...] = (10, 30, 100, 300, 1_000, 4_000)
    long: int = 200_000  # characters for each length
    quick: bool = False

    def with_rows(self, most: int | None) -> Size:
        """Return the same with growth measured up to so many rows, by way of the numbers that are less."""
        return replace(self, rows=(*(rows for rows in self.rows if rows < most), most)) if most else self


QUICK = Size(
    conversations=20,
    warm=1_000,
    rounds=1,
    per_round=200,
    batched=512,
    single=5,
    compared=1_000,
    load_seconds=0.2,
    loop_seconds=0.2,
    filled=(10, 20),
    ringed=2,
    lines=2,
    starts=1,
    rows=(0, 1_000, 3_000),
    lengths=(10, 100),
    long=2_000,
    quick=True,
)
