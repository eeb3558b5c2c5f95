"""What several test files share: the program as a process or in this one, and what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import main

ROOT = Path(__file__).parents[1]
_FRAME = re.compile(r"╭─ (?P<title>[^\n]+?) ─*╮\n(?P<body>(?:│[^\n]*│\n)*)╰─+╯")


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a process that runs the checkout: nothing of Haven's own is set in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAVEN_", "PYTHON", "COLUMNS"))}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:strict", "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture
def haven(tmp_path: Path, environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m bot ARGUMENT…` in the test's folder; `said` is its standard input."""

    def run(*arguments: str | Path, said: str | bytes = "", **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "bot", *map(str, arguments)],
            cwd=tmp_path,
            env=environment | variables,
            input=said.encode() if isinstance(said, str) else said,
            capture_output=True,
            timeout=60,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command inside this process, in the test's folder, where only its answer is looked at."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, **variables: str) -> Result:
        result = CliRunner(env=variables).invoke(main, list(map(str, arguments)), prog_name="haven")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


@pytest.fixture
def refused() -> Callable[..., None]:
    """Check that bad input ended with exit code 1 and one line on standard error that has all the words."""

    def check(result: subprocess.CompletedProcess[str] | Result, *words: str) -> None:
        code = result.exit_code if isinstance(result, Result) else result.returncode
        assert code == 1, result.stderr
        assert result.stderr.startswith("haven: "), result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
        for word in words:
            assert word in result.stderr

    return check


@pytest.fixture
def frames() -> Callable[[str], list[tuple[str, str]]]:
    """Return title and text of every frame that the console shows whole."""

    def found(screen: str) -> list[tuple[str, str]]:
        return [
            (frame["title"], "\n".join(line[2:-2].rstrip() for line in frame["body"].splitlines()))
            for frame in _FRAME.finditer(screen)
        ]

    return found


@pytest.fixture
def threat() -> Callable[[str, str], list[str]]:
    """Return lines in which one threatens another until it has to be alerted and advised on."""

    def lines(sender: str, target: str) -> list[str]:
        return [
            f"{sender}> @{target} i recorded our video call. i have your nudes and i saved all your followers",
            f"{target}> @{sender} please delete it",
            f"{sender}> @{target} send me 400 in gift cards or i send the video to your mum and your whole family",
            f"{sender}> @{target} you have 30 minutes. dont block me or i post it everywhere",
            f"{target}> @{sender} i dont have that kind of money",
            f"{sender}> @{target} then i send your nudes to everyone you know. pay me now",
        ]

    return lines
