"""What each space wants, from the settings file and from what its moderators chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from bot.config import Config, check_choice
from bot.feedback import RULINGS, shift
from bot.ledger import Ledger
from bot.policy import AdviceBy, Mode, Policy, owner_of
from bot.records import Records
from classifiers.assessment import Kind
from classifiers.conversation import Account

_CACHED = 10_000
SET_UP = "set_up"
_ANEW = "moderators' rulings count anew"


class Policies:
    """The policy of every space, with thresholds as the rulings in the `ledger` have moved them.

    With `needs_channel`, a space without an alert channel is only observed, whatever else it wants.
    """

    def __init__(
        self, config: Config, records: Records, ledger: Ledger | None = None, *, needs_channel: bool = False
    ) -> None:
        self._config = config
        self._records = records
        self._ledger = ledger
        self._needs_channel = needs_channel
        self._cached = lru_cache(maxsize=_CACHED)(self._read)
        self._version = 0
        self._versions: dict[str, int] = {}  # of spaces in which somebody ruled since the start
        self._alerting = self._read_alerting()

    def of(self, space: str) -> Policy:
        """Return the policy of a space."""
        return self._cached(space, (self._version, self._versions.get(space, 0)))

    def reaches_moderators(self, space: str) -> bool:
        """Return whether there is a place where the moderators of a space read."""
        return not self._needs_channel or self.of(space).alert_channel is not None

    def wanted(self, space: str) -> Policy:
        """Return what a space wants, whether or not it has an alert channel yet."""
        return self._moved(self._config.policy_of(space, self._records.settings(space)), space)

    def alerting(self, channel: str) -> list[str]:
        """Return the spaces whose moderators read in a channel."""
        return self._alerting.get(channel, [])

    def alerted_in(self, channel: str) -> bool:
        """Return whether a channel is one where moderators read."""
        return channel in self._alerting

    def move(self, channel: str, to: str) -> None:
        """Let alerts follow a channel that its platform gave another id."""
        for space in self.alerting(channel):
            self._records.choose(space, {**self._records.settings(space), "alert_channel": to})
        self.reread()

    def choose(self, space: str, actor: Account, changes: Mapping[str, Any], at: float) -> Policy:
        """Keep what moderators chose (keys of `[policy]`) and who did; InputError when a value is not allowed."""
        check_choice(changes, space)
        said = ", ".join(f"{key} = {value}" for key, value in changes.items())
        with self._records.transaction():
            self._records.choose(space, {**self._records.settings(space), **changes})
            self._records.note(space, None, actor, SET_UP, said, at)
        self.reread()
        return self.of(space)

    def start_anew(self, space: str, actor: Account, at: float) -> None:
        """Let no ruling until now move the thresholds of a space, and keep who wanted it."""
        with self._records.transaction():
            if self._ledger:
                self._ledger.start_anew(space)
            self._records.note(space, None, actor, SET_UP, _ANEW, at)
        self.ruled(space)

    def ruled(self, space: str) -> None:
        """Read the policy of a space anew: rulings there have changed."""
        self._versions[space] = self._versions.get(space, 0) + 1

    def reread(self) -> None:
        """Read all policies anew: settings have changed."""
        self._version += 1
        with self._records.transaction():  # who comes later knows more
            self._alerting = self._read_alerting()

    def _read_alerting(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for space in sorted({*self._records.spaces(), *self._config.spaces}):
            if channel := self._config.policy_of(space, self._records.settings(space)).alert_channel:
                found.setdefault(channel, []).append(space)
        return found

    def _read(self, space: str, version: tuple[int, int]) -> Policy:
        """Return the policy of a space; a `version` is read once, and no change of it comes too late to be read."""
        salt = self._records.salt()
        if owner := owner_of(space):
            policy = self._config.policy.policy()
            return replace(policy, mode=Mode.ADVISE, advice_by=AdviceBy.AUTOMATIC, protects=owner, salt=salt)
        policy = self._config.policy_of(space, self._records.settings(space))
        if self._needs_channel and policy.alert_channel is None:
            policy = replace(policy, mode=Mode.OBSERVE)
        policy = replace(policy, salt=salt)
        return self._moved(policy, space)

    def _moved(self, policy: Policy, space: str) -> Policy:
        """Return the policy with how far the rulings of the space have moved its thresholds."""
        return replace(policy, shift=self._shift(space)) if policy.follow_rulings else policy

    def _shift(self, space: str) -> dict[Kind, float]:
        if self._ledger is None:
            return {}
        moved = {kind: shift(self._ledger.rulings(space, kind, RULINGS)) for kind in Kind}
        return {kind: by for kind, by in moved.items() if by}
