"""What Haven would have done in a recorded conversation, along the path that live chat takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from bot.app import now
from bot.archives import Entry
from bot.case import Case
from bot.effects import Advice, AdviseTarget, AlertModerators
from bot.guard import Decision, Guard
from bot.memory import Memory
from bot.policy import Policy
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.assessment import Kind, Level, Marker, Sensitivity
from classifiers.classifier import Classifier
from classifiers.conversation import Account
from classifiers.errors import InputError

_CHANNELS = 8
VERDICTS = {Kind.THREAT: "sextortion", Kind.DISCLOSURE: "disclosure"}


@dataclass(slots=True)
class Seen:
    """A marker in the message at a 0-based position of the conversation."""

    message: int
    marker: Marker
    score: float
    excerpt: str


@dataclass(slots=True)
class Report:
    """What would have happened in one conversation; positions are 0-based, names as in the export.

    `scores` has the highest score of each kind, `score` that of the kind that was told or else the higher one. `spoken`
    counts the messages that have text.
    """

    conversation: str
    messages: int = 0
    spoken: int = 0
    kind: Kind | None = None
    level: Level = Level.NONE
    score: float = 0.0
    scores: dict[Kind, float] = field(default_factory=dict)
    first_alert: int | None = None
    first_advice: int | None = None
    sender: str | None = None
    target: str | None = None
    crisis: bool = False
    markers: dict[Marker, float] = field(default_factory=dict)
    evidence: list[Seen] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """What the moderators would have been told: "none" below the level of an alert."""
        return VERDICTS[self.kind] if self.kind and self.level >= Level.ALERT else "none"

    def as_json(self) -> dict[str, object]:
        """Return the report in the form of the contract of `haven scan --json`."""
        return {
            "conversation": self.conversation,
            "verdict": self.verdict,
            "level": self.level.name.lower(),
            "score": round(self.score, 4),
            "first_alert": self.first_alert,
            "first_advice": self.first_advice,
            "sender": self.sender,
            "target": self.target,
            "crisis": self.crisis,
            "markers": {marker: round(score, 4) for marker, score in self.markers.items()},
            "evidence": [
                {"message": seen.message, "marker": seen.marker, "score": round(seen.score, 4)}
                for seen in self.evidence
            ],
        }


class Scanner:
    """Reads conversations one after the other, each as if Haven had just started."""

    def __init__(self, classifier: Classifier, sensitivity: Sensitivity) -> None:
        self._classifier = classifier
        self._policy = Policy(sensitivity=sensitivity)

    def scan(self, conversation: str, entries: Iterable[Entry]) -> tuple[Report, InputError | None]:
        """Read a conversation to its end or its first fault, in bounded memory, and report on what was read."""
        report = Report(conversation)
        reading = _Reading(report)
        memory = Memory(max_conversations=_CHANNELS, max_age=timedelta(days=7))
        store = Store(None, one_time_seal())
        guard = Guard(self._classifier, memory, store, lambda _: self._policy, now, thorough=True)
        fault = None
        try:
            for entry in entries:
                reading.open(entry)
                for decision in guard.receive([entry.message]):
                    reading.take(decision)
                report.messages += 1
                report.spoken += bool(entry.message.text)
        except InputError as error:
            fault = error
        finally:
            store.close()
        reading.close()
        return report, fault


class _Reading:
    """Folds the decisions about one conversation into its report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._names: dict[Account, str] = {}
        self._highest = dict.fromkeys(Kind, 0.0)
        self._case: Case | None = None
        self._first_alerts: dict[str, int] = {}
        self._first_advice: dict[str, int] = {}

    def open(self, entry: Entry) -> None:
        self._names[entry.message.author] = entry.name

    def take(self, decision: Decision) -> None:
        found, case, report = decision.found, decision.case, self._report
        self._highest[found.kind] = max(self._highest[found.kind], found.score)
        for seen in found.evidence:
            report.markers[seen.marker] = max(report.markers.get(seen.marker, 0.0), seen.probability)
        for effect in decision.effects:
            if isinstance(effect, AlertModerators):
                self._first_alerts.setdefault(effect.alert.case, report.messages)
            if isinstance(effect, AdviseTarget):
                self._first_advice.setdefault(effect.case, report.messages)
        if case is None:
            return
        report.crisis = report.crisis or case.crisis
        if self._case is None or case.id == self._case.id or _rank(case) > _rank(self._case):
            self._case = case

    def close(self) -> None:
        report, case = self._report, self._case
        report.scores = self._highest
        report.score = max(self._highest.values())
        if case is None:
            return
        report.kind, report.level, report.score = case.kind, case.level, self._highest[case.kind]
        report.first_alert = self._first_alerts.get(case.id)
        report.first_advice = self._first_advice.get(case.id)
        if case.kind is Kind.THREAT:
            report.sender = self._names[case.about]
        if case.targets:
            account = max(case.targets, key=lambda target: target.advice is Advice.PENDING).account
            report.target = self._names.get(account, account.id)
        elif case.likely:
            report.target = self._names.get(case.likely, case.likely.id)
        report.evidence = [
            Seen(int(seen.message_id), seen.marker, seen.probability, seen.excerpt) for seen in case.evidence
        ]


def _rank(case: Case) -> tuple[int, bool]:
    return case.level, case.kind is Kind.THREAT
