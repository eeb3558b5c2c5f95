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
from bot.scan import Scanner
from classifiers import evaluation, validation
from classifiers.artefact import Manifest, bundled, load, save
from classifiers.calibration import HOLD_OUTS, calibrated, held_out
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
    with console.status("reading the corpus"):
        corpus = load_corpus(data)
        examples = prepare(corpus)
    groups = track(held_out(corpus, examples, jobs), "holding writers out", total=HOLD_OUTS, console=console)
    seen = [one for group in groups for one in group]
    with console.status("learning from all writers"):
        model = calibrated(fit(examples), seen, [*unseen_ordinary_chat()])
    manifest = save(model, out, examples.sha256, validation.summary(model, seen))
    if card is not None:
        found = "\n".join(table.markdown() for table in validation.tables(model, seen))
        _write_card(card, "haven train", found, _circumstances("train", corpus, manifest))
    Console(highlight=False).print(f"{out}: {len(model.rows):,} terms, SHA-256 {manifest.sha256}", soft_wrap=True)


def evaluate(data: Path, files: Sequence[Path], real: Path | None, card: Path | None, learn: Path | None) -> None:
    """Read labelled conversations as `scan` would and print how the bundled model fares.

    With a model card its tables, `report.json` and the plots beside it are written anew. `learn` is a corpus
    to plot what a growing share of its writers teaches.
    """
    console = Console(stderr=True)
    model, manifest = load(bundled())
    corpus = load_files(files) if files else load_corpus(data)
    outcomes = _outcomes(model, track(corpus.conversations, "reading", console=console))
    found = evaluation.tables(outcomes)
    by_disguise = {
        name: _outcomes(model, track([disguised(one, name) for one in corpus.conversations], name, console=console))
        for name in DISGUISES
    }
    found.append(evaluation.obfuscation(outcomes, by_disguise))
    if real is not None:
        transcripts = sorted(real.glob("*.jsonl"))
        if not transcripts:
            raise InputError(f"{real}: no transcripts here (expected .jsonl files)")
        found.append(false_alerts(model, track(transcripts, "reading real chat", console=console)))
    text = "\n".join(table.markdown() for table in found)
    click.echo(text)
    if card is None:
        return
    from classifiers.plots import draw

    circumstances = _circumstances("evaluate", corpus, manifest)
    draw(outcomes, card.parent / "plots")
    if learn is not None:
        _draw_learning(load_corpus(learn), corpus, card.parent / "plots" / "learning.png", console)
    _write_card(card, "haven evaluate", text, circumstances)
    _write_report(card.parent / "report.json", circumstances, outcomes, found)


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
                level=report.level,
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
    from classifiers.plots import draw_learning

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
    draw_learning(points, file)


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


def _write_card(card: Path, command: str, text: str, circumstances: str) -> None:
    """Replace what stands between the two marks of a command in a model card."""
    opens, closes = f"<!-- {command}: begin -->", f"<!-- {command}: end -->"
    old = card.read_text(encoding="utf-8") if card.exists() else f"{opens}\n{closes}\n"
    head, begin, rest = old.partition(opens)
    _, end, tail = rest.partition(closes)
    if not begin or not end:
        raise InputError(f"{card}: has no marks to put the tables between ({opens} … {closes})")
    card.write_text(f"{head}{opens}\n\n{circumstances}\n\n{text}\n{closes}{tail}", encoding="utf-8")
