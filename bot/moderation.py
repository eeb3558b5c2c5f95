"""What the moderators of a space may do about its cases; every act leaves a line in the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.case import Case, view
from bot.effects import Act, Effect, Ruling
from bot.linker import Linker
from bot.policies import Policies
from bot.records import Records
from bot.redaction import is_emptied
from bot.rulings import acted, advise, rule
from bot.store import Store
from classifiers.assessment import Level
from classifiers.conversation import Account
from classifiers.errors import InputError

NOTE_LENGTH = 1000
_MOST = 500
_OF_RULING = {Ruling.CONFIRMED: Act.CONFIRMED, Ruling.NOT_SEXTORTION: Act.NOT_SEXTORTION}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing in the history of a case: what happened and, of a moderator's act, who did it and what they added."""

    at: datetime
    what: str
    actor: Account | None = None
    note: str = ""


class RefusedError(InputError):
    """What somebody asked for cannot be done; the text is written for them."""


class NothingToSendError(RefusedError):
    """The person was written to, cannot be, or is the one who threatens."""


class Moderation:
    """Acts on the cases of one space at a time; a case of another space does not exist here (RefusedError)."""

    def __init__(
        self,
        store: Store,
        records: Records,
        linker: Linker,
        policies: Policies,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._records = records
        self._linker = linker
        self._policies = policies
        self._clock = clock

    def case(self, space: str, id: str, actor: Account | None = None) -> Case:
        """Return a case of the space; to an `actor` only one in which nobody holds them to threaten somebody."""
        case = self._store.case_of(id)
        if case is None or case.space != space or is_emptied(case):
            raise RefusedError(f"there is no case {id!r} here")
        if actor and actor in (view(case).sender, case.accused):
            raise RefusedError("this case is about you: another moderator has to look at it")
        return case

    def cases(self, space: str, *, open_only: bool = False, actor: Account | None = None) -> list[Case]:
        """Return the latest 500 that moderators were told of, the last first; `open_only`: that nobody has ruled on.

        An `actor` is not shown in which cases they are held to threaten somebody.
        """

        def shown(case: Case) -> bool:
            accused = actor is not None and actor in (view(case).sender, case.accused)
            return case.level >= Level.ALERT and not (accused or is_emptied(case) or (open_only and case.ruling))

        return self._store.latest_cases(space, _MOST, shown)

    def rule(self, space: str, id: str, ruling: Ruling, actor: Account) -> Case:
        """Record a judgement; the score of the case counts for the thresholds of the space."""
        with self._store.transaction():
            case = self._rule(space, id, ruling, actor, counts=True)
        self._policies.ruled(space)
        return case

    def rule_all(self, space: str, id: str, ruling: Ruling, actor: Account) -> int:
        """Record a judgement of every case that an alert stands for, and return how many.

        One script is one lesson: only the case of the alert counts for the thresholds. Cases about the actor are left.
        """
        with self._store.transaction():
            case = self._rule(space, id, ruling, actor, counts=True)
            done = 1
            for other in self._linker.raid(case):
                with suppress(RefusedError):
                    if other != id:
                        self._rule(space, other, ruling, actor, counts=False)
                        done += 1
        self._policies.ruled(space)
        return done

    def advise(self, space: str, id: str, account: Account, actor: Account) -> Case:
        """Record the wish that a target be warned; RefusedError when there is nothing to send."""

        def fold(case: Case) -> tuple[Case, tuple[Effect, ...]]:
            if case.ruling is Ruling.NOT_SEXTORTION:
                raise RefusedError("this case was ruled not to be sextortion: confirm it first")
            now, effects = advise(case, account, self._store.recipient(account))
            if now == case:
                held = {target.account: target.advice for target in case.targets}
                raise NothingToSendError(
                    f"nothing to send to {account.id!r}: {held.get(account, 'not a target of this case')}"
                )
            return now, effects

        return self._do(space, id, Act.ADVISED, actor, fold)

    def act(self, space: str, id: str, act: Act, actor: Account, note: str = "") -> Case:
        """Record what a moderator did on the platform, or a note of at most 1,000 characters."""
        return self._do(space, id, act, actor, lambda case: acted(case, act), note[:NOTE_LENGTH])

    def attempt(self, space: str, id: str, act: Act, actor: Account) -> Case:
        """Note in the audit trail what a moderator is about to do on the platform; `act` follows once it is done."""
        return self._do(space, id, f"{act}?", actor, lambda case: (case, ()))

    def history(self, space: str, id: str) -> list[Event]:
        """Return everything that happened to a case, the oldest first."""
        case = self.case(space, id)
        events = [Event(case.opened_at, "opened")]
        events += [
            Event(
                datetime.fromtimestamp(done.at, UTC), " ".join(filter(None, (done.effect, done.outcome, done.detail)))
            )
            for done in self._store.settled(id)
        ]
        events += [
            Event(datetime.fromtimestamp(entry.at, UTC), entry.act, entry.actor, entry.note)
            for entry in self._records.trail(space, id)
        ]
        return sorted(events, key=lambda event: event.at)

    def _rule(self, space: str, id: str, ruling: Ruling, actor: Account, *, counts: bool) -> Case:
        case = self._do(space, id, _OF_RULING[ruling], actor, lambda case: rule(case, ruling))
        self._linker.ruled(case, ruling, self._clock().timestamp(), counts=counts)
        return case

    def _do(
        self,
        space: str,
        id: str,
        act: str,
        actor: Account,
        fold: Callable[[Case], tuple[Case, tuple[Effect, ...]]],
        note: str = "",
    ) -> Case:
        now = self._clock().timestamp()
        with self._store.transaction():
            case, effects = fold(self.case(space, id, actor))
            self._store.record(case, effects, now)
            self._records.note(space, id, actor, act, note, now)
        return case
