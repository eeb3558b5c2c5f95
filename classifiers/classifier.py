"""Reads a conversation message by message and says what it looks like now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker, Sensitivity
from classifiers.conversation import Account, Message
from classifiers.despair import shows_despair
from classifiers.exchange import Conversation, Exchange, Line
from classifiers.model import MARKERS, Model, marker_probability
from classifiers.normalise import spans, words

COERCIVE = (
    Marker.PAYMENT_DEMAND,
    Marker.SHARE_THREAT,
    Marker.CONTACTS_THREAT,
    Marker.IMAGE_CLAIM,
    Marker.COMPLIANCE_DEMAND,
    Marker.PRESSURE,
)
_UNMOVED: Mapping[Kind, float] = {}
_MENTIONED = 0.03
_FIRST_MARKER, _SECOND_MARKER = 0.15, 0.08
_DISCLOSURE = 0.08
_CARRIED = 6
_DESPAIR = 0.5
_DISTRESS = MARKERS.index(Marker.DISTRESS)


class Classifier:
    """Assesses messages; all state is in the conversation that is passed in."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def assess(
        self,
        conversation: Conversation,
        message: Message,
        sensitivity: Sensitivity,
        shift: Mapping[Kind, float] = _UNMOVED,
    ) -> tuple[Assessment, Assessment]:
        """Take the message into the conversation; return how it reads as a threat and as a disclosure.

        An edit is read with everything that stands in the channel by now. It takes nothing back: where it coerces
        less than what it replaces, which was seen by those it was meant for, that stands. `shift` moves from which
        score on a kind is alerted of, see `Thresholds.moved`.
        """
        line = conversation.add(message, words(message.text))
        line.features, line.scores = self.model.read_line(line.words, line.before)
        if shows_despair(line.words):
            line.scores[_DISTRESS] = 1.0
        if (
            line.earlier
            and line.earlier.author == line.author
            and _coercion_in_all(line.earlier) > _coercion_in_all(line)
        ):
            conversation.keep_earlier(line)
        line.earlier = None
        line.words = line.words[-1:]
        exchange = conversation.exchange(line.author)
        now = conversation.lines[-1].at
        totals = self.model.totals(exchange, now)
        addressee = conversation.addressee(line.author, _coercion)
        evidence = _evidence(exchange.mine, message.channel)
        return (
            self._read(Kind.THREAT, message, exchange, totals, evidence, sensitivity, shift, line.author, addressee),
            self._read(Kind.DISCLOSURE, message, exchange, totals, evidence, sensitivity, shift, None, line.author),
        )

    def explain(self, conversation: Conversation, found: Assessment, known: Collection[Marker] = ()) -> Assessment:
        """Return what was just found with the words that carried its evidence and with whom it is likely aimed at.

        Markers that are `known` already are left as they are.
        """
        lines = {line.message_id: line for line in conversation.lines}
        evidence = tuple(
            self._explained(seen, lines[seen.message_id]) if seen.marker not in known else seen
            for seen in found.evidence
        )
        likely = found.target
        if likely is None and found.sender:
            likely = conversation.likeliest_addressee(found.sender, _coercion)
        return replace(found, evidence=evidence, likely=likely)

    def _explained(self, seen: Evidence, line: Line) -> Evidence:
        """Return the evidence with those parts of the excerpt that have half of the greatest share or more."""
        shares = self.model.shares(words(line.excerpt), line.before, seen.marker)
        least = max(shares, default=0.0) / 2
        parts = zip(shares, spans(line.excerpt), strict=True)
        carried = sorted((share, part) for share, part in parts if share > 0 and share >= least)[-_CARRIED:]
        return replace(seen, carried=tuple(sorted(part for _, part in carried)))

    def _read(
        self,
        kind: Kind,
        message: Message,
        exchange: Exchange,
        totals: Mapping[Kind, float],
        evidence: tuple[Evidence, ...],
        sensitivity: Sensitivity,
        shift: Mapping[Kind, float],
        sender: Account | None,
        target: Account | None,
    ) -> Assessment:
        score = self.model.scales[kind](totals[kind])
        thresholds = self.model.thresholds[kind][sensitivity][self.model.group(exchange)]
        level = thresholds.moved(shift.get(kind, 0.0)).level(score)
        if not _supports(kind, evidence):
            level = min(level, Level.NOTICE)
        if target is None:
            level = min(level, Level.ALERT)
        theirs = [line for line in (*exchange.mine, *exchange.theirs) if line.author == target]
        return Assessment(
            message_id=message.id,
            space=message.space,
            channel=message.channel,
            at=message.sent_at,
            kind=kind,
            level=level,
            score=score,
            sender=sender,
            target=target,
            evidence=evidence,
            crisis=any(marker_probability(line, Marker.DISTRESS) >= _DESPAIR for line in theirs),
        )


def _evidence(lines: list[Line], channel: str) -> tuple[Evidence, ...]:
    """Return, most likely first, the strongest line of every marker that is at least hinted at."""
    found = []
    written = [line for line in lines if line.words]
    for column, marker in enumerate(MARKERS):
        line = max(written, key=lambda line: line.scores[column], default=None)
        if line and line.scores[column] >= _MENTIONED:
            seen = Evidence(marker, line.message_id, line.scores[column], line.excerpt, at=line.at, channel=channel)
            found.append(seen)
    return tuple(sorted(found, key=lambda evidence: -evidence.probability))


def _coercion(line: Line) -> float:
    """Return how clearly a line coerces, 0 for one that hardly does."""
    most = max(marker_probability(line, marker) for marker in COERCIVE)
    return most if most >= _FIRST_MARKER else 0.0


def _coercion_in_all(line: Line) -> float:
    """Return in how many ways, and how clearly, a line coerces, 0 for one that hardly does."""
    shown = (marker_probability(line, marker) for marker in COERCIVE)
    return sum(probability for probability in shown if probability >= _FIRST_MARKER)


def _supports(kind: Kind, evidence: tuple[Evidence, ...]) -> bool:
    """Return whether the words themselves bear the score out: two coercive markers, or a disclosure."""
    if kind is Kind.DISCLOSURE:
        return any(e.marker is Marker.VICTIM_DISCLOSURE and e.probability >= _DISCLOSURE for e in evidence)
    seen = [e.probability for e in evidence if e.marker in COERCIVE]
    return len(seen) >= 2 and seen[0] >= _FIRST_MARKER and seen[1] >= _SECOND_MARKER
