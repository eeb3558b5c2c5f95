"""The conversations in RAM: bounded in number, the longest silent one leaves first."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from classifiers.conversation import Account
from classifiers.exchange import Conversation


class Memory:
    """Recent lines per channel; nothing of it is written anywhere."""

    def __init__(self, max_conversations: int, max_age: timedelta) -> None:
        self._max_conversations = max_conversations
        self._max_age = max_age
        self._conversations: OrderedDict[tuple[str, str], Conversation] = OrderedDict()

    def conversation(self, space: str, channel: str, now: datetime) -> Conversation:
        """Return the state of a channel, made new when there is none or it is older than `max_age`."""
        key = (space, channel)
        conversation = self._conversations.get(key)
        if conversation is None or now - conversation.last_at > self._max_age:
            conversation = self._conversations[key] = Conversation(now)
        conversation.last_at = max(conversation.last_at, now)
        self._conversations.move_to_end(key)
        self.expire(now)
        return conversation

    def forget(self, account: Account) -> None:
        """Drop what the account wrote."""
        for conversation in self._conversations.values():
            conversation.forget(account)

    def drop(self, *, space: str | None = None, channel: str | None = None) -> None:
        """Drop every conversation of a space or of a channel."""
        for key in [key for key in self._conversations if space == key[0] or channel == key[1]]:
            del self._conversations[key]

    def __len__(self) -> int:
        return len(self._conversations)

    def expire(self, now: datetime) -> None:
        """Drop what is too old, and the longest silent conversations beyond the most that are held."""
        while self._conversations:
            oldest = next(iter(self._conversations.values()))
            if len(self._conversations) <= self._max_conversations and now - oldest.last_at <= self._max_age:
                return
            self._conversations.popitem(last=False)
