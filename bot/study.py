"""Training and evaluation from the command line, with progress bars, tables and pictures."""

from __future__ import annotations

import json
import os
import platform as machine
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from bot.archives import Entry
from bot.card import Card
from bot.scan import Scanner
from classifiers import evaluation, plots, validation
from classifiers.artefact import Manifest, bundled, load, save
from classifiers.calibration import HOLD_OUTS, calibrated, held_out, loudest
from classifiers.classifier import Classifier
from classifiers.corpus import Corpus, Labelled, load_corpus, load_files
from classifiers.disguises import DISGUISES, disguised
from classifiers.errors import InputError
from classifiers.evaluation import Outcome
from classifiers.model import Model
from classifiers.ordinary import false_alerts
from classifiers.tables import Table
from classifiers.training import fit, prepare, unseen_ordinary_chat

_SEED = 7
_STEPS = 6


def train(data: Path, out: Path, card: Path | None, jobs: int | None) -> None:
    """Train, calibrate on writers held out in turn, and write model and manifest to a folder."""
    console = Console(stderr=True)
    page = Card(card, "haven train") if card else None
    with console.status("reading the corpus"):
        corpus = load_corpus(data)
        examples = prepare(corpus)
    groups = track(held_out(corpus, examples, jobs), "holding writers out", total=HOLD_OUTS, console=console)
    seen = [one for group in groups for one in group]
    with console.status("learning from all writers"):
        model = fit(examples)
        quiet = loudest(model, unseen_ordinary_chat())
        model = calibrated(model, seen, quiet)
    manifest = save(model, out, examples.sha256, validation.summary(model, seen, quiet))
    if page:
        page.write(_circumstances("train", corpus, manifest), validation.tables(model, seen, quiet))
    Console(highlight=False).print(f"{out}: {len(model.rows):,} terms, SHA-256 {manifest.sha256}", soft_wrap=True)


def evaluate(data: Path, files: Sequence[Path], real: Path | None, card: Path | None, learn: Path | None) -> None:
    """Read labelled conversations as `scan` would and print how the bundled model fares.

    With a model card its tables, and `report.json` and the plots beside it, are written anew. `learn` is a corpus
    to plot what a growing share of its writers teaches.
    """
    console = Console(stderr=True)
    page = Card(card, "haven evaluate") if card else None
    if page:
        plots.check()
    model, manifest = load(bundled())
    corpus = load_files(files) if files else load_corpus(data)
    transcripts = sorted(real.glob("*.jsonl")) if real else []
    if real and not transcripts:
        raise InputError(f"{real}: no transcripts here (expected .jsonl files)")
    lessons = load_corpus(learn) if learn else None
    outcomes = _outcomes(model, track(corpus.conversations, "reading", console=console))
    found = evaluation.tables(outcomes)
    by_disguise = {
        name: _outcomes(model, track([disguised(one, name) for one in corpus.conversations], name, console=console))
        for name in DISGUISES
    }
    found.append(evaluation.obfuscation(outcomes, by_disguise))
    if transcripts:
        found.append(false_alerts(model, track(transcripts, "reading real chat", console=console)))
    click.echo("\n".join(table.markdown() for table in found))
    if page:
        plots.draw(outcomes, page.file.parent / "plots")
        if lessons:
            _draw_learning(lessons, corpus, page.file.parent / "plots" / "learning.png", console)
        circumstances = _circumstances("evaluate", corpus, manifest)
        page.write(circumstances, found)
        _write_report(page.file.parent / "report.json", circumstances, outcomes, found)


def _outcomes(model: Model, conversations: Iterable[Labelled]) -> list[Outcome]:
    """Take every conversation along the path of live chat, each as if Haven had just started."""
    scanner = Scanner(Classifier(model), evaluation.SENSITIVITY)
    outcomes = []
    for labelled in conversations:
        report, _ = scanner.scan(labelled.id, (Entry(message, message.author.id) for message in labelled.messages))
        outcomes.append(
            Outcome(
                labelled=labelled,
                verdict=report.verdict,
                scores=report.scores,
                first_alert=report.first_alert,
                first_advice=report.first_advice,
                sender=report.sender,
                target=report.target,
                crisis=report.crisis,
            )
        )
    return outcomes


def _draw_learning(corpus: Corpus, test: Corpus, file: Path, console: Console) -> None:
    """Train on more and more writers, in an order drawn once, and plot how well each model ranks the test set."""
    examples = prepare(corpus)
    writers = corpus.writers
    random.Random(_SEED).shuffle(writers)  # noqa: S311 (a fixed order, not a secret)
    shares = [round(len(writers) * step / _STEPS) for step in range(1, _STEPS + 1)]
    points: dict[str, list[tuple[int, float]]] = {}
    for known in track(shares, "learning from more and more writers", console=console):
        model = fit(examples, without=writers[known:])
        size = sum(one.writer in writers[:known] for one in corpus.conversations)
        for name, area in validation.areas(model, test).items():
            points.setdefault(name, []).append((size, area))
    plots.draw_learning(points, file)


def _circumstances(command: str, corpus: Corpus, manifest: Manifest) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(manifest.libraries.items()))
    return (
        f"Measured with `haven {command}` on {machine.system()} {machine.machine()}, {os.cpu_count()} cores, Python"
        f" {machine.python_version()}: {len(corpus.conversations):,} conversations by {len(corpus.writers)} writers"
        f" (SHA-256 `{corpus.sha256[:16]}…`), model SHA-256 `{manifest.sha256[:16]}…` ({libraries})."
    )


def _write_report(file: Path, circumstances: str, outcomes: Sequence[Outcome], found: Sequence[Table]) -> None:
    report = {
        "circumstances": circumstances,
        "goals": [
            {"what": goal.what, "asked": goal.bound, **goal.share._asdict()} for goal in evaluation.goals(outcomes)
        ],
        "tables": [{"title": table.title, "columns": table.columns, "rows": table.rows} for table in found],
    }
    file.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
