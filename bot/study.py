"""Training and evaluation from the command line, with progress bars and tables."""

from __future__ import annotations

import os
import platform as machine
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from classifiers.artefact import Manifest, bundled, load, save
from classifiers.calibration import HeldOut, calibrated, held_out
from classifiers.corpus import Corpus, load_corpus
from classifiers.errors import InputError
from classifiers.evaluation import false_alerts, summary, tables
from classifiers.training import Examples, fit, prepare

_BEGIN, _END = "<!-- haven evaluate: begin -->", "<!-- haven evaluate: end -->"


def train(data: Path, out: Path, jobs: int | None) -> None:
    """Train, calibrate on writers held out in turn, and write model and manifest to a folder."""
    console = Console(stderr=True)
    _, examples, seen = _held_out(data, jobs, console)
    with console.status("learning from all writers"):
        model = calibrated(fit(examples), seen)
    manifest = save(model, out, examples.sha256, summary(model, seen))
    Console(highlight=False).print(f"{out}: {len(model.rows):,} terms, SHA-256 {manifest.sha256}", soft_wrap=True)


def evaluate(data: Path, real: Path | None, card: Path | None, jobs: int | None) -> None:
    """Print how writers fare that the model has not seen, and false alerts of the bundled model in real chat."""
    console = Console(stderr=True)
    model, manifest = load(bundled())
    corpus, examples, seen = _held_out(data, jobs, console)
    if examples.sha256 != manifest.data_sha256:
        raise InputError(f"{data}: not what the model in {bundled()} was trained on; run haven train first")
    found = tables(model, seen)
    if real is not None:
        files = sorted(real.glob("*.jsonl"))
        if not files:
            raise InputError(f"{real}: no transcripts here (expected .jsonl files)")
        found.append(false_alerts(model, track(files, "reading real chat", console=console)))
    text = "\n".join(table.markdown() for table in found)
    click.echo(text)
    if card is not None:
        _write_card(card, text, _circumstances(corpus, manifest))


def _held_out(data: Path, jobs: int | None, console: Console) -> tuple[Corpus, Examples, list[HeldOut]]:
    with console.status("reading the corpus"):
        corpus = load_corpus(data)
        examples = prepare(corpus)
    writers = track(
        held_out(corpus, examples, jobs),
        "leaving one writer out",
        total=len(corpus.writers),
        console=console,
    )
    return corpus, examples, [one for writer in writers for one in writer]


def _circumstances(corpus: Corpus, manifest: Manifest) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(manifest.libraries.items()))
    return (
        f"Measured with `haven evaluate` on {machine.system()} {machine.machine()}, {os.cpu_count()} cores, Python"
        f" {machine.python_version()}: {len(corpus.conversations):,} conversations by {len(corpus.writers)} writers"
        f" (data SHA-256 `{manifest.data_sha256[:16]}…`), model SHA-256 `{manifest.sha256[:16]}…` ({libraries})."
    )


def _write_card(card: Path, text: str, circumstances: str) -> None:
    """Replace what stands between the two marks of a model card."""
    old = card.read_text(encoding="utf-8") if card.exists() else f"{_BEGIN}\n{_END}\n"
    head, begin, rest = old.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise InputError(f"{card}: has no marks to put the tables between ({_BEGIN} … {_END})")
    card.write_text(f"{head}{_BEGIN}\n\n{circumstances}\n\n{text}\n{_END}{tail}", encoding="utf-8")
