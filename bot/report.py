"""Shows what a scan of chat exports found: for people, or as JSON Lines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from bot.archives import read
from bot.platforms.console import screen, visible
from bot.scan import Report, Scanner
from classifiers.assessment import Level, Sensitivity
from classifiers.classifier import Classifier
from classifiers.errors import InputError

_SUFFIXES = (".json", ".jsonl", ".csv", ".txt")
_STANDARD_INPUT = Path("-")


def scan_all(
    paths: Sequence[Path],
    format: str,
    sensitivity: str,
    classifier: Classifier,
    *,
    as_json: bool,
    out: TextIO | None = None,
) -> bool:
    """Scan every file and show what was found; return False when one could not be read to its end.

    A file that cannot be read is named on standard error, after what came before its fault was shown. That there was
    no message in any of them is said there, too, and no success.
    """
    console = Console(file=out, highlight=False) if out else screen()
    out = out or sys.stdout
    scanner = Scanner(classifier, Sensitivity(sensitivity))
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    conversations = messages = spoken = flagged = 0
    sound = True
    progress = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
        console=errors, transient=True, disable=not errors.is_terminal,
    )  # fmt: skip
    with progress:
        for path in _files(paths):
            try:
                for report in _scan(path, format, scanner, progress):
                    conversations += 1
                    messages += report.messages
                    spoken += report.spoken
                    flagged += report.level >= Level.ALERT
                    if as_json:
                        out.write(json.dumps(report.as_json()) + "\n")
                        out.flush()
                    elif report.level > Level.NONE:
                        console.print(render(report), soft_wrap=not console.is_terminal)
            except InputError as error:
                sound = False
                errors.print(Text(f"haven: {visible(str(error))}"))
    if not spoken:
        if sound or conversations:
            none = "no message has any text" if messages else "no messages were read"
            errors.print(Text(f"haven: {none}: this is no all-clear", style="bold red"))
        return False
    if not as_json:
        console.print(
            Text(
                f"{_counted(conversations, 'conversation')}, {_counted(messages, 'message')}:"
                f" Haven would have told the moderators about {flagged:,}.",
                style="bold",
            )
        )
    return sound


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def render(report: Report) -> Text:
    """Return a report as text: verdict, who, when, and the lines that showed it."""
    shown = Text()
    style = "bold red" if report.level >= Level.ALERT else "bold"
    shown.append(f"{report.level.name.lower():<7}", style=style)
    what = report.verdict if report.level >= Level.ALERT else "recorded only"
    shown.append(f"{visible(report.conversation)}: {what}, score {report.score:.2f}")
    if report.sender:
        shown.append(f", by {visible(report.sender)}")
    if report.target:
        shown.append(f", towards {visible(report.target)}" if report.sender else f", told by {visible(report.target)}")
    if report.crisis:
        shown.append(", signs of despair", style="bold red")
    shown.append("\n")
    for label, position in (("alert", report.first_alert), ("advice", report.first_advice)):
        if position is not None:
            shown.append(f"        {label} at message {position + 1:,} of {report.messages:,}\n")
    for seen in report.evidence:
        shown.append(f"        {seen.message + 1:>6,}  {seen.marker.replace('_', ' ')} {seen.score:.0%}  ", "cyan")
        shown.append(f"“{visible(seen.excerpt)}”\n", style="dim")
    return shown


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield files as given, and of folders all that may be exports, sorted; each once."""
    yielded: set[str] = set()
    for path in paths:
        found: list[Path] = []
        with suppress(OSError):
            if path.is_dir():
                found = sorted(file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES and file.is_file())
        for file in found or [path]:
            if (real := os.path.realpath(file)) not in yielded:
                yielded.add(real)
                yield file


def _scan(path: Path, format: str, scanner: Scanner, progress: Progress) -> Iterator[Report]:
    name, size, stream = _opened(path)
    task = progress.add_task(visible(Path(name).name), total=size)
    with stream, progress.wrap_file(stream, task_id=task) as wrapped:
        try:
            for conversation in read(wrapped, name, format):
                report, fault = scanner.scan(conversation.id, conversation.entries)
                yield report
                if fault:
                    raise fault
        except OSError as error:
            raise InputError(f"{name}: cannot read: {error.strerror}") from None
        finally:
            progress.remove_task(task)


def _opened(path: Path) -> tuple[str, int, BinaryIO]:
    """Return what a file is called, its size and its bytes."""
    if path == _STANDARD_INPUT and sys.stdin is None:
        raise InputError("standard input: it is closed")
    if path == _STANDARD_INPUT:
        return "standard input", 0, sys.stdin.buffer
    try:
        return str(path), path.stat().st_size, path.open("rb")
    except IsADirectoryError:
        raise InputError(f"{path}: no chat exports in this folder (looked for {', '.join(_SUFFIXES)})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror}") from None
