"""What each space wants, from the settings file and from what its moderators chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from bot.config import Config, check_choice
from bot.policy import Mode, Policy
from bot.records import Records
from classifiers.conversation import Account

_CACHED = 10_000
SET_UP = "set_up"


class Policies:
    """The policy of every space.

    With `needs_channel`, a space without an alert channel is only observed, whatever else it wants.
    """

    def __init__(self, config: Config, records: Records, *, needs_channel: bool = False) -> None:
        self._config = config
        self._records = records
        self._needs_channel = needs_channel
        self._cached = lru_cache(maxsize=_CACHED)(self._read)

    def of(self, space: str) -> Policy:
        """Return the policy of a space."""
        return self._cached(space)

    def reaches_moderators(self, space: str) -> bool:
        """Return whether there is a place where the moderators of a space read."""
        return not self._needs_channel or self.of(space).alert_channel is not None

    def choose(self, space: str, actor: Account, changes: Mapping[str, Any], at: float) -> Policy:
        """Keep what moderators chose (keys of `[policy]`) and who did; InputError when a value is not allowed."""
        check_choice(changes, space)
        self._records.choose(space, {**self._records.settings(space), **changes})
        said = ", ".join(f"{key} = {value}" for key, value in changes.items())
        self._records.note(space, None, actor, SET_UP, said, at)
        self._cached.cache_clear()
        return self.of(space)

    def _read(self, space: str) -> Policy:
        policy = self._config.policy_of(space, self._records.settings(space))
        if self._needs_channel and policy.alert_channel is None:
            return replace(policy, mode=Mode.OBSERVE)
        return policy
