"""Learns the model from the corpus, which is streamed as live chat is read."""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from importlib.metadata import version
from itertools import islice

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from classifiers.assessment import Kind, Sensitivity
from classifiers.conversation import Account, Message
from classifiers.corpus import KINDS, Corpus
from classifiers.errors import InputError
from classifiers.exchange import EXCHANGE, Conversation, fading
from classifiers.model import GROUPS, MARKERS, Layer, Model, Scale, Thresholds
from classifiers.network import Windows, learn
from classifiers.terms import terms, weight
from classifiers.vocabulary import Vocabulary
from classifiers.words import words

ORDINARY_CHAT = "chitchat-dataset"
ORDINARY_CONVERSATIONS = 3000
_ORDINARY_SHORTEST, _ORDINARY_LENGTH = 6, 24
_ORDINARY_WINDOWS = 6
_RAREST_TERM = 4
_TERM_SCALE = 0.25
_LOOK_ALIKES_COUNT = 3.0
_SEED = 20261121
_STEPS = 127
_OPEN = Thresholds(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Examples:
    """The corpus as matrices; writer "" is ordinary chat, which is only ever learned from.

    `lines` has a row per message and a column per term, already weighted: a term counts its row of `sizes`.
    Labels are 1, 0 or -1 (not for learning).
    """

    vocabulary: list[str]
    sizes: npt.NDArray[np.float32]
    lines: sparse.csr_matrix
    line_writers: npt.NDArray[np.str_]
    line_labels: npt.NDArray[np.int8]
    windows: Windows
    window_writers: npt.NDArray[np.str_]
    sha256: str


class _Collector:
    """Streams conversations through the same ring that live chat goes through."""

    def __init__(self) -> None:
        self.documents: list[tuple[list[str], str]] = []
        self.line_writers: list[str] = []
        self.line_labels: list[list[int]] = []
        self.window_writers: list[str] = []
        self._exchanges: list[list[tuple[int, float, float]]] = []
        self._labels: list[list[int]] = []
        self._importance: list[float] = []
        self._conversation: list[int] = []
        self._conversations = 0

    def add(
        self,
        writer: str,
        messages: Sequence[Message],
        line_labels: Sequence[list[int]],
        window_labels: Mapping[int, Mapping[Kind, int]],
        importance: float,
    ) -> None:
        """Take a conversation in; an exchange is kept for each position in `window_labels`."""
        conversation = Conversation(messages[0].sent_at)
        first = len(self.documents)
        for position, (message, labels) in enumerate(zip(messages, line_labels, strict=True)):
            heard = words(message.text)
            line = conversation.add(message, heard)
            self.documents.append((heard, line.before))
            self.line_writers.append(writer)
            self.line_labels.append(labels)
            if position not in window_labels:
                continue
            exchange = conversation.exchange(line.author)
            mine = [(first + int(known.message_id), fading(known, line.at), 0.0) for known in exchange.mine]
            theirs = [(first + int(known.message_id), 0.0, fading(known, line.at)) for known in exchange.theirs]
            self._exchanges.append(sorted(mine + theirs))
            self._labels.append([window_labels[position][kind] for kind in Kind])
            self._importance.append(importance)
            self._conversation.append(self._conversations)
            self.window_writers.append(writer)
        self._conversations += 1

    def windows(self) -> Windows:
        """Return the exchanges, padded on the left with their own first line, which counts nothing there."""
        shape = (len(self._exchanges), EXCHANGE)
        lines = np.array([[exchange[0][0]] for exchange in self._exchanges], dtype=np.int32).repeat(EXCHANGE, axis=1)
        mine, theirs = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        for row, exchange in enumerate(self._exchanges):
            lines[row, -len(exchange) :], mine[row, -len(exchange) :], theirs[row, -len(exchange) :] = zip(
                *exchange, strict=True
            )
        return Windows(
            lines=lines,
            mine=mine,
            theirs=theirs,
            labels=np.array(self._labels, dtype=np.int8),
            importance=np.array(self._importance, dtype=np.float32),
            conversation=np.array(self._conversation, dtype=np.int32),
        )


def prepare(corpus: Corpus, ordinary_conversations: int = ORDINARY_CONVERSATIONS) -> Examples:
    """Return the corpus and ordinary chat as matrices.

    InputError without the extra `train`, or when nothing could be learned with a writer left out.
    """
    _check(corpus)
    collected = _Collector()
    for labelled in corpus.conversations:
        line_labels = [
            [*(int(marker in markers) for marker in MARKERS), int(labelled.english)] for markers in labelled.markers
        ]
        window_labels = {
            position: {kind: _as_number(labelled.label(kind, position)) for kind in Kind}
            for position in range(len(labelled.messages))
        }
        importance = _LOOK_ALIKES_COUNT if labelled.kind == "hard_negative" else 1.0
        collected.add(labelled.writer, labelled.messages, line_labels, window_labels, importance)
    own = len(collected.documents)
    ordinary = hashlib.sha256(version(ORDINARY_CHAT).encode()) if _has_ordinary_chat() else None
    if ordinary is None:
        raise InputError(f"training needs the package {ORDINARY_CHAT}; install Haven with its extra: haven[train]")
    chance = random.Random(_SEED)  # noqa: S311 (a fixed sample, not a secret)
    for messages in _ordinary_chat(chance, ordinary_conversations):
        positions = chance.sample(range(len(messages)), min(_ORDINARY_WINDOWS, len(messages)))
        line_labels = [[0] * len(MARKERS) + [1] for _ in messages]
        collected.add("", messages, line_labels, {at: dict.fromkeys(Kind, 0) for at in sorted(positions)}, 1.0)
    counter = CountVectorizer(analyzer=_terms_of, min_df=_RAREST_TERM, dtype=np.float32)
    counter.fit(collected.documents[:own])
    counts = counter.transform(collected.documents)
    seen = np.asarray((counts[:own] > 0).sum(axis=0)).ravel()
    sizes = ((np.log((1 + own) / (1 + seen)) + 1) * _TERM_SCALE).astype(np.float32)
    weights = np.array([weight(len(line)) for line, _ in collected.documents], dtype=np.float32)
    return Examples(
        vocabulary=counter.get_feature_names_out().tolist(),
        sizes=sizes,
        lines=(sparse.diags(weights) @ counts @ sparse.diags(sizes)).tocsr().astype(np.float32),
        line_writers=np.array(collected.line_writers),
        line_labels=np.array(collected.line_labels, dtype=np.int8),
        windows=collected.windows(),
        window_writers=np.array(collected.window_writers),
        sha256=hashlib.sha256((corpus.sha256 + ordinary.hexdigest()).encode()).hexdigest(),
    )


def fit(examples: Examples, without: Collection[str] = ()) -> Model:
    """Learn from everything but some writers; scales and thresholds are still to be set."""
    used = ~np.isin(examples.window_writers, [*without])
    learned = learn(examples.lines, examples.line_labels, examples.windows[used])
    terms = learned["terms"] * examples.sizes[:, np.newaxis]
    sizes = np.maximum(np.abs(terms).max(axis=1), 1e-12) / _STEPS
    return Model(
        rows=Vocabulary("\n".join(examples.vocabulary)),
        steps=np.round(terms / sizes[:, np.newaxis]).astype(np.int8),
        sizes=sizes,
        biases=learned["biases"],
        hidden=Layer(learned["hidden"], learned["hidden biases"]),
        verdicts=Layer(learned["verdicts"], learned["verdict biases"]),
        scales=dict.fromkeys(Kind, Scale(1.0, 0.0)),
        thresholds={k: {s: dict.fromkeys(GROUPS, _OPEN) for s in Sensitivity} for k in Kind},
    )


def _terms_of(document: tuple[list[str], str]) -> list[str]:
    return terms(*document)


def _as_number(label: bool | None) -> int:  # noqa: FBT001 (a label, not a switch)
    return -1 if label is None else int(label)


def _check(corpus: Corpus) -> None:
    """See that each thing to learn is there even when any one writer is left out."""
    needed = (*KINDS, *MARKERS, "a threat that has begun", "a language other than English")
    writers: dict[str, set[str]] = {name: set() for name in needed}
    for labelled in corpus.conversations:
        found = [labelled.kind, *frozenset().union(*labelled.markers)]
        if not labelled.english:
            found.append("a language other than English")
        if any(labelled.label(Kind.THREAT, position) for position in range(len(labelled.messages))):
            found.append("a threat that has begun")
        for name in found:
            writers[name].add(labelled.writer)
    missing = [name for name, having in writers.items() if len(having) < 2]
    if missing:
        raise InputError(f"the corpus is too small: at least two writers (files) must have {', '.join(missing)}")


def _has_ordinary_chat() -> bool:
    try:
        version(ORDINARY_CHAT)
    except ImportError:
        return False
    return True


def unseen_ordinary_chat(learned: int = ORDINARY_CONVERSATIONS, conversations: int = 4000) -> Iterator[list[Message]]:
    """Yield ordinary chat from which nothing was learned."""
    everything = _ordinary_chat(random.Random(_SEED), learned + conversations)  # noqa: S311 (as in `prepare`)
    return islice(everything, learned, None)


def _ordinary_chat(chance: random.Random, conversations: int) -> Iterator[list[Message]]:
    """Yield a fixed sample of the chitchat-dataset's conversations, 24 messages each from anywhere.

    A larger sample begins with the smaller one.
    """
    content = resources.files("chitchat_dataset").joinpath("dataset.json").read_bytes()
    everything = {
        key: [one for turn in talk["messages"] for one in turn if one["text"].strip()]
        for key, talk in json.loads(content).items()
    }
    usable = sorted(key for key, talk in everything.items() if len(talk) >= _ORDINARY_SHORTEST)
    chance.shuffle(usable)
    for key in usable[:conversations]:
        talk = everything[key]
        start = zlib.crc32(key.encode()) % (len(talk) - _ORDINARY_SHORTEST + 1)
        yield [
            Message(
                id=str(position),
                space=key,
                channel=key,
                author=Account("chitchat", one["sender"]),
                text=one["text"],
                sent_at=datetime.fromisoformat(one["timestamp"]),
            )
            for position, one in enumerate(talk[start : start + _ORDINARY_LENGTH])
        ]
