"""Learns the model from the corpus: logistic regression on exchanges and on lines, over the same terms."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from classifiers.assessment import Kind, Sensitivity
from classifiers.conversation import Account, Message
from classifiers.corpus import KINDS, Corpus
from classifiers.errors import InputError
from classifiers.exchange import Conversation, fading
from classifiers.model import (
    COLUMNS,
    ENGLISH,
    GROUPS,
    MARKERS,
    MINE,
    THEIRS,
    Model,
    Scale,
    Thresholds,
)
from classifiers.normalise import words
from classifiers.terms import terms, weight

ORDINARY_CHAT = "chitchat-dataset"
ORDINARY_CONVERSATIONS = 1500
_ORDINARY_LENGTH = 24
_ORDINARY_WINDOWS = 4
_RAREST_TERM = 4
_WINDOW_SCALE, _LINE_SCALE = 0.02, 0.05
_SEED = 20261121
_OPEN = Thresholds(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Examples:
    """The corpus as matrices; writer "" is ordinary chat, which is only ever learned from.

    `lines` has a row per message and a column per term, `mine` and `theirs` a row per exchange and
    a column per message. Labels are 1, 0 or -1 (not for learning).
    """

    vocabulary: list[str]
    rarity: npt.NDArray[np.float32]
    lines: sparse.csr_matrix
    line_writers: npt.NDArray[np.str_]
    line_labels: npt.NDArray[np.int8]
    mine: sparse.csr_matrix
    theirs: sparse.csr_matrix
    window_writers: npt.NDArray[np.str_]
    window_labels: Mapping[Kind, npt.NDArray[np.int8]]
    sha256: str


class _Collector:
    """Streams conversations through the same ring that live chat goes through."""

    def __init__(self) -> None:
        self.documents: list[tuple[list[str], str]] = []
        self.line_writers: list[str] = []
        self.line_labels: list[list[int]] = []
        self.window_writers: list[str] = []
        self.window_labels: dict[Kind, list[int]] = {kind: [] for kind in Kind}
        self._cells: dict[str, list[tuple[int, int, float]]] = {"mine": [], "theirs": []}

    def add(
        self,
        writer: str,
        messages: Sequence[Message],
        line_labels: Sequence[list[int]],
        window_labels: Mapping[int, Mapping[Kind, int]],
    ) -> None:
        """Take a conversation in; an exchange is kept for each position in `window_labels`."""
        conversation = Conversation(messages[0].sent_at)
        first = len(self.documents)
        for position, (message, labels) in enumerate(zip(messages, line_labels, strict=True)):
            line, before = conversation.add(message, words(message.text))
            self.documents.append((line.words, before))
            self.line_writers.append(writer)
            self.line_labels.append(labels)
            if position not in window_labels:
                continue
            row = len(self.window_writers)
            self.window_writers.append(writer)
            for kind, label in window_labels[position].items():
                self.window_labels[kind].append(label)
            exchange = conversation.exchange(line.author)
            for side, part in (("mine", exchange.mine), ("theirs", exchange.theirs)):
                self._cells[side] += [(row, first + int(known.message_id), fading(known, line.at)) for known in part]

    def side(self, side: str) -> sparse.csr_matrix:
        """Return which lines stand on that side of each exchange."""
        rows, columns, values = zip(*self._cells[side], strict=True)
        shape = (len(self.window_writers), len(self.documents))
        return sparse.csr_matrix((np.array(values, dtype=np.float32), (rows, columns)), shape=shape)


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
        collected.add(labelled.writer, labelled.messages, line_labels, window_labels)
    own = len(collected.documents)
    ordinary = hashlib.sha256(version(ORDINARY_CHAT).encode()) if _has_ordinary_chat() else None
    if ordinary is None:
        raise InputError(f"training needs the package {ORDINARY_CHAT}; install Haven with its extra: haven[train]")
    chance = random.Random(_SEED)  # noqa: S311 (a fixed sample, not a secret)
    for messages in _ordinary_chat(chance, ordinary_conversations):
        positions = chance.sample(range(3, len(messages)), min(_ORDINARY_WINDOWS, len(messages) - 3))
        line_labels = [[0] * len(MARKERS) + [1] for _ in messages]
        collected.add("", messages, line_labels, {at: dict.fromkeys(Kind, 0) for at in sorted(positions)})
    counter = CountVectorizer(analyzer=_terms_of, min_df=_RAREST_TERM, dtype=np.float32)
    counter.fit(collected.documents[:own])
    counts = counter.transform(collected.documents)
    seen = np.asarray((counts[:own] > 0).sum(axis=0)).ravel()
    rarity = (np.log((1 + own) / (1 + seen)) + 1).astype(np.float32)
    weights = np.array([weight(line) for line, _ in collected.documents], dtype=np.float32)
    return Examples(
        vocabulary=counter.get_feature_names_out().tolist(),
        rarity=rarity,
        lines=(sparse.diags(weights) @ counts @ sparse.diags(rarity)).tocsr(),
        line_writers=np.array(collected.line_writers),
        line_labels=np.array(collected.line_labels, dtype=np.int8),
        mine=collected.side("mine"),
        theirs=collected.side("theirs"),
        window_writers=np.array(collected.window_writers),
        window_labels={k: np.array(v, dtype=np.int8) for k, v in collected.window_labels.items()},
        sha256=hashlib.sha256((corpus.sha256 + ordinary.hexdigest()).encode()).hexdigest(),
    )


def fit(examples: Examples, without: str | None = None) -> Model:
    """Learn from everything but one writer; scales and thresholds are still to be set."""
    weights = np.zeros((len(examples.vocabulary), COLUMNS), dtype=np.float32)
    biases = np.zeros(ENGLISH + 1, dtype=np.float32)
    constants: dict[Kind, float] = {}
    used = examples.window_writers != without
    lines = examples.lines * np.float32(_WINDOW_SCALE)
    windows = sparse.hstack([examples.mine[used] @ lines, examples.theirs[used] @ lines]).tocsr()
    terms = len(examples.vocabulary)
    for kind in Kind:
        labels = examples.window_labels[kind][used]
        coefficients, constants[kind] = _regress(windows[labels >= 0], labels[labels >= 0])
        both = coefficients.reshape(2, terms) * examples.rarity * _WINDOW_SCALE
        weights[:, MINE[kind]], weights[:, THEIRS[kind]] = both
    used = examples.line_writers != without
    lines = examples.lines[used] * np.float32(_LINE_SCALE)
    for column in range(ENGLISH + 1):
        coefficients, biases[column] = _regress(lines, examples.line_labels[used, column])
        weights[:, column] = coefficients * examples.rarity * _LINE_SCALE
    return Model(
        rows={term: row for row, term in enumerate(examples.vocabulary)},
        weights=np.round(weights, 4),
        biases=np.round(biases, 4),
        constants={kind: round(constant, 4) for kind, constant in constants.items()},
        scales=dict.fromkeys(Kind, Scale(1.0, 0.0)),
        thresholds={k: {s: dict.fromkeys(GROUPS, _OPEN) for s in Sensitivity} for k in Kind},
    )


def _regress(rows: sparse.csr_matrix, labels: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], float]:
    regression = LogisticRegression(C=1.0, tol=1e-4, max_iter=500)
    regression.fit(rows, labels)
    return regression.coef_[0], float(regression.intercept_[0])


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


def _ordinary_chat(chance: random.Random, conversations: int) -> Iterator[list[Message]]:
    """Yield a fixed sample of the chitchat-dataset's conversations, the first 24 messages each."""
    content = resources.files("chitchat_dataset").joinpath("dataset.json").read_bytes()
    everything = {
        key: [one for turn in talk["messages"] for one in turn if one["text"].strip()]
        for key, talk in json.loads(content).items()
    }
    usable = sorted(key for key, talk in everything.items() if len(talk) >= 6)
    for key in chance.sample(usable, min(conversations, len(usable))):
        yield [
            Message(
                id=str(position),
                space=key,
                channel=key,
                author=Account("chitchat", one["sender"]),
                text=one["text"],
                sent_at=datetime.fromisoformat(one["timestamp"]),
            )
            for position, one in enumerate(everything[key][:_ORDINARY_LENGTH])
        ]
