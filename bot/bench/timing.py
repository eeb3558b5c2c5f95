"""Clocks, and what is made of what they say."""

from __future__ import annotations

import gc
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_CPUINFO = Path("/proc/cpuinfo")
_STATUS = Path("/proc/self/status")


class Spent(NamedTuple):
    """What something took, in seconds: CPU time of this process, all threads together, and by the clock on the wall."""

    cpu: float
    wall: float


def spent(work: Callable[[], object]) -> Spent:
    """Do it, and return what it took."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Spent(time.process_time() - cpu, time.perf_counter() - wall)


@contextmanager
def unwatched() -> Iterator[None]:
    """Let the garbage collector pass over all that there is now, until the end of the block.

    It is the bench's own, such as the chat that is read.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that at least this share (0 to 1) of them does not exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def resident_bytes() -> int:
    """Return how many bytes of memory this process takes now; Linux only."""
    (line,) = [line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def can_measure() -> bool:
    """Return whether this system tells how much memory a process takes."""
    return _STATUS.exists()


def machine() -> dict[str, object]:
    """Return what this is measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _cpu_model() -> str:
    names = [line for line in _CPUINFO.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
