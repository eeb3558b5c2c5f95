"""What anybody may ask of Haven for themselves: a check, a choice, their data, help from the moderators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

import msgspec

from bot.advice import Finding
from bot.case import Case
from bot.guard import Guard
from bot.linker import Linker
from bot.memory import Memory
from bot.policies import Policies
from bot.rulings import REPORT_LENGTH, disclaim, report, started
from bot.store import Store
from classifiers.assessment import Assessment, Evidence, Kind, Level, Marker, Sensitivity
from classifiers.classifier import COERCIVE, Classifier
from classifiers.conversation import Account, Message, cut
from classifiers.despair import shows_despair
from classifiers.errors import InputError
from classifiers.exchange import Conversation
from classifiers.words import words

_CHECKS = 1_000  # people whose last checks are held in memory
_ONE_CONVERSATION = timedelta(hours=1)  # checks within it are read together
_REPORTS_AN_HOUR = 3  # of one person
_CALLS_AN_HOUR = 5  # of a role, because of reports in one space
_HINT = 0.25
_TELLING = 0.1  # of a threat to share
_SOMEBODY = "somebody"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a private check came to, with the evidence for it."""

    finding: Finding
    evidence: tuple[Evidence, ...]
    crisis: bool


class NotSetUpError(InputError):
    """Nobody can be told, because the moderators have set no alert channel."""


class TooManyReportsError(InputError):
    """The moderators have this person's reports already."""


class People:
    """Serves one person at a time, in private; what is checked is held in memory for an hour and never written."""

    def __init__(
        self,
        classifier: Classifier,
        store: Store,
        guard: Guard,
        linker: Linker,
        policies: Policies,
        clock: Callable[[], datetime],
    ) -> None:
        self._classifier = classifier
        self._store = store
        self._guard = guard
        self._linker = linker
        self._policies = policies
        self._clock = clock
        self._checks = Memory(2 * _CHECKS, _ONE_CONVERSATION)
        self._lock = Lock()

    def check(self, person: Account, text: str, key: str, author: Account | None = None) -> Verdict:
        """Read what somebody shows: written by `author`, who may be themselves, or (None) by who knows whom.

        Checks of one person within an hour are read as one conversation, and each by itself, so that what was shown
        before never makes less of it; `key` is the platform's id of what is shown.
        """
        now = self._clock()
        theirs = author or Account(person.platform, _SOMEBODY)
        readings = []
        with self._lock:
            for kind, speaker in ((Kind.THREAT, theirs), (Kind.DISCLOSURE, author or person)):
                channel = f"{person.platform} {person.id}"
                to = () if speaker == person else (person,)
                message = Message(key, kind, channel, speaker, text, now, to)
                for conversation in (self._checks.conversation(kind, channel, now), Conversation(now)):
                    read = self._classifier.assess(conversation, message, Sensitivity.HIGH)
                    readings.append(read[kind is not Kind.THREAT])
        found = max(readings, key=lambda reading: (reading.level, reading.score))
        return Verdict(_finding(found), found.evidence, shows_despair(words(cut(text))))

    def expire(self) -> None:
        """Drop what was checked more than an hour ago."""
        with self._lock:
            self._checks.expire(self._clock())

    def protect(self, person: Account, *, on: bool) -> None:
        """Keep whether the person wants private warnings."""
        self._store.choose(person, opted_in=on)

    def protected(self, person: Account) -> bool | None:
        """Return what the person chose, None when they have not."""
        return self._store.recipient(person).opted_in

    def started(self, person: Account) -> None:
        """Send the latest warning that waited until the person opened a chat with Haven, while its case is young."""
        now, sent = self._clock(), False
        with self._store.transaction():
            recipient = self._store.recipient(person)
            for before in reversed(self._store.cases_naming(person)):
                if now - before.seen_at <= self._policies.of(before.space).incident_gap:
                    case, effects = started(before, person, recipient, sent=sent)
                    if case != before:
                        self._store.record(case, effects, now.timestamp())
                        sent = True

    def disclaim(self, person: Account, case_id: str) -> None:
        """Note that a warning was not about the person who got it; nothing when the case is gone or not theirs."""
        with self._store.transaction():
            case = self._store.case_of(case_id)
            if case and any(target.account == person for target in case.targets):
                case, effects = disclaim(case, person)
                self._store.record(case, effects, self._clock().timestamp())

    def report(
        self, person: Account, text: str, accused: Account | None, *, space: str, channel: str, key: str
    ) -> Case:
        """Tell the moderators of a space in private; NotSetUpError, or TooManyReportsError after three in an hour."""
        policy = self._policies.of(space)
        if not self._policies.reaches_moderators(space):
            raise NotSetUpError("the moderators have set no alert channel")
        now = self._clock()
        with self._store.transaction():
            since = now - timedelta(hours=1)
            reports = [case for case in self._store.cases_since(space, since) if case.reported]
            if len(reports) >= _CALLS_AN_HOUR:
                policy = replace(policy, page=None)  # the report comes, and calls nobody
            if sum(case.about == person for case in reports) >= _REPORTS_AN_HOUR:
                raise TooManyReportsError("the moderators have three reports of the last hour")
            crisis = shows_despair(words(cut(text)))
            case, effects = report(
                person, text, accused, space=space, channel=channel, key=key, at=now, policy=policy, crisis=crisis
            )
            case, effects = self._linker.link(case, effects, [text[:REPORT_LENGTH]], now.timestamp())
            self._store.record(case, effects, now.timestamp())
        return case

    def export(self, person: Account) -> bytes:
        """Return as JSON what is kept about the person; it never says whether others hold them to threaten anybody."""
        recipient = self._store.recipient(person)
        cases = [case for case in self._store.cases_naming(person) if _is_theirs(case, person)]
        held = {
            "account": msgspec.to_builtins(person),
            "private_messages": {None: "not chosen", True: "on", False: "off"}[recipient.opted_in],
            "last_written_to": recipient.advised_at,
            "cases": [
                {
                    "case": case.id,
                    "kind": case.kind,
                    "community": case.space,
                    "opened": case.opened_at,
                    "last_seen": case.seen_at,
                    "warning": [t.advice for t in case.targets if t.account == person],
                    "your_words": [e.excerpt for e in case.evidence] if case.about == person else [],
                }
                for case in cases
            ],
        }
        return msgspec.json.format(msgspec.json.encode(held), indent=2)

    def forget(self, person: Account) -> int | None:
        """Erase everything about the person, here and in the database; return how many cases lost content.

        None where nothing was there.
        """
        channel = f"{person.platform} {person.id}"
        with self._lock:
            checked = self._checks.holds(person)
            self._checks.drop(channel=channel)
        return self._guard.forget(person) if checked or self._guard.holds(person) else None

    def delete(self, person: Account) -> int:
        """Erase what is kept about the person; return how many cases lost content.

        Cases in which others hold them to threaten somebody stay until their time, so that nobody can erase the
        traces of a crime; their choice about warnings stays, so that it stays respected.
        """
        with self._lock:
            self._checks.drop(channel=f"{person.platform} {person.id}")
        return self._guard.forget(person, own=True)


def _finding(found: Assessment) -> Finding:
    """Return what a reading means to somebody who asked: they have a reason to, so that a hint is enough for a sign."""
    if found.level >= Level.NOTICE and found.kind is Kind.DISCLOSURE:
        return Finding.TOLD
    if found.level >= Level.ALERT:
        return Finding.BLACKMAIL
    seen = {evidence.marker: evidence.probability for evidence in found.evidence}
    hints = [marker for marker in COERCIVE if seen.get(marker, 0) >= _HINT]
    telling = seen.get(Marker.SHARE_THREAT, 0) >= _TELLING or Marker.CONTACTS_THREAT in hints or len(hints) > 1
    return Finding.SIGNS if found.level or telling else Finding.NOTHING


def _is_theirs(case: Case, person: Account) -> bool:
    return case.about == person if case.kind is Kind.DISCLOSURE else case.about != person
