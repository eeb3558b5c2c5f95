"""What Haven is held against: the message model as a plain pipeline of scikit-learn, and a filter of keywords."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from classifiers.assessment import CLEAR, Kind, Sensitivity
from classifiers.corpus import Labelled
from classifiers.errors import InputError
from classifiers.model import ENGLISH, HIDDEN, LOUDEST, Floats, Model
from classifiers.terms import weight

START, END = "\ue000\ue000", "\ue001\ue001"
"""What stands before and after the words of a line, so that pairs of words are found there; never a word itself."""
KEYWORDS = 500
_CLOSE = 1e-4
_PER_WORD = 1 / weight([""]) - 1
_COMMON, _WRITERS, _LETTERS = 5, 5, 8
_AT_ONE_END, _AT_BOTH_ENDS = 3, 10  # every so many-th phrase
_SIGNS = {"<<": [" <"], "<>": ["< ", " >"], "<<>": [" < "], ">>": ["> "], "<>>": [" > "]}  # of "<" and ">" themselves


class Agreement(NamedTuple):
    """How alike two readings are: messages, decisions (per message), and by how much a probability differs at most."""

    messages: int
    decisions: int
    largest_difference: float


class Readout(LinearRegression):  # type: ignore[misc]
    """A linear model with given weights, whose sums become what `Model.read_line` returns: 75 features a row."""

    def __init__(self, weights: Floats | None = None, biases: Floats | None = None) -> None:
        super().__init__()
        self.weights = weights
        self.biases = biases
        if weights is not None:
            self.coef_, self.intercept_ = weights.T, 0.0

    def predict(self, X: Any) -> Floats:  # noqa: N803 (scikit-learn's own name)
        """Return the features of each row of counts; the last count is that of all words."""
        sums = super().predict(X)
        sums = sums[:, :-1] / (1 + sums[:, -1:] * np.float32(_PER_WORD)) + self.biases
        likely = 1 / (1 + np.exp(-np.clip(sums[:, HIDDEN:], -60, 60)))
        return np.hstack([np.clip(sums[:, :HIDDEN], 0, LOUDEST), likely])


def pipeline(model: Model) -> Pipeline:
    """Return the message model as anybody would write it with scikit-learn, with the very weights of the model.

    It takes documents (see `document`) and predicts an array of 75 features for each.
    """
    words, pieces = _vocabularies(model.rows)
    rows = [*words.values(), *pieces.values()]
    weights = np.zeros((len(rows) + 1, len(model.biases) + 1), dtype=np.float32)
    weights[:-1, :-1] = model.steps[rows] * model.sizes[rows, np.newaxis]
    weights[-1, -1] = 1
    counted: dict[str, Any] = {"lowercase": False, "dtype": np.float32}
    features = FeatureUnion(
        [
            ("words", _counter(words, tokenizer=str.split, token_pattern=None, ngram_range=(1, 2), **counted)),
            ("pieces", _counter(pieces, analyzer="char_wb", ngram_range=(2, 5), **counted)),
            ("length", FunctionTransformer(_lengths)),
        ]
    )
    return Pipeline([("features", features), ("readout", Readout(weights, model.biases))])


def document(words: Sequence[str]) -> str:
    """Return a line of words, which continues nothing, as the pipeline takes it."""
    return " ".join((START, *words, END))


def agreement(model: Model, reference: Pipeline, lines: Sequence[list[str]]) -> Agreement:
    """Return how alike the model and the pipeline read lines; InputError where they decide differently.

    Decided are, for each line alone, the ten markers and the levels of both kinds at every sensitivity.
    """
    found = [model.read_line(line, "^") for line in lines]
    other = np.asarray(reference.predict([document(line) for line in lines]), dtype=np.float64)
    likely = np.array([one.scores[:ENGLISH] for one in found])
    difference = float(np.abs(likely - other[:, HIDDEN:-1]).max())
    mine = _decisions(model, np.array([one.features for one in found], dtype=np.float64))
    theirs = _decisions(model, other)
    differ = int((mine != theirs).any(axis=1).sum())
    if differ or difference > _CLOSE:
        raise InputError(
            f"the reference of scikit-learn decides otherwise in {differ} of {len(lines)} messages"
            f" (probabilities differ by up to {difference:.2g}): no ratio can be told"
        )
    return Agreement(len(lines), mine.shape[1], difference)


def keyword_filter(corpus: Sequence[Labelled]) -> re.Pattern[str]:
    """Return one expression for the 500 phrases that tell most of coercion in the corpus, as AutoMod is given them.

    Whole words without regard to case; every third is open at its end ("word*"), every tenth at both ends. Phrases are
    grouped by their first letter, which makes the expression three times as fast as a plain row of them.
    """
    bounded, anywhere = [], []
    for number, phrase in enumerate(_telling(corpus)):
        if number % _AT_BOTH_ENDS == 0:
            anywhere.append(phrase)
        else:
            bounded.append(phrase + r"\w*" * (number % _AT_ONE_END == 0))
    groups = groupby(sorted(bounded), key=itemgetter(0))
    rows = "|".join(f"{letter}(?:{'|'.join(one[1:] for one in group)})" for letter, group in groups)
    return re.compile(rf"\b(?:{rows})\b|{'|'.join(anywhere)}", re.IGNORECASE)


def _telling(corpus: Iterable[Labelled]) -> list[str]:
    """Return the pairs of words that several writers use far more often to coerce than else, most telling first."""
    inside: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    writers: defaultdict[str, set[str]] = defaultdict(set)
    for one in corpus:
        for message, markers in zip(one.messages, one.markers, strict=True):
            found = re.findall(r"[^\W\d_]+", message.text.lower())
            pairs = [f"{word} {after}" for word, after in pairwise(found) if len(word) + len(after) >= _LETTERS]
            if one.kind == "sextortion" and markers:
                inside.update(pairs)
                for pair in pairs:
                    writers[pair].add(one.writer)
            else:
                outside.update(pairs)
    common = [pair for pair, count in inside.items() if count >= _COMMON and len(writers[pair]) >= _WRITERS]
    return sorted(common, key=lambda pair: (-inside[pair] / (outside[pair] + _COMMON), pair))[:KEYWORDS]


def _vocabularies(rows: Iterable[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the row of each term as the two vectorisers spell it: words and pairs, and pieces of words."""
    words: dict[str, int] = {}
    pieces: dict[str, int] = {}
    for row, term in enumerate(rows):
        first, pair, second = term.partition(" ")
        if pair:
            for one in {first, START if first == "^" else first}:
                words.update({f"{one} {other}": row for other in {second, END if second == "$" else second}})
        elif len(term) > 1 and term[0] == "~":
            piece = term[1:]
            plain = re.sub("^<|>$", " ", piece)
            pieces.update(dict.fromkeys(_SIGNS.get(piece, [plain]), row))
        else:
            words[term] = row
    return words, pieces


def _counter(vocabulary: dict[str, int], **settings: Any) -> CountVectorizer:
    return CountVectorizer(vocabulary={term: column for column, term in enumerate(vocabulary)}, **settings).fit([""])


def _lengths(documents: Sequence[str]) -> Floats:
    return np.array([[len(text.split()) - 2] for text in documents], dtype=np.float32)


def _decisions(model: Model, features: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return a row of decisions for each row of features, taken as the only line of its conversation."""
    nobody = np.zeros_like(features)
    gathered = np.hstack([features / 2, nobody, features, nobody, features]).astype(np.float32)
    totals = model.verdicts(np.maximum(model.hidden(gathered), 0))
    decided = [features[:, HIDDEN:-1] >= CLEAR]
    for column, kind in enumerate(Kind):
        scores = [model.scales[kind](total) for total in totals[:, column].tolist()]
        for sensitivity in Sensitivity:
            for thresholds in model.thresholds[kind][sensitivity].values():
                decided.append(np.array([[thresholds.level(score)] for score in scores]))  # noqa: PERF401 (clearer so)
    return np.hstack([one.astype(np.int64) for one in decided])
