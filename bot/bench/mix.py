"""The chat that is measured with: ordinary conversations and, one message in a thousand, sextortion."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from classifiers.conversation import Account, Message
from classifiers.corpus import Labelled, load_corpus
from classifiers.errors import InputError
from classifiers.exchange import RING
from classifiers.transcript import parse, to_messages

PLATFORM = "discord"
SEED = 7
ONE_IN = 1_000
"""Of so many messages one is from a sextortion conversation."""
PAUSE = 20.0
"""Seconds between two messages of one conversation."""
_BLOCK = 20  # channels of one server
_AGO = timedelta(days=1)


class Said(NamedTuple):
    """One line: the number of its speaker, its text in UTF-8 and the numbers of those whom it names."""

    speaker: int
    text: bytes
    to: tuple[int, ...]


Talk = tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Supply:
    """The conversations that a mix is made of, where the ordinary ones are from, and how many lines these have.

    Long ones are there in pieces of 64 lines; in `mean_lines` they count as 64.
    """

    ordinary: tuple[Talk, ...]
    coercive: tuple[Talk, ...]
    source: str
    mean_lines: float

    @property
    def messages(self) -> int:
        """How many different ordinary messages there are."""
        return sum(map(len, self.ordinary))


def read_supply(corpus: Sequence[Labelled], real: Path | None) -> Supply:
    """Return the ordinary conversations of `real` (transcripts), by default of the corpus, and the corpus' sextortion.

    Of transcripts that say what they are only those that are `benign` are taken. InputError where nothing is left.
    """
    if real:
        chat, source = [_talk(messages) for messages in _real(real)], f"real chat ({real.name})"
    else:
        chat = [_talk(one.messages) for one in corpus if one.kind == "benign"]
        source = "benign conversations of the corpus"
    chat = [talk for talk in chat if talk]
    ordinary = _pieces(chat)
    coercive = _pieces(_talk(one.messages) for one in corpus if one.kind == "sextortion")
    if not ordinary:
        raise InputError(f"{real or 'the corpus'}: no ordinary conversations here")
    if not coercive:
        raise InputError("the corpus has no sextortion conversations")
    return Supply(ordinary, coercive, source, fmean(min(len(talk), RING) for talk in chat))


def load_data(folder: Path) -> tuple[Labelled, ...]:
    """Return the corpus; InputError where it is not, which is so outside a checkout."""
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no corpus here: run this in a checkout of Haven, or name its data/corpus with --data"
        )
    return load_corpus(folder).conversations


class Mix:
    """An endless stream of messages, the same for the same supply and number of active conversations.

    Active conversations are channels in which one talk follows another; each in turn, in an order that is drawn anew
    for every round, gets the next line of its talk. Besides these, one message in a thousand is the next line of a
    sextortion conversation, each in a channel of its own. `first` is the number of the first channel.
    """

    def __init__(self, supply: Supply, conversations: int, seed: int = SEED, first: int = 0) -> None:
        self._supply = supply
        self._conversations = conversations
        self._first = first
        self._random = random.Random(seed)  # noqa: S311 (the same chat every time)
        self._step = timedelta(seconds=PAUSE / conversations)
        self._start = datetime.now(UTC) - _AGO
        self._count = 0
        self._talks = 0
        self._stream = self._mixed()

    def take(self, count: int) -> list[Message]:
        """Return the next messages, made anew with texts of their own, as a platform makes them."""
        return [next(self._stream) for _ in range(count)]

    def coercive(self, count: int) -> list[Message]:
        """Return messages of sextortion conversations only, a hundred at a time going on."""
        voices = [self._sextortion() for _ in range(100)]
        return [next(voices[number % len(voices)]) for number in range(count)]

    def _mixed(self) -> Iterator[Message]:
        channels = [self._channel(number) for number in range(self._conversations)]
        ordinary = self._rounds(channels)
        sextortion = self._sextortion()
        while True:
            at = self._random.randrange(ONE_IN)
            for number in range(ONE_IN):
                yield next(sextortion if number == at else ordinary)

    def _rounds(self, channels: list[Iterator[Message]]) -> Iterator[Message]:
        while True:
            self._random.shuffle(channels)
            for channel in channels:
                yield next(channel)

    def _channel(self, number: int) -> Iterator[Message]:
        while True:
            talk = self._supply.ordinary[self._talks % len(self._supply.ordinary)]
            yield from self._said(talk, number)

    def _sextortion(self) -> Iterator[Message]:
        while True:
            talk = self._supply.coercive[self._talks % len(self._supply.coercive)]
            yield from self._said(talk, self._conversations + self._talks)

    def _said(self, talk: Talk, channel: int) -> Iterator[Message]:
        self._talks += 1
        people = 4 * 10**17 + 1_000 * self._talks
        for line in talk:
            self._count += 1
            yield Message(
                id=str(10**18 + self._count),
                space=str(2 * 10**17 + (self._first + channel) // _BLOCK),
                channel=str(3 * 10**17 + self._first + channel),
                author=Account(PLATFORM, str(people + line.speaker)),
                text=line.text.decode(),
                sent_at=self._start + self._count * self._step,
                to=tuple(Account(PLATFORM, str(people + number)) for number in line.to),
            )


def _real(folder: Path) -> Iterator[list[Message]]:
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise InputError(f"{folder}: no transcripts here (expected .jsonl files)")
    for file in files:
        try:
            lines = file.read_bytes().split(b"\n")
        except OSError as error:
            raise InputError(f"{file}: cannot read: {error.strerror}") from None
        for number, line in enumerate(lines, 1):
            if line.strip() and (transcript := parse(line, f"{file}:{number}")).kind in ("", "benign"):
                yield to_messages(transcript, file.stem)


def _talk(messages: Iterable[Message]) -> Talk:
    numbers: dict[Account, int] = {}
    return tuple(
        Said(
            numbers.setdefault(message.author, len(numbers)),
            message.text.encode(),
            tuple(numbers.setdefault(account, len(numbers)) for account in message.to),
        )
        for message in messages
        if message.text and not message.forwarded
    )


def _pieces(talks: Iterable[Talk]) -> tuple[Talk, ...]:
    """Return talks in pieces that fill a ring, in an order drawn once."""
    pieces = [talk[start : start + RING] for talk in talks for start in range(0, len(talk), RING)]
    random.Random(SEED).shuffle(pieces)  # noqa: S311 (a fixed order, not a secret)
    return tuple(pieces)
