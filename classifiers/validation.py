"""How the model does on the corpus's own writers, each read by a model that has not seen them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from classifiers.assessment import CLEAR, Kind, Level, Sensitivity
from classifiers.calibration import HeldOut, calibrated, peaks
from classifiers.classifier import Classifier
from classifiers.corpus import KINDS, POSITIVE, Corpus
from classifiers.model import MARKERS, Model
from classifiers.tables import Table


@dataclass(frozen=True, slots=True)
class _Judged:
    """A held-out conversation with the levels it reached under thresholds set by the other writers."""

    seen: HeldOut
    levels: dict[Kind, Level]


def tables(model: Model, seen: Sequence[HeldOut], quiet: Mapping[Kind, float]) -> list[Table]:
    """Return the tables of a run that held every writer out once."""
    judged = _judge(model, seen, quiet)
    return [_verdicts(judged), _ranking(seen), _writers(judged), _markers(seen), _people(judged)]


def summary(model: Model, seen: Sequence[HeldOut], quiet: Mapping[Kind, float]) -> dict[str, Any]:
    """Return the few numbers that the manifest carries, all from writers held out in turn."""
    judged = _judge(model, seen, quiet)
    found: dict[str, Any] = {
        "writers": len({one.labelled.writer for one in seen}),
        "conversations": len(seen),
    }
    for kind in Kind:
        for group, part in _by_language(seen).items():
            area = _auc(kind, part)
            if area is not None:
                found[f"{kind} auc {group}"] = round(area, 3)
        for label in KINDS:
            levels = [one.levels[kind] for one in judged if one.seen.labelled.kind == label]
            found[f"{kind} alerted {label}"] = round(float(np.mean([x >= Level.ALERT for x in levels])), 3)
    return found


def areas(model: Model, test: Corpus) -> dict[str, float]:
    """Return the area under the curve of both kinds against hard negatives, for each language group."""
    classifier = Classifier(model)
    seen = [HeldOut(one, *peaks(classifier, one.messages)) for one in test.conversations]
    return {
        f"{POSITIVE[kind].replace('_', ' ')}, {group}": area
        for kind in Kind
        for group, part in _by_language(seen).items()
        if (area := _auc(kind, part)) is not None
    }


def _judge(model: Model, seen: Sequence[HeldOut], quiet: Mapping[Kind, float]) -> list[_Judged]:
    """Hold every conversation to the thresholds that all writers but its own give."""
    judged = []
    for writer in sorted({one.labelled.writer for one in seen}):
        fitted = calibrated(model, [one for one in seen if one.labelled.writer != writer], quiet)
        judged += [
            _Judged(one, {kind: _level(fitted, kind, one) for kind in Kind})
            for one in seen
            if one.labelled.writer == writer
        ]
    return judged


def _level(model: Model, kind: Kind, one: HeldOut) -> Level:
    peak = one.peaks[kind]
    thresholds = model.thresholds[kind][Sensitivity.NORMAL][peak.group]
    scale = model.scales[kind]
    supported = thresholds.level(scale(peak.supported))
    return max(supported, min(thresholds.level(scale(peak.highest)), Level.NOTICE))


def _by_language(seen: Sequence[HeldOut]) -> dict[str, list[HeldOut]]:
    return {
        "english": [one for one in seen if one.labelled.english],
        "other": [one for one in seen if not one.labelled.english],
    }


def _auc(kind: Kind, seen: Sequence[HeldOut]) -> float | None:
    chosen = [one for one in seen if one.labelled.kind in (POSITIVE[kind], "hard_negative")]
    labels = [one.labelled.kind == POSITIVE[kind] for one in chosen]
    if len(set(labels)) < 2:
        return None
    return float(roc_auc_score(labels, [one.peaks[kind].highest for one in chosen]))


def _share(hits: Sequence[bool]) -> str:
    return f"{np.mean(hits):.1%}" if hits else "–"


def _verdicts(judged: Sequence[_Judged]) -> Table:
    rows = []
    for group in ("english", "other"):
        for label in KINDS:
            part = [
                one
                for one in judged
                if one.seen.labelled.kind == label and one.seen.labelled.english == (group == "english")
            ]
            cells = [group, label.replace("_", " "), f"{len(part):,}"]
            for kind in Kind:
                cells += [_share([one.levels[kind] >= level for one in part]) for level in (Level.ALERT, Level.ADVISE)]
            rows.append(tuple(cells))
    return Table(
        "What is alerted",
        "Share of conversations by unseen writers that reach a level at normal sensitivity, as a threat and as a"
        " disclosure; the thresholds, too, come from the other writers only.",
        (
            "language",
            "kind",
            "n",
            "threat: alert",
            "threat: advise",
            "disclosure: alert",
            "disclosure: advise",
        ),
        tuple(rows),
    )


def _ranking(seen: Sequence[HeldOut]) -> Table:
    rows = []
    for kind in Kind:
        for group, part in _by_language(seen).items():
            positives = [one.peaks[kind].highest for one in part if one.labelled.kind == POSITIVE[kind]]
            negatives = [one.peaks[kind].highest for one in part if one.labelled.kind == "hard_negative"]
            area = _auc(kind, part)
            if area is None:
                continue
            recalls = [f"{np.mean(positives > np.quantile(negatives, 1 - rate)):.2f}" for rate in (0.01, 0.03, 0.1)]
            rows.append(
                (
                    str(kind),
                    group,
                    str(len(positives)),
                    str(len(negatives)),
                    f"{area:.3f}",
                    *recalls,
                )
            )
    return Table(
        "How well scores separate",
        "Highest score of a conversation against hard negatives of the same language group: area under the curve,"
        " and recall where 1%, 3% and 10% of the hard negatives would alert.",
        ("kind", "language", "positives", "hard negatives", "AUC", "recall at 1%", "at 3%", "at 10%"),
        tuple(rows),
    )


def _writers(judged: Sequence[_Judged]) -> Table:
    rows = []
    for writer in sorted({one.seen.labelled.writer for one in judged}):
        cells = [writer]
        for label, kind in (
            ("sextortion", Kind.THREAT),
            ("hard_negative", Kind.THREAT),
            ("victim_disclosure", Kind.DISCLOSURE),
            ("benign", Kind.THREAT),
        ):
            part = [o for o in judged if o.seen.labelled.writer == writer and o.seen.labelled.kind == label]
            cells.append(f"{_share([one.levels[kind] >= Level.ALERT for one in part])} of {len(part)}")
        rows.append(tuple(cells))
    return Table(
        "Writer by writer",
        "Share alerted at normal sensitivity (disclosures as disclosures, all else as threats).",
        ("unseen writer", "sextortion", "hard negatives", "disclosures", "benign"),
        tuple(rows),
    )


def _markers(seen: Sequence[HeldOut]) -> Table:
    scores = np.array([line[: len(MARKERS)] for one in seen for line in one.line_scores])
    truth = np.array([[m in done for m in MARKERS] for one in seen for done in one.labelled.markers])
    rows = []
    for column, marker in enumerate(MARKERS):
        said = scores[:, column] >= CLEAR
        is_so = truth[:, column]
        rows.append(
            (
                marker.replace("_", " "),
                f"{is_so.sum():,}",
                f"{average_precision_score(is_so, scores[:, column]):.2f}",
                f"{(said & is_so).sum() / max(said.sum(), 1):.2f}",
                f"{(said & is_so).sum() / max(is_so.sum(), 1):.2f}",
            )
        )
    return Table(
        "Markers",
        "Per message, by writers held out; precision and recall where the probability is at least one half.",
        ("marker", "messages", "average precision", "precision", "recall"),
        tuple(rows),
    )


def _people(judged: Sequence[_Judged]) -> Table:
    alerted = [o for o in judged if o.seen.labelled.kind == "sextortion" and o.levels[Kind.THREAT] >= Level.ALERT]
    best = [(one.seen.labelled, one.seen.peaks[Kind.THREAT].best) for one in alerted]
    named = [(labelled, found) for labelled, found in best if found is not None]
    return Table(
        "Who does it to whom",
        "Among the sextortion that is alerted.",
        ("", "right"),
        (
            ("sender", _share([found.sender in labelled.offenders for labelled, found in named])),
            ("target", _share([found.target in labelled.targets for labelled, found in named])),
        ),
    )
