"""What Haven is held against: the message model as a plain pipeline of scikit-learn, and a filter of keywords."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import diags_array
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import LabelBinarizer

from classifiers import terms
from classifiers.classifier import LEAST, Classifier
from classifiers.corpus import Labelled
from classifiers.errors import InputError
from classifiers.model import ENGLISH, HIDDEN, MARKERS, Floats, Model, sigmoid

BEFORE, AFTER = "\ue000\ue000", "\ue001\ue001"
"""What stands before and after the words of a line, so that pairs of words are found there; never a word itself."""
KEYWORDS = 500
_CLOSE = 1e-4
_COMMON, _WRITERS, _LETTERS = 5, 5, 8
_AT_ONE_END, _AT_BOTH_ENDS = 3, 10  # every so many-th phrase
_SIGNS = {"<<": [" <"], "<>": ["< ", " >"], "<<>": [" < "], ">>": ["> "], "<>>": [" > "]}  # of "<" and ">" themselves


class Agreement(NamedTuple):
    """How alike two readings are: of so many messages, and by how much a probability differs at most."""

    messages: int
    largest_difference: float


class Weighted(CountVectorizer):  # type: ignore[misc]
    """Counts terms of documents and, as Haven does, lets each count less in a long one."""

    def transform(self, raw_documents: Sequence[str]) -> Any:
        """Return a sparse matrix with a row for each document and a column for each term."""
        weights = [terms.weight(len(text.split()) - 2) for text in raw_documents]
        return diags_array(np.array(weights, dtype=np.float32)) @ super().transform(raw_documents)


def pipeline(model: Model) -> Pipeline:
    """Return the message model as anybody would write it with scikit-learn, with the very weights of the model.

    Words and pairs of words, pieces of words of 2 to 5 characters, and a logistic regression for each of the ten
    markers and for English. It takes documents (see `document`) and predicts their 11 probabilities; the 64 further
    features of the model are spared it.
    """
    words, pieces = _vocabularies(model.rows)
    rows = [*words.values(), *pieces.values()]
    weights = model.steps[rows, HIDDEN:] * model.sizes[rows, np.newaxis]
    counted: dict[str, Any] = {"lowercase": False, "dtype": np.float32}
    counts = FeatureUnion(
        [
            ("words", _counter(words, tokenizer=str.split, token_pattern=None, ngram_range=(1, 2), **counted)),
            ("pieces", _counter(pieces, analyzer="char_wb", ngram_range=(2, 5), **counted)),
        ]
    )
    markers = OneVsRestClassifier(LogisticRegression())
    markers.estimators_ = [
        _regression(column, bias) for column, bias in zip(weights.T, model.biases[HIDDEN:], strict=True)
    ]
    markers.label_binarizer_ = LabelBinarizer().fit(np.eye(weights.shape[1], dtype=np.int64))
    return Pipeline([("terms", counts), ("markers", markers)])


def document(words: Sequence[str]) -> str:
    """Return a line of words, which continues nothing, as the pipeline takes it."""
    return " ".join((BEFORE, *words, AFTER))


def read(classifier: Classifier, lines: Sequence[list[str]]) -> dict[int, Sequence[float]]:
    """Return the markers' probabilities for those lines, each by itself, of which one counts, as Haven reads them."""
    showing = [place for place, shown in enumerate(classifier.reader.shown(lines).markers) if shown]
    readings = classifier.reader.read([lines[place] for place in showing], [terms.START] * len(showing))
    return {place: reading.scores.tolist() for place, reading in zip(showing, readings, strict=True)}


def agreement(classifier: Classifier, reference: Pipeline, lines: Sequence[list[str]]) -> Agreement:
    """Return how alike the model and the pipeline read lines; InputError where they decide differently.

    Decided is of each line by itself which markers reach the probability from which they count.
    """
    mine = np.array([reading.scores for reading in classifier.reader.read(lines, [terms.START] * len(lines))])
    mine[:, ENGLISH] = [sigmoid(total) for total in mine[:, ENGLISH].tolist()]
    theirs = np.asarray(reference.predict_proba([document(line) for line in lines]))
    difference = float(np.abs(mine - theirs).max())
    counting = [MARKERS.index(marker) for marker in LEAST]
    quick = np.zeros_like(mine)
    for place, scores in read(classifier, lines).items():
        quick[place] = scores
    least = np.array([*LEAST.values()])
    differ = int(((quick[:, counting] >= least) != (theirs[:, counting] >= least)).any(axis=1).sum())
    if differ or difference > _CLOSE:
        raise InputError(
            f"the reference of scikit-learn decides otherwise in {differ} of {len(lines)} messages"
            f" (probabilities differ by up to {difference:.2g}): no ratio can be told"
        )
    return Agreement(len(lines), difference)


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
            for one in {first, BEFORE if first == terms.START else first}:
                words.update({f"{one} {other}": row for other in {second, AFTER if second == terms.END else second}})
        elif len(term) > 1 and term[0] == "~":
            piece = term[1:]
            plain = re.sub("^<|>$", " ", piece)
            pieces.update(dict.fromkeys(_SIGNS.get(piece, [plain]), row))
        else:
            words[term] = row
    return words, pieces


def _counter(vocabulary: dict[str, int], **settings: Any) -> Weighted:
    counter = Weighted(vocabulary={term: column for column, term in enumerate(vocabulary)}, **settings)
    counter.fit([""])  # of a given vocabulary nothing is learned
    return counter


def _regression(weights: Floats, bias: np.float32) -> LogisticRegression:
    made = LogisticRegression()
    made.classes_ = np.array([0, 1])
    made.coef_, made.intercept_ = np.ascontiguousarray(weights)[np.newaxis], np.array([bias])
    return made
