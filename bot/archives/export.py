"""What every export is read into, and what its readers share."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from classifiers.conversation import Account, Message

_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of an export, its 0-based position as id, and the name its author goes by there."""

    message: Message
    name: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation, `id` as shown in reports; its entries are read before the next one is asked for."""

    id: str
    entries: Iterator[Entry]


class Format(NamedTuple):
    """One export format: what such a file is called, how it is known (name, first 64 KiB as UTF-8), its conversations.

    `read` takes UTF-8 text and the path for errors and default ids; it raises InputError where the text
    is not what the format promises, after the messages before that place.
    """

    name: str
    called: str
    recognises: Callable[[str, bytes], bool]
    read: Callable[[io.BufferedReader, str], Iterator[Conversation]]


class Recent:
    """The authors of the last thousand messages, by the id the export gives each message."""

    def __init__(self) -> None:
        self._authors: OrderedDict[str, Account] = OrderedDict()

    def add(self, message: str | None, author: Account) -> None:
        """Remember who wrote a message; the oldest is forgotten."""
        if message is not None:
            self._authors[message] = author
            if len(self._authors) > _REMEMBERED:
                self._authors.popitem(last=False)

    def author(self, message: str | None) -> list[Account]:
        """Return the author in a list, an empty one for a message that is not remembered."""
        author = self._authors.get(message) if message is not None else None
        return [] if author is None else [author]


def recipients(author: Account, named: list[Account]) -> tuple[Account, ...]:
    """Return each account once, in order, without the author."""
    return tuple(account for account in dict.fromkeys(named) if account != author)


def sound(text: str) -> str:
    """Return a text that can be written down: JSON may carry halves of characters."""
    return text.encode(errors="replace").decode()


def label(value: object) -> str | None:
    """Return an id or a name as text, None for what is neither text nor a whole number, or empty."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def members(value: object) -> dict[str, object]:
    """Return a JSON object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, object]]:
    """Return the objects of a JSON list, an empty list for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
