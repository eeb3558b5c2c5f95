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
from classifiers.corpus import POSITIVE, Corpus, Labelled
from classifiers.exchange import Conversation
from classifiers.model import GROUPS, Model, Scale, Thresholds
from classifiers.training import Examples, fit

HOLD_OUTS = 10
_NONE = -99.0
_ABOVE = 1e-4
FALSE_ALARMS = {
    Kind.THREAT: {
        Sensitivity.LOW: (0.06, 0.015, 0.002),
        Sensitivity.NORMAL: (0.12, 0.04, 0.005),
        Sensitivity.HIGH: (0.20, 0.09, 0.02),
    },
    Kind.DISCLOSURE: {
        Sensitivity.LOW: (0.04, 0.01, 0.001),
        Sensitivity.NORMAL: (0.08, 0.025, 0.004),
        Sensitivity.HIGH: (0.15, 0.06, 0.01),
    },
}
"""The shares of hard negatives that may reach each level above none; telling of it is rarer in ordinary chat."""


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


def calibrated(model: Model, seen: Sequence[HeldOut], quiet: Mapping[Kind, float]) -> Model:
    """Return the model with scores that are probabilities and thresholds that keep the false-alarm rates.

    Alerts in English also need a sum above `quiet`, except at high sensitivity; ordinary chat is in English.
    """
    scales = {kind: _scale(kind, seen) for kind in Kind}
    thresholds = {
        kind: {
            sensitivity: {
                group: _thresholds(kind, group, rates, scales[kind], seen).above(
                    scales[kind](quiet[kind]) if group == "english" and sensitivity is not Sensitivity.HIGH else 0.0
                )
                for group in GROUPS
            }
            for sensitivity, rates in FALSE_ALARMS[kind].items()
        }
        for kind in Kind
    }
    return replace(model, scales=scales, thresholds=thresholds)


def loudest(model: Model, ordinary: Iterable[Sequence[Message]]) -> dict[Kind, float]:
    """Return for each kind the second highest sum with support in conversations from which nothing was learned."""
    classifier = Classifier(model)
    read = [peaks(classifier, messages)[0] for messages in ordinary]
    return {kind: sorted((found[kind].supported for found in read), reverse=True)[1] for kind in Kind}


def peaks(classifier: Classifier, messages: Sequence[Message]) -> tuple[dict[Kind, Peak], list[Sequence[float]]]:
    """Stream a conversation; return its peaks as raw sums and the scores of its lines.

    The model must be as `fit` leaves it, with open thresholds: support is what keeps a level above *notice*.
    """
    model = classifier.model
    conversation = Conversation(messages[0].sent_at)
    found = {kind: Peak(_NONE, _NONE, GROUPS[0], None) for kind in Kind}
    scores: list[Sequence[float]] = []
    for message in messages:
        assessments = classifier.assess(conversation, message, Sensitivity.NORMAL)
        line = conversation.lines[-1]
        scores.append(line.scores.tolist())
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
    classifier = Classifier(model)
    return [HeldOut(one, *peaks(classifier, one.messages)) for one in corpus.conversations if one.writer in writers]


def _scale(kind: Kind, seen: Sequence[HeldOut]) -> Scale:
    totals = np.array([[one.peaks[kind].highest] for one in seen])
    labels = np.array([one.labelled.kind == POSITIVE[kind] for one in seen])
    regression = LogisticRegression(C=1e6).fit(totals, labels)
    return Scale(round(float(regression.coef_[0][0]), 4), round(float(regression.intercept_[0]), 4))


def _thresholds(
    kind: Kind, group: str, rates: tuple[float, float, float], scale: Scale, seen: Sequence[HeldOut]
) -> Thresholds:
    """Return the scores that only these shares of the group's hard negatives reach."""
    negatives = [
        one.peaks[kind] for one in seen if one.labelled.kind == "hard_negative" and one.peaks[kind].group == group
    ]
    if not negatives:
        return Thresholds(1.0, 1.0, 1.0)
    scores = [scale(peak.highest) for peak in negatives]
    return Thresholds(*(round(float(np.quantile(scores, 1 - rate)) + _ABOVE, 4) for rate in rates))
