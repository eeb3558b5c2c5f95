"""The parts of a running Haven, as platforms are given them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.guard import Guard
from bot.inbox import Inbox
from bot.linker import Linker
from bot.moderation import Moderation
from bot.outbox import Outbox
from bot.people import People
from bot.policies import Policies
from bot.records import Records
from bot.store import Store
from classifiers.conversation import Account


@dataclass(frozen=True, slots=True)
class Parts:
    """Messages go to `inbox`; people are served by `people`, moderators by `moderation` and `policies`.

    Whoever records something through them says so with `outbox.wake()`.
    """

    store: Store
    records: Records
    policies: Policies
    guard: Guard
    linker: Linker
    inbox: Inbox
    outbox: Outbox
    people: People
    moderation: Moderation
    clock: Callable[[], datetime]

    def spaces(self) -> list[str]:
        """Return the spaces of which something is kept."""
        return sorted({*self.store.spaces(), *self.records.spaces()})

    def leave(self, space: str) -> None:
        """Erase everything about a space that Haven was taken out of."""
        self.guard.leave(space)
        self.policies.reread()

    def set_up(self, space: str, actor: Account, changes: Mapping[str, object]) -> None:
        """Keep what moderators chose (see `Policies.choose`); what waited for it is tried again at once."""
        now = self.clock().timestamp()
        self.policies.choose(space, actor, changes, now)
        if "share_campaigns" in changes:
            self.linker.tell_anew(space, now)
        self.store.hasten(space, now)

    def start_anew(self, space: str, actor: Account) -> None:
        """Let no ruling until now move the thresholds of a space."""
        self.policies.start_anew(space, actor, self.clock().timestamp())
