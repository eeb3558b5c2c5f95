"""How Haven fares on labelled conversations: what it said, when, about whom, and how sure these numbers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from classifiers.assessment import Kind, Level, Marker, Sensitivity
from classifiers.corpus import KINDS, Labelled
from classifiers.tables import Table

VERDICTS = ("sextortion", "disclosure", "none")
SENSITIVITY = Sensitivity.NORMAL
RESAMPLES = 1000
_SEED = 1
_LENGTHS = ((2, 4), (5, 8), (9, 14), (15, 999))
_PATIENCE = 0.2
_THREATS = {Marker.SHARE_THREAT, Marker.CONTACTS_THREAT, Marker.IMAGE_CLAIM}
_DEMANDS = {Marker.PAYMENT_DEMAND, Marker.COMPLIANCE_DEMAND}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What Haven did in one labelled conversation; positions are 0-based, None for never."""

    labelled: Labelled
    verdict: str
    level: Level
    scores: Mapping[Kind, float]
    first_alert: int | None
    first_advice: int | None
    sender: str | None
    target: str | None
    crisis: bool

    @property
    def score(self) -> float:
        """The higher of both scores."""
        return max(self.scores.values())

    @property
    def right(self) -> bool:
        """Whether the verdict is the one that the kind of conversation asks for."""
        wanted = {"sextortion": "sextortion", "victim_disclosure": "disclosure"}
        return self.verdict == wanted.get(self.labelled.kind, "none")


class Share(NamedTuple):
    """A share of some cases with its 95% bootstrap interval; all of it is 0 where there are no cases."""

    value: float
    low: float
    high: float
    cases: int

    def __str__(self) -> str:
        if not self.cases:
            return "–"
        return f"{self.value:.1%} [{self.low:.0%}, {self.high:.0%}] of {self.cases:,}"


class Goal(NamedTuple):
    """One thing that is asked of the detector, what was measured, and the bound in words."""

    what: str
    bound: str
    share: Share


def share(hits: Iterable[bool]) -> Share:
    """Return how many of the cases are hits, resampled a thousand times for the interval."""
    cases = np.fromiter(hits, dtype=float)
    if not len(cases):
        return Share(0.0, 0.0, 0.0, 0)
    drawn = np.random.default_rng(_SEED).binomial(len(cases), cases.mean(), RESAMPLES) / len(cases)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Share(float(cases.mean()), float(low), float(high), len(cases))


def goals(outcomes: Sequence[Outcome]) -> list[Goal]:
    """Return what is asked of the detector at *alert*, normal sensitivity."""
    sextortion = _of("sextortion", outcomes)
    alerted = [one for one in sextortion if one.verdict == "sextortion"]
    negatives = _of("hard_negative", outcomes)
    ordinary = _of("benign", outcomes)
    stated = [one for one in outcomes if one.labelled.crisis]
    return [
        Goal("sextortion alerted, English", "≥ 95%", share(_alerted(_in_english(sextortion)))),
        Goal("sextortion alerted, other languages", "≥ 88%", share(_alerted(_in_english(sextortion, other=True)))),
        Goal("of the alerted: by the first unmistakable coercion", "≥ 85%", share(map(_in_time, alerted))),
        Goal("disclosures recognised", "≥ 92%", share(one.right for one in _of("victim_disclosure", outcomes))),
        Goal("hard negatives alerted", "≤ 3%", share(_alerted(negatives))),
        Goal("hard negatives advised", "≤ 0.5%", share(one.first_advice is not None for one in negatives)),
        Goal("ordinary conversations alerted", "0", share(_alerted(ordinary))),
        Goal("crisis recognised when stated", "≥ 95%", share(one.crisis for one in stated)),
        Goal(
            "right sender, of the alerted",
            "≥ 97%",
            share(map(_right_sender, alerted)),
        ),
        Goal(
            "right target, of the alerted",
            "≥ 93%",
            share(map(_right_target, alerted)),
        ),
    ]


def tables(outcomes: Sequence[Outcome]) -> list[Table]:
    """Return all tables of a report."""
    return [
        _goals(outcomes),
        _verdicts(outcomes),
        _slices(outcomes),
        _timing(outcomes),
        _worst(outcomes),
    ]


def obfuscation(plain: Sequence[Outcome], by_disguise: Mapping[str, Sequence[Outcome]]) -> Table:
    """Return what each disguise costs in recall."""
    rows = []
    for name, outcomes in [("none", plain), *by_disguise.items()]:
        found = share(_alerted(_of("sextortion", outcomes)))
        lost = share(_alerted(_of("sextortion", plain))).value - found.value
        rows.append((name, str(found), f"{lost * 100:+.1f}", str(share(_alerted(_of("hard_negative", outcomes))))))
    return Table(
        "Disguised words",
        "Every second word of every speaker disguised. *Lost* is in points of recall.",
        ("disguise", "sextortion alerted", "lost", "hard negatives alerted"),
        tuple(rows),
    )


def unmistakable(labelled: Labelled) -> int | None:
    """Return where an offender has both demanded and threatened or shown the image; else where it first coerces."""
    done: set[Marker] = set()
    first = None
    for position, (message, markers) in enumerate(zip(labelled.messages, labelled.markers, strict=True)):
        if message.author in labelled.offenders:
            done |= markers
            if first is None and done & (_THREATS | _DEMANDS):
                first = position
            if done & _THREATS and done & _DEMANDS:
                return position
    return first


def second_demand(labelled: Labelled) -> int | None:
    """Return where an offender demands for the second time."""
    demands = [
        position
        for position, (message, markers) in enumerate(zip(labelled.messages, labelled.markers, strict=True))
        if message.author in labelled.offenders and markers & _DEMANDS
    ]
    return demands[1] if len(demands) > 1 else None


def _of(kind: str, outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if one.labelled.kind == kind]


def _in_english(outcomes: Iterable[Outcome], *, other: bool = False) -> list[Outcome]:
    return [one for one in outcomes if one.labelled.english != other]


def _alerted(outcomes: Iterable[Outcome]) -> list[bool]:
    return [
        one.verdict == "sextortion" if one.labelled.kind == "sextortion" else one.verdict != "none" for one in outcomes
    ]


def _in_time(one: Outcome) -> bool:
    at = unmistakable(one.labelled)
    return one.first_alert is not None and at is not None and one.first_alert <= at


def _right_sender(one: Outcome) -> bool:
    return one.sender in {account.id for account in one.labelled.offenders}


def _right_target(one: Outcome) -> bool:
    return one.target in {account.id for account in one.labelled.targets}


def _goals(outcomes: Sequence[Outcome]) -> Table:
    rows = tuple((goal.what, goal.bound, str(goal.share)) for goal in goals(outcomes))
    return Table(
        "What is asked, and what is measured",
        "At *alert*, normal sensitivity, with 95% bootstrap intervals.",
        ("", "asked", "measured"),
        rows,
    )


def _verdicts(outcomes: Sequence[Outcome]) -> Table:
    rows = []
    for group, part in (("English", _in_english(outcomes)), ("other", _in_english(outcomes, other=True))):
        for kind in KINDS:
            here = _of(kind, part)
            said = Counter(one.verdict for one in here)
            advised = share(one.first_advice is not None for one in here)
            rows.append((group, kind.replace("_", " "), *(f"{said[v]:,}" for v in VERDICTS), str(advised)))
    return Table(
        "Verdicts",
        "Conversations by what they are and by what moderators were told; *advised*: somebody was written to.",
        ("language", "kind", *VERDICTS, "advised"),
        tuple(rows),
    )


def _slices(outcomes: Sequence[Outcome]) -> Table:
    def length(one: Outcome) -> str:
        messages = len(one.labelled.messages)
        low, high = next(each for each in _LENGTHS if messages <= each[1])
        return f"{low}–{high} messages" if high < 999 else f"{low} messages or more"

    cuts: list[Callable[[Outcome], str]] = [
        lambda one: one.labelled.writer,
        lambda one: one.labelled.surface,
        length,
        lambda one: one.labelled.lang,
    ]
    rows = []
    for cut in cuts:
        for name in sorted({cut(one) for one in outcomes}, key=_natural):
            here = [one for one in outcomes if cut(one) == name]
            rows.append((name, *(str(share(_alerted(_of(kind, here)))) for kind in KINDS)))
    return Table(
        "By writer, surface, length and language",
        "Share alerted: sextortion as sextortion, all others as anything.",
        ("", *(kind.replace("_", " ") for kind in KINDS)),
        tuple(rows),
    )


def _natural(name: str) -> tuple[int, str]:
    digits = name.split("–")[0].split()[0]
    return (int(digits) if digits.isdigit() else 0, name)


def _timing(outcomes: Sequence[Outcome]) -> Table:
    sextortion = _of("sextortion", outcomes)
    alerted = [one for one in sextortion if one.verdict == "sextortion"]
    twice = [(one, at) for one in sextortion if (at := second_demand(one.labelled)) is not None]
    early = share(
        one.verdict == "sextortion" and one.first_alert is not None and one.first_alert < at for one, at in twice
    )
    delays = [max(0, (one.first_alert or 0) - at) for one in alerted if (at := unmistakable(one.labelled)) is not None]
    rows = (
        ("alerted before the second demand, of those with two", str(early)),
        ("messages from unmistakable coercion to the alert, median", f"{np.median(delays):.0f}" if delays else "–"),
        ("messages from unmistakable coercion to the alert, mean", f"{np.mean(delays):.2f}" if delays else "–"),
        ("F1 of sextortion", f"{_f1(outcomes):.3f}"),
        ("latency-weighted F1", f"{_f1(outcomes) * _speed(delays):.3f}"),
    )
    return Table(
        "How early",
        "Latency-weighted F1 is F1 times one minus the median penalty; a delay of d messages after the unmistakable"
        f" coercion costs 2 / (1 + exp(-{_PATIENCE} d)) - 1.",
        ("", "measured"),
        rows,
    )


def _f1(outcomes: Sequence[Outcome]) -> float:
    hits = sum(one.verdict == one.labelled.kind == "sextortion" for one in outcomes)
    said = sum(one.verdict == "sextortion" for one in outcomes)
    return 2 * hits / max(said + len(_of("sextortion", outcomes)), 1)


def _speed(delays: Sequence[int]) -> float:
    if not delays:
        return 0.0
    return 1 - float(np.median([2 / (1 + np.exp(-_PATIENCE * delay)) - 1 for delay in delays]))


def _worst(outcomes: Sequence[Outcome]) -> Table:
    """List the twenty errors that Haven was surest about."""
    wrong = [one for one in outcomes if not one.right]
    wrong.sort(key=lambda one: -(one.score if one.verdict != "none" else 1 - one.score))
    rows = tuple(
        (one.labelled.id, one.labelled.lang, one.labelled.kind.replace("_", " "), one.verdict, f"{one.score:.2f}")
        for one in wrong[:20]
    )
    return Table("The worst errors", "By id.", ("conversation", "language", "is", "was called", "score"), rows)


def curve(outcomes: Sequence[Outcome], kind: Kind) -> tuple[list[bool], list[float]]:
    """Return which conversations are of the kind and their scores, hard negatives and ordinary talk against them."""
    positive = {Kind.THREAT: "sextortion", Kind.DISCLOSURE: "victim_disclosure"}[kind]
    chosen = [one for one in outcomes if one.labelled.kind in (positive, "hard_negative", "benign")]
    return [one.labelled.kind == positive for one in chosen], [one.scores[kind] for one in chosen]
