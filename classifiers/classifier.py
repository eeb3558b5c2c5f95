"""Reads a conversation message by message and says what it looks like now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker, Sensitivity
from classifiers.conversation import Account, Message
from classifiers.despair import may_show_despair, shows_despair
from classifiers.exchange import EXCERPT, Conversation, Exchange, Line
from classifiers.model import MARKERS, Floats, Model, marker_probability
from classifiers.normalise import spans
from classifiers.reader import Reader
from classifiers.words import words

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
_DESPAIR = 0.6
_DISTRESS = MARKERS.index(Marker.DISTRESS)
LEAST = {
    **dict.fromkeys(COERCIVE, _FIRST_MARKER),
    Marker.VICTIM_DISCLOSURE: _DISCLOSURE,
    Marker.DISTRESS: _DESPAIR,
}
"""From which probability a marker can lead to a level or to a crisis."""
_LEAST = [(MARKERS.index(marker), least) for marker, least in LEAST.items()]


class Heard(NamedTuple):
    """The words of a message, and whether they may matter."""

    words: list[str]
    may_matter: bool


class Classifier:
    """Assesses messages; all state is in the conversation that is passed in."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.reader = Reader(model, LEAST, may_show_despair)

    def hear(self, messages: Sequence[Message]) -> list[Heard]:
        """Hear messages that come next, which costs less for many at once; a forward says nothing."""
        lines = [[] if message.forwarded else words(message.text) for message in messages]
        return [
            Heard(line, shown.marker or (shown.watched and shows_despair(line)))
            for line, shown in zip(lines, self.reader.shown(lines), strict=True)
        ]

    def assess(
        self,
        conversation: Conversation,
        message: Message,
        sensitivity: Sensitivity,
        shift: Mapping[Kind, float] = _UNMOVED,
        heard: Heard | None = None,
    ) -> tuple[Assessment, Assessment]:
        """Take a message, or an edit, in; return how the conversation reads now, as a threat and as a disclosure.

        An edit is read with everything that stands in the channel by now. `shift` moves from which score on a kind is
        alerted of, see `Thresholds.moved`. `heard` is what `hear` returned.
        """
        self._take(conversation, message, heard)
        exchange = conversation.exchange(message.author)
        scores, reached = self._reached(conversation, exchange, sensitivity, shift)
        return self._assessed(conversation, message, exchange, scores, reached)

    def find(
        self,
        conversation: Conversation,
        message: Message,
        sensitivity: Sensitivity,
        shift: Mapping[Kind, float] = _UNMOVED,
        heard: Heard | None = None,
    ) -> tuple[Assessment, Assessment] | None:
        """Do what `assess` does, but return None where there is no level of either kind and no despair of its author.

        Most messages end early: where nothing that their author wrote of late shows a marker that counts.
        """
        if not self._take(conversation, message, heard):
            return None
        exchange = conversation.exchange(message.author)
        if not any(line.noted for line in exchange.mine):
            return None
        scores, reached = self._reached(conversation, exchange, sensitivity, shift)
        if not any(reached.values()) and not _despairs(exchange, message.author):
            return None
        return self._assessed(conversation, message, exchange, scores, reached)

    def behind(
        self,
        conversation: Conversation,
        message: Message,
        sensitivity: Sensitivity,
        shift: Mapping[Kind, float] = _UNMOVED,
    ) -> list[Assessment]:
        """Return the threats aimed at the author of a message that was taken in last, for when they despair."""
        found = []
        theirs = conversation.exchange(message.author).theirs
        for sender in dict.fromkeys(line.author for line in theirs if line.noted):
            exchange = conversation.exchange(sender)
            if exchange.mine:
                said = replace(message, id=exchange.mine[0].message_id, author=sender)
                read = self._reached(conversation, exchange, sensitivity, shift)
                threat, _ = self._assessed(conversation, said, exchange, *read)
                if threat.level and threat.target == message.author:
                    found.append(threat)
        return found

    def forget_despair(self, conversation: Conversation, account: Account) -> None:
        """Let no line of an account show despair any more; only a new one will."""
        for line in conversation.lines:
            if line.author == account and line.scores:
                line.scores = [0.0 if column == _DISTRESS else score for column, score in enumerate(line.scores)]

    def _take(self, conversation: Conversation, message: Message, heard: Heard | None) -> bool:
        """Take a message in; return whether anything that its author wrote of late may matter."""
        if heard is None:
            (heard,) = self.hear([message])
        line = conversation.add(message, heard.words)
        if heard.may_matter or len(message.text) > EXCERPT:
            self._read_lines([line], [heard.words])
            if any(line.scores[column] >= least for column, least in _LEAST):
                conversation.note(line)
        if line.earlier and conversation.noted(line.author):
            self._take_nothing_back(conversation, line)
        line.earlier = None
        return conversation.noted(line.author)

    def _reached(
        self, conversation: Conversation, exchange: Exchange, sensitivity: Sensitivity, shift: Mapping[Kind, float]
    ) -> tuple[dict[Kind, float], dict[Kind, Level]]:
        """Return the scores, and the levels that they reach by themselves."""
        lines = exchange.mine + exchange.theirs or [exchange.latest]
        unread = [line for line in lines if not line.scores]
        self._read_lines(unread, [words(line.excerpt) for line in unread])
        totals = self.model.totals(exchange, conversation.lines[-1].at)
        group = self.model.group(exchange)
        scores = {kind: self.model.scales[kind](total) for kind, total in totals.items()}
        reached = {
            kind: self.model.thresholds[kind][sensitivity][group].moved(shift.get(kind, 0.0)).level(score)
            for kind, score in scores.items()
        }
        return scores, reached

    def _assessed(
        self,
        conversation: Conversation,
        message: Message,
        exchange: Exchange,
        scores: Mapping[Kind, float],
        reached: Mapping[Kind, Level],
    ) -> tuple[Assessment, Assessment]:
        author = message.author
        evidence = _evidence(exchange.mine, message.channel)

        def read(kind: Kind, sender: Account | None, target: Account | None) -> Assessment:
            level = min(reached[kind], _supported(kind, evidence), Level.ADVISE if target else Level.ALERT)
            crisis = target is not None and _despairs(exchange, target)
            if crisis and kind is Kind.THREAT and level is Level.NOTICE:
                level = Level.ALERT  # somebody should look, however little is sure
            return Assessment(
                message_id=message.id,
                space=message.space,
                channel=message.channel,
                at=message.sent_at,
                kind=kind,
                level=level,
                score=scores[kind],
                sender=sender,
                target=target,
                evidence=evidence,
                crisis=crisis,
            )

        addressee = conversation.addressee(author, self._coercion)
        return read(Kind.THREAT, author, addressee), read(Kind.DISCLOSURE, None, author)

    def _take_nothing_back(self, conversation: Conversation, line: Line) -> None:
        """Where an edit coerces less than what it replaces, which was seen by those it was meant for, that stands."""
        earlier = line.earlier
        if earlier and earlier.author == line.author:
            self._read_line(earlier)
            self._read_line(line)
            if _coercion_in_all(earlier) > _coercion_in_all(line):
                conversation.keep_earlier(line)

    def _read_line(self, line: Line) -> None:
        """Read a line, if that was not done yet."""
        if not line.scores:
            self._read_lines([line], [words(line.excerpt)])

    def _read_lines(self, lines: Sequence[Line], heard: Sequence[list[str]]) -> None:
        """Read lines of these words."""
        readings = self.reader.read(heard, [line.before for line in lines])
        for line, said, reading in zip(lines, heard, readings, strict=True):
            line.features, line.scores = reading
            if shows_despair(said):
                line.scores[_DISTRESS] = 1.0

    def _coercion(self, line: Line) -> float:
        """Return how clearly a line coerces, 0 for one that hardly does."""
        self._read_line(line)
        most = max(marker_probability(line, marker) for marker in COERCIVE)
        return most if most >= _FIRST_MARKER else 0.0

    def explain(self, conversation: Conversation, found: Assessment, known: Collection[Marker] = ()) -> Assessment:
        """Return what was just found with the words that carried its evidence and with whom it is likely aimed at.

        Markers that are `known` already are left as they are.
        """
        lines = {line.message_id: line for line in conversation.lines}
        shares: dict[str, tuple[Floats, list[tuple[int, int]]]] = {}
        evidence = []
        for seen in found.evidence:
            if seen.marker not in known:
                line = lines[seen.message_id]
                if line.message_id not in shares:
                    heard = words(line.excerpt)
                    shares[line.message_id] = self.reader.shares(heard, line.before), spans(line.excerpt)
                seen = _explained(seen, *shares[line.message_id])
            evidence.append(seen)
        likely = found.target
        if likely is None and found.sender:
            likely = conversation.likeliest_addressee(found.sender, self._coercion)
        return replace(found, evidence=tuple(evidence), likely=likely)


def _explained(seen: Evidence, shares: Floats, places: list[tuple[int, int]]) -> Evidence:
    """Return the evidence with those parts of the excerpt that have half of the greatest share or more."""
    ours = shares[:, MARKERS.index(seen.marker)].tolist()
    least = max(ours, default=0.0) / 2
    parts = zip(ours, places, strict=False)  # no alert is lost for its highlights
    carried = sorted((share, part) for share, part in parts if share > 0 and share >= least)[-_CARRIED:]
    return replace(seen, carried=tuple(sorted(part for _, part in carried)))


def _despairs(exchange: Exchange, account: Account) -> bool:
    theirs = [line for line in (*exchange.mine, *exchange.theirs) if line.author == account]
    return any(marker_probability(line, Marker.DISTRESS) >= _DESPAIR for line in theirs)


def _evidence(lines: list[Line], channel: str) -> tuple[Evidence, ...]:
    """Return, most likely first, the strongest line of every marker that is at least hinted at."""
    found = []
    written = [line for line in lines if line.last]
    for column, marker in enumerate(MARKERS):
        line = max(written, key=lambda line: line.scores[column], default=None)
        if line and line.scores[column] >= _MENTIONED:
            seen = Evidence(marker, line.message_id, line.scores[column], line.excerpt, at=line.at, channel=channel)
            found.append(seen)
    return tuple(sorted(found, key=lambda evidence: -evidence.probability))


def _coercion_in_all(line: Line) -> float:
    """Return in how many ways, and how clearly, a line coerces, 0 for one that hardly does."""
    shown = (marker_probability(line, marker) for marker in COERCIVE)
    return sum(probability for probability in shown if probability >= _FIRST_MARKER)


def _supported(kind: Kind, evidence: tuple[Evidence, ...]) -> Level:
    """Return the highest level that the words themselves bear out.

    A notice asks for a coercive marker and an alert for two; of a disclosure both ask for the marker of one.
    """
    if kind is Kind.DISCLOSURE:
        shown = any(e.marker is Marker.VICTIM_DISCLOSURE and e.probability >= _DISCLOSURE for e in evidence)
        return Level.ADVISE if shown else Level.NONE
    seen = [e.probability for e in evidence if e.marker in COERCIVE]
    if not seen or seen[0] < _FIRST_MARKER:
        return Level.NONE
    return Level.ADVISE if len(seen) >= 2 and seen[1] >= _SECOND_MARKER else Level.NOTICE
