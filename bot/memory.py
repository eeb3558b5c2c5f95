"""The conversations in RAM: bounded in number, the longest silent one leaves first, those of live cases last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta

from classifiers.conversation import Account
from classifiers.exchange import Conversation

_Key = tuple[str, str]


class Memory:
    """Recent lines per channel; nothing of it is written anywhere.

    Up to half of the conversations may be held, which no flood of others then pushes out; age ends them all.
    """

    def __init__(self, max_conversations: int, max_age: timedelta) -> None:
        self._max_conversations = max_conversations
        self._max_age = max_age
        self._conversations: OrderedDict[_Key, Conversation] = OrderedDict()
        self._held: OrderedDict[_Key, datetime] = OrderedDict()  # and until when
        self._passing: OrderedDict[_Key, None] = OrderedDict()  # all others

    def conversation(self, space: str, channel: str, now: datetime) -> Conversation:
        """Return the state of a channel, made new when there is none or it is older than `max_age`."""
        key = (space, channel)
        conversation = self._conversations.get(key)
        if conversation is None or now - conversation.last_at > self._max_age:
            conversation = self._conversations[key] = Conversation(now)
        conversation.last_at = max(conversation.last_at, now)
        self._conversations.move_to_end(key)
        if key in self._held:
            self._held.move_to_end(key)
        else:
            self._passing[key] = None
            self._passing.move_to_end(key)
        self.expire(now)
        return conversation

    def hold(self, space: str, channel: str, until: datetime) -> None:
        """Keep the conversation of a live case before others until then; of too many, the longest silent is let go."""
        key = (space, channel)
        if key not in self._conversations:
            return
        self._passing.pop(key, None)
        self._held[key] = max(until, self._held.get(key, until))
        if len(self._held) > self._max_conversations // 2:
            self._let_go(next(iter(self._held)))

    @property
    def conversations(self) -> Iterable[Conversation]:
        """All conversations, for as long as nothing is changed."""
        return self._conversations.values()

    def holds(self, account: Account) -> bool:
        """Return whether there is a line that the account wrote."""
        return any(line.author == account for one in self._conversations.values() for line in one.lines)

    def forget(self, account: Account) -> None:
        """Drop what the account wrote."""
        for conversation in self._conversations.values():
            conversation.forget(account)

    def drop(self, *, space: str | None = None, channel: str | None = None) -> None:
        """Drop every conversation of a space or of a channel."""
        for key in [key for key in self._conversations if space == key[0] or channel == key[1]]:
            self._remove(key)

    def __len__(self) -> int:
        return len(self._conversations)

    @property
    def held(self) -> int:
        """How many conversations are those of live cases."""
        return len(self._held)

    def expire(self, now: datetime) -> None:
        """Drop what is too old, and the longest silent conversations beyond the most that are held."""
        while self._conversations:
            key, oldest = next(iter(self._conversations.items()))
            if now - oldest.last_at <= self._max_age:
                break
            self._remove(key)
        while self._held:
            key, until = next(iter(self._held.items()))
            if until >= now:
                break
            self._let_go(key)
        while len(self._conversations) > self._max_conversations:
            self._remove(next(iter(self._passing or self._held)))

    def _let_go(self, key: _Key) -> None:
        """Make a held conversation the first to leave."""
        del self._held[key]
        self._passing[key] = None
        self._passing.move_to_end(key, last=False)

    def _remove(self, key: _Key) -> None:
        del self._conversations[key]
        self._held.pop(key, None)
        self._passing.pop(key, None)
