"""The fault matrix: one fault in each of its cells, and defects that it has to see."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the bench forks, and limits what may be written")


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the tests in a process of its own, which forks."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    return subprocess.run(
        [sys.executable, "-P", "-W", "ignore", *arguments],
        cwd=ROOT, env=environment | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def test_one_fault_in_each_cell_breaks_nothing(environment: dict[str, str]) -> None:
    done = run(environment, "tests/faults.py", "--once")
    assert "RED: " not in done.stdout, done.stdout
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Rows are the steps")
    assert lines[-1].endswith("all cells are green")


def test_everything_says_the_same_of_how_long_the_whole_matrix_takes() -> None:
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("tests/faults.py", "CONTRIBUTING.md")]
    (measured,) = re.findall(
        r"in (\w+) minutes:\n\n```\n +kill -9", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    )
    assert [re.findall(r"\(about (\w+) minutes on two cores[;)]", page)[-1] for page in pages] == [measured] * 2


@pytest.mark.parametrize(
    ("defect", "seen"),
    [
        ("acts before it records", "is not recorded as under way"),
        ("settles before it acts", "is not recorded as under way"),
        ("warns again", "was written to 2 times"),
        ("records in parts", "was never alerted"),
        ("trusts the disk", "a commit may be lost"),
        ("trusts the clock", "s late"),
        ("hides whom to call", "and count as"),
    ],
)
def test_a_planted_defect_turns_the_matrix_red(environment: dict[str, str], defect: str, seen: str) -> None:
    done = run(environment, "tests/faulting/planted.py", defect)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines
    assert all(line.startswith("RED: ") for line in lines)
    assert seen in done.stdout


def test_what_turns_it_red_is_the_defect(environment: dict[str, str]) -> None:
    done = run(environment, "tests/faulting/planted.py", "")
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
