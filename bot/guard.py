"""A message's journey: read it in its conversation, decide, and record the decision before anything is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from bot.case import Case, decide, despair
from bot.effects import Advice, AdviseTarget, Effect, Ruling
from bot.linker import Linker
from bot.memory import Memory
from bot.policy import Policy, Recipient
from bot.store import Store
from classifiers.assessment import Assessment, Kind, Level
from classifiers.classifier import Classifier, Heard, Question
from classifiers.conversation import Account, Message
from classifiers.errors import InputError
from classifiers.exchange import Conversation

_SOON = timedelta(hours=1)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Decision:
    """What one reading of one message led to; `case` is None when there was nothing to record."""

    found: Assessment
    case: Case | None
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a message may have to be recorded for: how its conversation read, and what stood there then.

    `behind` are the threats that are aimed at its author, where they despair.
    """

    message: Message
    policy: Policy
    threat: Assessment
    disclosure: Assessment
    behind: Sequence[Assessment]
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class Unread:
    """A message that could not be read, and what kept it from that."""

    message: Message
    error: Exception


class _Asked(NamedTuple):
    question: Question
    policy: Policy


class Guard:
    """Turns messages into recorded effects; somebody else performs them. It may be called from any thread.

    With `thorough`, also messages that cannot matter are assessed, and what there is of them returned. `levels` counts
    messages by platform and the highest level that they led to, `heard_at` has the time of the last.
    """

    def __init__(
        self,
        classifier: Classifier,
        memory: Memory,
        store: Store,
        policy_of: Callable[[str], Policy],
        clock: Callable[[], datetime],
        linker: Linker | None = None,
        *,
        thorough: bool = False,
    ) -> None:
        self._thorough = thorough
        self._classifier = classifier
        self._memory = memory
        self._store = store
        self._policy_of = policy_of
        self._clock = clock
        self._linker = linker
        self._lock = Lock()
        self.levels: Counter[tuple[str, Level]] = Counter()
        self.heard_at: dict[str, datetime] = {}

    def receive(self, messages: Sequence[Message]) -> list[Decision]:
        """Read messages (or edits, which carry a known id) in order and record what each reading led to; return it.

        Where one cannot be read, what kept it from that is raised.
        """
        found = self.read(messages)
        for one in found:
            if isinstance(one, Unread):
                raise one.error
        return self.record([one for one in found if isinstance(one, Finding)])

    def read(self, messages: Sequence[Message]) -> list[Finding | Unread]:
        """Read messages in order; return what may have to be recorded, in that order, and which could not be read.

        One that cannot be read costs no other. InputError when the database cannot be used.
        """
        with self._lock:
            heard = _each(self._classifier.hear, messages)
            asked = [_tried(self._take, *one) for one in zip(messages, heard, strict=True)]
            questions = [one for one in asked if isinstance(one, _Asked)]
            answers = _each(self._classifier.answer, [one.question for one in questions])
            found: list[Finding | Unread] = [
                Unread(message, one) for message, one in zip(messages, asked, strict=True) if isinstance(one, Exception)
            ]
            for (question, policy), answer in zip(questions, answers, strict=True):
                if isinstance(answer, Exception):
                    found.append(Unread(question.message, answer))
                elif answer:
                    found.append(Finding(question.message, policy, *answer, question.conversation))
            nothing = Counter(message.author.platform for message in messages)
            nothing.subtract(one.message.author.platform for one in found)
            for platform, count in (+nothing).items():
                self.levels[platform, Level.NONE] += count
            return found

    def record(self, findings: Sequence[Finding]) -> list[Decision]:
        """Decide on what was found and record it, all in one transaction; return what each reading led to."""
        if not findings:
            return []
        with self._store.transaction():
            decided = [self._record(finding) for finding in findings]
        with self._lock:
            for finding, decisions in zip(findings, decided, strict=True):
                highest = max((decision.found.level for decision in decisions), default=Level.NONE)
                self.levels[finding.message.author.platform, highest] += 1
                self._hold(finding, decisions)
        return [*chain.from_iterable(decided)]

    @property
    def conversations(self) -> tuple[int, int]:
        """How many conversations are in memory, and how many of them are those of live cases."""
        return len(self._memory), self._memory.held

    def holds(self, account: Account) -> bool:
        """Return whether there is anything about an account, here or in the database."""
        with self._lock:
            return self._memory.holds(account) or self._store.holds(account)

    def forget(self, account: Account, *, own: bool = False) -> int:
        """Erase everything about an account, here and in the database; return how many cases lost content.

        With `own` the account itself asked: then cases in which it threatens somebody stay, and the lines in memory, so
        that nobody can make Haven forget a threat while they make it; but these no longer show despair.
        """
        with self._lock:
            if own:
                for conversation in self._memory.conversations:
                    self._classifier.forget_despair(conversation, account)
            else:
                self._memory.forget(account)
        return self._store.forget(account, self._clock().timestamp(), own=own)

    def expire(self) -> None:
        """Drop conversations that are past their age."""
        with self._lock:
            self._memory.expire(self._clock())

    def leave(self, space: str) -> int:
        """Erase everything about a space, here and in the database; return how many cases went."""
        with self._lock:
            self._memory.drop(space=space)
        return self._store.leave(space, self._clock().timestamp())

    def move(self, space: str, to: str) -> None:
        """Keep cases and settings of a space that its platform gave another id."""
        with self._lock:
            self._memory.drop(space=space)
        self._store.move(space, to)

    def _take(self, message: Message, heard: Heard | Exception) -> _Asked | None:
        if isinstance(heard, Exception):
            raise heard
        self.heard_at[message.author.platform] = message.sent_at
        policy = self._policy_of(message.space)
        now = min(message.sent_at, self._clock())
        conversation = self._memory.conversation(message.space, message.channel, now)
        question = self._classifier.take(
            conversation, message, heard, policy.sensitivity, policy.shift, thorough=self._thorough
        )
        return _Asked(question, policy) if question else None

    def _record(self, finding: Finding) -> list[Decision]:
        decisions = [self._folded(finding, found) for found in one_reading(finding.threat, finding.disclosure)]
        if finding.disclosure.crisis:
            unknown = [found for found in finding.behind if not self._alerted(found.sender, found, finding.policy)]
            decisions += [self._folded(finding, found) for found in unknown]
            decisions += self._despair(finding, decisions)
        return decisions

    def _folded(self, finding: Finding, found: Assessment) -> Decision:
        """Fold into its case one thing that was found, and record what follows."""
        about = found.sender or found.target
        if not found.level or about is None:
            return Decision(found, None, ())
        found = self._without_accused(found, finding.policy)
        before = self._store.case(found.space, about, found.kind)
        recipient = self._store.recipient(found.target) if found.target else Recipient()
        if found.level >= Level.ALERT:
            explained = [seen.marker for seen in before.evidence if seen.carried] if before else []
            found = self._classifier.explain(finding.conversation, found, explained)
        case, effects = decide(before, found, finding.policy, recipient)
        if case and case != before:
            at = self._clock().timestamp()
            if self._linker:
                lines = _written(finding.conversation, finding.message, about)
                case, effects = self._linker.link(case, effects, lines, at)
            self._store.record(case, effects, at)
        return Decision(found, case, effects)

    def _hold(self, finding: Finding, decisions: Iterable[Decision]) -> None:
        """Keep in memory the conversation of a live case."""
        for case in (decision.case for decision in decisions):
            if case and case.level >= Level.ALERT and case.ruling is not Ruling.NOT_SEXTORTION:
                until = case.seen_at + finding.policy.incident_gap
                self._memory.hold(finding.message.space, finding.message.channel, until)

    def _despair(self, finding: Finding, decided: Iterable[Decision]) -> list[Decision]:
        """Fold despair into every case that concerns its author, who hears of it once."""
        message, found, policy = finding.message, finding.disclosure, finding.policy
        decisions = []
        recipient = self._store.recipient(message.author)
        sent = chain.from_iterable(decision.effects for decision in decided)
        written = any(isinstance(one, AdviseTarget) and one.target == message.author for one in sent)
        for before in self._concerned(message, policy):
            case, effects = despair(before, message.author, recipient)
            if written:  # once is enough, however many cases are about them
                effects = tuple(effect for effect in effects if not isinstance(effect, AdviseTarget))
            written = written or any(isinstance(effect, AdviseTarget) for effect in effects)
            if case != before:
                self._store.record(case, effects, self._clock().timestamp())
                decisions.append(Decision(found, case, effects))
        return decisions

    def _concerned(self, message: Message, policy: Policy) -> list[Case]:
        """Return the live cases to which despair belongs, the longest silent one first."""
        since = message.sent_at - policy.incident_gap
        naming = self._store.cases_naming(message.author)
        near = [case for case in naming if case.space == message.space and case.seen_at >= since]
        near += self._store.cases_since(message.space, max(since, message.sent_at - _SOON))
        concerned = {case.id: case for case in near if _concerns(case, message)}
        return sorted(concerned.values(), key=lambda case: case.seen_at)

    def _without_accused(self, found: Assessment, policy: Policy) -> Assessment:
        """Hold back what would write to, or plead for, an account that is itself held to threaten somebody."""
        case = self._alerted(found.target, found, policy)
        if case is None or case.ruling is Ruling.NOT_SEXTORTION:
            return found
        highest = Level.NOTICE if found.kind is Kind.DISCLOSURE else Level.ALERT
        return replace(found, level=min(found.level, highest))

    def _alerted(self, account: Account | None, found: Assessment, policy: Policy) -> Case | None:
        """Return the live case of an account that threatens, if the moderators were told of it."""
        case = self._store.case(found.space, account, Kind.THREAT) if account else None
        if case is None or case.level < Level.ALERT or found.at - case.seen_at > policy.incident_gap:
            return None
        return case


def _tried(step: Callable[..., _T], *what: Any) -> _T | Exception:
    """Take a step and return its result or what it raised: what somebody writes must not stop the reading of others."""
    try:
        return step(*what)
    except InputError:
        raise  # the database
    except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
        return error


def _each(step: Callable[[Sequence[Any]], list[_T]], batch: Sequence[Any]) -> Sequence[_T | Exception]:
    """Take a step with everything or, where that fails, with each by itself; return the results, or what it raised."""
    done = _tried(step, batch)
    if not isinstance(done, Exception):
        return done
    return [done] if len(batch) == 1 else [_each(step, [one])[0] for one in batch]


def _written(conversation: Conversation, message: Message, author: Account) -> list[str]:
    """Return what somebody wrote of late: the beginning of each line, and all of the last; nothing forwarded."""
    lines = [line.excerpt for line in conversation.lines if line.author == author]
    return lines if message.forwarded or message.author != author else [*lines, message.text]


def _concerns(case: Case, message: Message) -> bool:
    """Return whether despair belongs to a case: its target's or, where none is clear, anybody's soon after the threat.

    Who only became a target by despair makes none clear: it may be an accomplice of the sender.
    """
    if any(target.account == message.author for target in case.targets):
        return True
    despairing = (case.despairing, *case.also_despairing)
    return (
        all(target.advice is Advice.UNSURE and target.account in despairing for target in case.targets)
        and case.kind is Kind.THREAT
        and case.level >= Level.ALERT
        and case.about != message.author
        and case.channel == message.channel
        and message.sent_at - case.seen_at <= _SOON
    )


def one_reading(threat: Assessment, disclosure: Assessment) -> tuple[Assessment, Assessment]:
    """Where both kinds are seen in one speaker's lines, let the likelier stand and never write to a likely sender."""
    if not (threat.level and disclosure.level):
        return threat, disclosure
    if threat.score >= disclosure.score:
        if threat.level >= Level.ALERT:
            disclosure = replace(disclosure, level=Level.NOTICE)
    elif disclosure.level >= Level.ALERT:
        threat = replace(threat, level=Level.NOTICE)
    return threat, replace(disclosure, level=min(disclosure.level, Level.ALERT))
