"""Sets scales and thresholds from how writers that the model has not seen score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

from classifiers.assessment import Assessment, Kind, Level, Sensitivity
from classifiers.classifier import Classifier
from classifiers.conversation import Message
from classifiers.corpus import Corpus, Labelled
from classifiers.exchange import Conversation
from classifiers.model import GROUPS, Model, Scale, Thresholds
from classifiers.training import Examples, fit

HOLD_OUTS = 10
_NONE = -99.0
_ABOVE = 1e-4
POSITIVE = {Kind.THREAT: "sextortion", Kind.DISCLOSURE: "victim_disclosure"}
FALSE_ALARMS = {
    Sensitivity.LOW: (0.06, 0.015, 0.002),
    Sensitivity.NORMAL: (0.12, 0.04, 0.005),
    Sensitivity.HIGH: (0.20, 0.09, 0.02),
}


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest that a conversation of an unseen writer scored for one kind.

    `supported` counts only messages whose markers bear the score out; `best` is the assessment there.
    """

    highest: float
    supported: float
    group: str
    best: Assessment | None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One conversation as a model saw it that was trained without its writer."""

    labelled: Labelled
    peaks: Mapping[Kind, Peak]
    line_scores: Sequence[Sequence[float]]


def held_out(corpus: Corpus, examples: Examples, jobs: int | None) -> Iterable[list[HeldOut]]:
    """Yield the conversations of each group of writers in turn, read by a model that has seen none of the group."""
    groups = [corpus.writers[start::HOLD_OUTS] for start in range(HOLD_OUTS)]
    run: Any = joblib.Parallel(n_jobs=jobs or -1, return_as="generator")
    found: Iterable[list[HeldOut]] = run(
        joblib.delayed(_leave_out)(corpus, examples, group) for group in groups if group
    )
    return found


def calibrated(model: Model, seen: Sequence[HeldOut], ordinary: Sequence[Sequence[Message]] = ()) -> Model:
    """Return the model with scores that are probabilities and thresholds that keep the false-alarm rates.

    No alert is raised in `ordinary` chat, from which the model must not have learned.
    """
    scales = {kind: _scale(kind, seen) for kind in Kind}
    quiet = _loudest(model, ordinary)
    thresholds = {
        kind: {
            sensitivity: {group: _thresholds(kind, group, rates, scales[kind], seen, quiet[kind]) for group in GROUPS}
            for sensitivity, rates in FALSE_ALARMS.items()
        }
        for kind in Kind
    }
    return replace(model, scales=scales, thresholds=thresholds)


def peaks(model: Model, messages: Sequence[Message]) -> tuple[dict[Kind, Peak], list[Sequence[float]]]:
    """Stream a conversation; return its peaks as raw sums and the scores of its lines."""
    classifier = Classifier(model)
    conversation = Conversation(messages[0].sent_at)
    found = {kind: Peak(_NONE, _NONE, GROUPS[0], None) for kind in Kind}
    scores: list[Sequence[float]] = []
    for message in messages:
        assessments = classifier.assess(conversation, message, Sensitivity.NORMAL)
        line = conversation.lines[-1]
        scores.append(line.scores)
        exchange = conversation.exchange(line.author)
        group = model.group(exchange)
        totals = model.totals(exchange, line.at)
        for kind, assessment in zip(Kind, assessments, strict=True):
            total = totals[kind]
            peak = found[kind]
            if total > peak.highest:
                peak = replace(peak, highest=total, group=group)
            if total > peak.supported and assessment.level > Level.NOTICE:
                peak = replace(peak, supported=total, best=assessment)
            found[kind] = peak
    return found, scores


def _leave_out(corpus: Corpus, examples: Examples, writers: list[str]) -> list[HeldOut]:
    model = fit(examples, without=writers)
    return [HeldOut(one, *peaks(model, one.messages)) for one in corpus.conversations if one.writer in writers]


def _scale(kind: Kind, seen: Sequence[HeldOut]) -> Scale:
    totals = np.array([[one.peaks[kind].highest] for one in seen])
    labels = np.array([one.labelled.kind == POSITIVE[kind] for one in seen])
    regression = LogisticRegression(C=1e6).fit(totals, labels)
    return Scale(round(float(regression.coef_[0][0]), 4), round(float(regression.intercept_[0]), 4))


def _loudest(model: Model, ordinary: Sequence[Sequence[Message]]) -> dict[Kind, float]:
    """Return the highest sum with support in ordinary chat."""
    read = [peaks(model, messages)[0] for messages in ordinary]
    return {kind: max((found[kind].supported for found in read), default=_NONE) for kind in Kind}


def _thresholds(
    kind: Kind,
    group: str,
    rates: tuple[float, float, float],
    scale: Scale,
    seen: Sequence[HeldOut],
    quiet: float,
) -> Thresholds:
    """Return the scores that only these shares of the group's hard negatives, and no ordinary chat, reach."""
    negatives = [
        one.peaks[kind] for one in seen if one.labelled.kind == "hard_negative" and one.peaks[kind].group == group
    ]
    if not negatives:
        return Thresholds(1.0, 1.0, 1.0)
    scores = [scale(peak.highest) for peak in negatives]
    notice, alert, advise = (round(float(np.quantile(scores, 1 - rate)) + _ABOVE, 4) for rate in rates)
    silent = round(scale(quiet) + _ABOVE, 4)
    return Thresholds(notice, max(alert, silent), max(advise, silent))
