"""What several test files share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a process that runs the checkout: nothing of Haven's own is set in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAVEN_", "PYTHON", "COLUMNS"))}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:strict"}


@pytest.fixture
def haven(tmp_path: Path, environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m bot ARGUMENT…` in an empty folder; `said` is its standard input."""

    def run(*arguments: str | Path, said: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "bot", *map(str, arguments)],
            cwd=tmp_path,
            env=environment | variables,
            input=said,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=60,
        )

    return run
