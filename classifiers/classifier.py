"""Reads a conversation message by message and says what it looks like now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import numpy as np

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
_DESPAIR = 0.95
_DISTRESS = MARKERS.index(Marker.DISTRESS)
LEAST = {
    **dict.fromkeys(COERCIVE, _FIRST_MARKER),
    Marker.VICTIM_DISCLOSURE: _DISCLOSURE,
    Marker.DISTRESS: _DESPAIR,
}
"""From which probability a marker can lead to a level or to a crisis."""
_LEAST = [(MARKERS.index(marker), least) for marker, least in LEAST.items()]


class Heard(NamedTuple):
    """The words of a message and, where it may matter, what the reader begins to read of it."""

    words: list[str]
    begun: Floats | None


class Question(NamedTuple):
    """How the lines of a message's author read, with the conversation as it stands once it is taken in."""

    message: Message
    conversation: Conversation
    exchange: Exchange
    sensitivity: Sensitivity
    shift: Mapping[Kind, float] = _UNMOVED
    thorough: bool = False


class Answer(NamedTuple):
    """How a conversation reads, as a threat and as a disclosure.

    `behind` are the threats that are aimed at the author of the message, where they despair.
    """

    threat: Assessment
    disclosure: Assessment
    behind: Sequence[Assessment]


class Classifier:
    """Assesses messages; all state is in the conversation that is passed in.

    Messages are heard many at once, taken in one after the other, and what they ask is answered many at once.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.reader = Reader(model, LEAST, may_show_despair)

    def hear(self, messages: Sequence[Message]) -> list[Heard]:
        """Hear messages; a forward says nothing."""
        lines = [[] if message.forwarded else words(message.text) for message in messages]
        matter = [
            place
            for place, (line, message, marker, watched) in enumerate(
                zip(lines, messages, *self.reader.shown(lines), strict=True)
            )
            if marker or (watched and shows_despair(line)) or len(message.text) > EXCERPT
        ]
        begun = dict(zip(matter, self.reader.begin([lines[place] for place in matter]), strict=True))
        return [Heard(line, begun.get(place)) for place, line in enumerate(lines)]

    def take(
        self,
        conversation: Conversation,
        message: Message,
        heard: Heard,
        sensitivity: Sensitivity,
        shift: Mapping[Kind, float] = _UNMOVED,
        *,
        thorough: bool = False,
    ) -> Question | None:
        """Take a message, or an edit, in; return what is to be asked now, or None where there can be nothing.

        An edit is read with everything that stands in the channel by now. Most messages end here: where nothing that
        their author wrote of late shows a marker that counts. With `thorough` there always is a question. `shift`
        moves from which score on a kind is alerted of, see `Thresholds.moved`.
        """
        if not (self._take(conversation, message, heard) or thorough):
            return None
        exchange = conversation.exchange(message.author)
        if not (thorough or any(line.noted for line in exchange.mine)):
            return None
        return Question(message, conversation.copy(), exchange, sensitivity, shift, thorough)

    def answer(self, questions: Sequence[Question]) -> list[Answer | None]:
        """Return how the conversations read.

        None where there is no level of either kind and no despair of the author, except for `thorough` questions.
        """
        self._read_unread(question.exchange for question in questions)
        return [*map(self._answer, questions)]

    def assess(
        self, conversation: Conversation, message: Message, sensitivity: Sensitivity
    ) -> tuple[Assessment, Assessment]:
        """Hear one message and take it in; return how the conversation reads now, as a threat and as a disclosure."""
        (heard,) = self.hear([message])
        self._take(conversation, message, heard)
        exchange = conversation.exchange(message.author)
        self._read_unread([exchange])
        question = Question(message, conversation, exchange, sensitivity)
        return self._assessed(question, *self._reached(question))

    def forget_despair(self, conversation: Conversation, account: Account) -> None:
        """Let no line of an account show despair any more; only a new one will."""
        for line in conversation.lines:
            if line.author == account and len(line.scores):
                line.scores[_DISTRESS] = 0.0

    def _take(self, conversation: Conversation, message: Message, heard: Heard) -> bool:
        """Take a message in; return whether anything that its author wrote of late may matter."""
        line = conversation.add(message, heard.words)
        if heard.begun is not None:
            self._end([line], [heard.words], heard.begun[np.newaxis])
            if any(line.scores.item(column) >= least for column, least in _LEAST):
                conversation.note(line)
        if line.earlier and conversation.noted(line.author):
            self._take_nothing_back(conversation, line)
        line.earlier = None
        return conversation.noted(line.author)

    def _answer(self, question: Question) -> Answer | None:
        scores, reached = self._reached(question)
        if not (question.thorough or any(reached.values()) or _despairs(question.exchange, question.message.author)):
            return None
        threat, disclosure = self._assessed(question, scores, reached)
        return Answer(threat, disclosure, self._behind(question) if disclosure.crisis else ())

    def _behind(self, question: Question) -> list[Assessment]:
        """Return the threats aimed at the author of the message, for when they despair."""
        message, conversation = question.message, question.conversation
        found = []
        for sender in dict.fromkeys(line.author for line in question.exchange.theirs if line.noted):
            exchange = conversation.exchange(sender)
            if exchange.mine:
                self._read_unread([exchange])
                said = replace(message, id=exchange.mine[0].message_id, author=sender)
                about = question._replace(message=said, exchange=exchange)
                threat, _ = self._assessed(about, *self._reached(about))
                if threat.level and threat.target == message.author:
                    found.append(threat)
        return found

    def _reached(self, question: Question) -> tuple[dict[Kind, float], dict[Kind, Level]]:
        """Return the scores, and the levels that they reach by themselves, where all lines are read."""
        exchange = question.exchange
        totals = self.model.totals(exchange, question.conversation.latest_at)
        group = self.model.group(exchange)
        scores = {kind: self.model.scales[kind](total) for kind, total in totals.items()}
        reached = {
            kind: self.model.thresholds[kind][question.sensitivity][group]
            .moved(question.shift.get(kind, 0.0))
            .level(score)
            for kind, score in scores.items()
        }
        return scores, reached

    def _assessed(
        self, question: Question, scores: Mapping[Kind, float], reached: Mapping[Kind, Level]
    ) -> tuple[Assessment, Assessment]:
        message, conversation, exchange = question.message, question.conversation, question.exchange
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
        if not len(line.scores):
            self._read_lines([line])

    def _read_unread(self, exchanges: Iterable[Exchange]) -> None:
        """Read those lines that were not read yet, all at once."""
        lines = chain.from_iterable(
            (*one.mine, *one.theirs) if one.mine or one.theirs else (one.latest,) for one in exchanges
        )
        unread = {id(line): line for line in lines if not len(line.scores)}
        self._read_lines([*unread.values()])

    def _read_lines(self, lines: Sequence[Line]) -> None:
        heard = [words(line.excerpt) for line in lines]
        self._end(lines, heard, self.reader.begin(heard))

    def _end(self, lines: Sequence[Line], heard: Sequence[list[str]], begun: Floats) -> None:
        """Read lines of these words, of which that much is read."""
        readings = self.reader.end(begun, heard, [line.before for line in lines])
        for line, said, (features, scores) in zip(lines, heard, readings, strict=True):
            if shows_despair(said):
                scores[_DISTRESS] = 1.0
            line.features, line.scores = features, scores

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
        line = max(written, key=lambda line: line.scores.item(column), default=None)
        if line and (probability := line.scores.item(column)) >= _MENTIONED:
            seen = Evidence(marker, line.message_id, probability, line.excerpt, at=line.at, channel=channel)
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
