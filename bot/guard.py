"""A message's journey: read it in its conversation, decide, and record the decision before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from bot.case import Case, Policy, Recipient, advise, decide, rule
from bot.effects import Effect, Ruling
from bot.memory import Memory
from bot.store import Store
from classifiers.assessment import Assessment, Kind, Level
from classifiers.classifier import Classifier
from classifiers.conversation import Account, Message
from classifiers.errors import InputError


@dataclass(frozen=True, slots=True)
class Decision:
    """What one reading of one message led to; `case` is None when there was nothing to record."""

    found: Assessment
    case: Case | None
    effects: tuple[Effect, ...]


class Guard:
    """Turns messages and moderators' acts into recorded effects; somebody else performs them."""

    def __init__(
        self,
        classifier: Classifier,
        memory: Memory,
        store: Store,
        policy_of: Callable[[str], Policy],
        clock: Callable[[], datetime],
    ) -> None:
        self._classifier = classifier
        self._memory = memory
        self._store = store
        self._policy_of = policy_of
        self._clock = clock

    def receive(self, messages: Iterable[Message]) -> list[Decision]:
        """Read messages (or edits, which carry a known id) in order; return what each reading led to."""
        return [decision for message in messages for decision in self._receive(message)]

    def rule(self, case_id: str, ruling: Ruling) -> Case:
        """Record a moderator's judgement; InputError when there is no such case."""
        return self._act(case_id, lambda case: rule(case, ruling))

    def advise(self, case_id: str, account: Account) -> Case:
        """Record a moderator's wish that the target be warned; InputError when there is no such case."""
        return self._act(case_id, lambda case: advise(case, account, self._store.recipient(account)))

    def forget(self, account: Account) -> int:
        """Erase everything about an account, here and in the database; return how many cases lost content."""
        self._memory.forget(account)
        return self._store.forget(account)

    def _receive(self, message: Message) -> Iterable[Decision]:
        policy = self._policy_of(message.space)
        conversation = self._memory.conversation(message.space, message.channel, message.sent_at)
        for found in _weighed(*self._classifier.assess(conversation, message, policy.sensitivity)):
            about = found.sender or found.target
            if not found.level or about is None:
                yield Decision(found, None, ())
                continue
            with self._store.transaction():
                if found.kind is Kind.DISCLOSURE and self._accused(found.space, about):
                    found = replace(found, level=Level.NOTICE)
                before = self._store.case(found.space, about, found.kind)
                recipient = self._store.recipient(found.target) if found.target else Recipient()
                case, effects = decide(before, found, policy, recipient)
                if case and case != before:
                    self._store.record(case, effects, self._clock().timestamp())
            yield Decision(found, case, effects)

    def _accused(self, space: str, account: Account) -> bool:
        """Return whether moderators have been told that the account threatens somebody, and did not deny it."""
        case = self._store.case(space, account, Kind.THREAT)
        return case is not None and case.level >= Level.ALERT and case.ruling is not Ruling.NOT_SEXTORTION

    def _act(self, case_id: str, fold: Callable[[Case], tuple[Case, tuple[Effect, ...]]]) -> Case:
        with self._store.transaction():
            case = self._store.case_of(case_id)
            if case is None:
                raise InputError(f"there is no case {case_id!r}")
            case, effects = fold(case)
            self._store.record(case, effects, self._clock().timestamp())
        return case


def _weighed(threat: Assessment, disclosure: Assessment) -> tuple[Assessment, Assessment]:
    """Where both kinds are seen in one speaker's lines, hold the less likely at a notice."""
    if threat.level and disclosure.level:
        if threat.score >= disclosure.score:
            disclosure = replace(disclosure, level=Level.NOTICE)
        else:
            threat = replace(threat, level=Level.NOTICE)
    return threat, disclosure
