"""How Haven fares on labelled conversations: what it said, when, about whom, and how sure these numbers are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from classifiers.assessment import Kind, Marker, Sensitivity
from classifiers.corpus import KINDS, POSITIVE, Labelled
from classifiers.tables import Table

VERDICTS = ("sextortion", "disclosure", "none")
SENSITIVITY = Sensitivity.NORMAL
RESAMPLES = 1000
_SEED = 1
_Z = 1.96
_LENGTHS = ((4, "up to 4"), (8, "5 to 8"), (14, "9 to 14"), (math.inf, "15 or more"))
_PATIENCE = 0.2
_THREATS = {Marker.SHARE_THREAT, Marker.CONTACTS_THREAT, Marker.IMAGE_CLAIM}
_DEMANDS = {Marker.PAYMENT_DEMAND, Marker.COMPLIANCE_DEMAND}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What Haven did in one labelled conversation; positions are 0-based, None for never."""

    labelled: Labelled
    verdict: str
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
    """A share of some cases with its 95% interval; all of it is 0 where there are no cases."""

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
    """Return how many of the cases are hits, with Wilson's interval, as if cases were independent of each other."""
    cases = [*hits]
    n, hit = len(cases), sum(cases)
    if not n:
        return Share(0.0, 0.0, 0.0, 0)
    middle = (hit + _Z**2 / 2) / (n + _Z**2)
    half = _Z / (n + _Z**2) * math.sqrt(hit * (n - hit) / n + _Z**2 / 4)
    return Share(hit / n, max(0.0, middle - half), min(1.0, middle + half), n)


def resampled(outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
    """Return for each goal the 95% interval of a thousand bootstrap samples, twins of a pair drawn together."""
    clusters: dict[tuple[str, str], list[Outcome]] = {}
    for one in outcomes:
        clusters.setdefault((one.labelled.writer, one.labelled.pair or one.labelled.id), []).append(one)
    drawn = list(clusters.values())
    chance = np.random.default_rng(_SEED)
    samples = []
    for _ in range(RESAMPLES):
        places = chance.integers(len(drawn), size=len(drawn))
        samples.append([goal.share.value for goal in goals([one for at in places for one in drawn[at]])])
    return [(float(low), float(high)) for low, high in np.quantile(samples, (0.025, 0.975), axis=0).T]


def goals(outcomes: Sequence[Outcome]) -> list[Goal]:
    """Return what is asked of the detector at *alert*, normal sensitivity."""
    sextortion = _of("sextortion", outcomes)
    alerted = [one for one in sextortion if one.verdict == "sextortion"]
    negatives = _of("hard_negative", outcomes)
    ordinary = _of("benign", outcomes)
    stated = [one for one in outcomes if one.labelled.crisis]
    return [
        Goal("sextortion alerted, English", "≥ 95%", share(_alerted(by_language(sextortion)["English"]))),
        Goal("sextortion alerted, other languages", "≥ 88%", share(_alerted(by_language(sextortion)["other"]))),
        Goal("of the alerted: by the first unmistakable coercion", "≥ 85%", share(map(_in_time, alerted))),
        Goal("disclosures recognised", "≥ 92%", share(one.right for one in _of("victim_disclosure", outcomes))),
        Goal("hard negatives alerted", "≤ 3%", share(_alerted(negatives))),
        Goal("hard negatives advised", "≤ 0.5%", share(one.first_advice is not None for one in negatives)),
        Goal("ordinary conversations alerted", "0", share(_alerted(ordinary))),
        Goal("crisis recognised when stated", "≥ 95%", share(one.crisis for one in stated)),
        Goal("right sender, of the alerted", "≥ 97%", share(map(_right_sender, alerted))),
        Goal("right target, of the alerted", "≥ 93%", share(map(_right_target, alerted))),
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
    undisguised = share(_alerted(_of("sextortion", plain))).value
    rows = []
    for name, outcomes in [("none", plain), *by_disguise.items()]:
        found = share(_alerted(_of("sextortion", outcomes)))
        lost = undisguised - found.value
        rows.append((name, str(found), f"{lost * 100:+.1f}", str(share(_alerted(_of("hard_negative", outcomes))))))
    return Table(
        "Disguised words",
        "About half of the words of three letters or more are disguised, in every speaker's lines; some disguises do"
        " nothing to other scripts than Latin. *Lost* is in points of recall.",
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


def by_language(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Return the outcomes in English and those in other languages."""
    parts: dict[str, list[Outcome]] = {"English": [], "other": []}
    for one in outcomes:
        parts["English" if one.labelled.english else "other"].append(one)
    return parts


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
    rows = tuple(
        (
            goal.what,
            goal.bound,
            f"{goal.share.value:.1%} of {goal.share.cases:,}",
            f"{low:.0%} to {high:.0%}",
            f"{goal.share.low:.0%} to {goal.share.high:.0%}",
        )
        if goal.share.cases
        else (goal.what, goal.bound, "–", "–", "–")
        for goal, (low, high) in zip(goals(outcomes), resampled(outcomes), strict=True)
    )
    return Table(
        "What is asked, and what is measured",
        "At *alert*, normal sensitivity. The intervals are of 95%: a bootstrap that draws twins together, and"
        " Wilson's, which also tells how little a share of 0 or 1 means. Neither knows that conversations of one"
        " writer are alike.",
        ("", "asked", "measured", "bootstrap", "Wilson"),
        rows,
    )


def _verdicts(outcomes: Sequence[Outcome]) -> Table:
    rows = []
    for group, part in by_language(outcomes).items():
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
    cuts: dict[str, Callable[[Outcome], str]] = {
        "writer": lambda one: one.labelled.writer,
        "surface": lambda one: one.labelled.surface,
        "messages": lambda one: next(name for most, name in _LENGTHS if len(one.labelled.messages) <= most),
        "language": lambda one: one.labelled.lang,
    }
    rows = []
    for by, cut in cuts.items():
        order = [name for _, name in _LENGTHS] if by == "messages" else sorted({cut(one) for one in outcomes})
        for name in order:
            here = [one for one in outcomes if cut(one) == name]
            if here:
                rows.append((by, name, *(str(share(_alerted(_of(kind, here)))) for kind in KINDS)))
    return Table(
        "By writer, surface, length and language",
        "Share alerted: sextortion as sextortion, all others as anything.",
        ("by", "", *(kind.replace("_", " ") for kind in KINDS)),
        tuple(rows),
    )


def _timing(outcomes: Sequence[Outcome]) -> Table:
    sextortion = _of("sextortion", outcomes)
    alerted = [one for one in sextortion if one.verdict == "sextortion"]
    twice = [(one, at) for one in sextortion if (at := second_demand(one.labelled)) is not None]
    early = share(
        one.verdict == "sextortion" and one.first_alert is not None and one.first_alert < at for one, at in twice
    )
    delays = [max(0, (one.first_alert or 0) - at) for one in alerted if (at := unmistakable(one.labelled)) is not None]
    f1 = _f1(outcomes)
    rows = (
        ("alerted before the second demand, of those with two", str(early)),
        ("messages from unmistakable coercion to the alert, median", f"{np.median(delays):.0f}" if delays else "–"),
        ("messages from unmistakable coercion to the alert, mean", f"{np.mean(delays):.2f}" if delays else "–"),
        ("F1 of sextortion", f"{f1:.3f}"),
        ("latency-weighted F1", f"{f1 * _speed(delays):.3f}"),
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
    positive = POSITIVE[kind]
    chosen = [one for one in outcomes if one.labelled.kind in (positive, "hard_negative", "benign")]
    return [one.labelled.kind == positive for one in chosen], [one.scores[kind] for one in chosen]
