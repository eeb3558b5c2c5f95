"""Pictures for the model card, drawn with matplotlib from the extra `train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, precision_recall_curve

from classifiers.assessment import Kind
from classifiers.errors import InputError
from classifiers.evaluation import Outcome, by_language, curve

_BINS = 8


def check() -> None:
    """Raise InputError where nothing can be drawn."""
    if find_spec("matplotlib") is None:
        raise InputError("plots need matplotlib; install the extra: pip install -c constraints.txt -e '.[train]'")


def draw(outcomes: Sequence[Outcome], folder: Path) -> list[Path]:
    """Draw precision against recall and how reliable the scores are; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _precision_recall(outcomes, folder / "precision_recall.png"),
        _reliability(outcomes, folder / "reliability.png"),
    ]


def draw_learning(points: Mapping[str, Sequence[tuple[int, float]]], file: Path) -> Path:
    """Draw what a growing corpus buys: for each named line, pairs of conversations and area under the curve."""
    figure, axes = _new("conversations learned from", "area under the curve, test writers")
    for name, line in points.items():
        axes.plot(*zip(*line, strict=True), marker="o", label=name)
    return _saved(figure, axes, file)


def _precision_recall(outcomes: Sequence[Outcome], file: Path) -> Path:
    figure, axes = _new("recall", "precision")
    for kind in Kind:
        for name, part in by_language(outcomes).items():
            labels, scores = curve(part, kind)
            if any(labels):
                precision, recall, _ = precision_recall_curve(labels, scores)
                area = average_precision_score(labels, scores)
                axes.plot(recall, precision, label=f"{kind}, {name} ({area:.2f})")
    return _saved(figure, axes, file)


def _reliability(outcomes: Sequence[Outcome], file: Path) -> Path:
    figure, axes = _new("score", "share that is what the score says")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for kind in Kind:
        labels, scores = curve(outcomes, kind)
        if any(labels):
            seen, said = calibration_curve(labels, np.clip(scores, 0, 1), n_bins=_BINS, strategy="quantile")
            axes.plot(said, seen, marker="o", label=str(kind))
    return _saved(figure, axes, file)


def _new(across: str, up: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=across, ylabel=up)
    axes.grid(alpha=0.3)
    return figure, axes


def _saved(figure: Any, axes: Any, file: Path) -> Path:
    axes.legend(frameon=False)
    figure.savefig(file, dpi=110, metadata={"Software": None})
    return file
