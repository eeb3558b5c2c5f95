"""How many messages a second one core reads, stage by stage, beside what else one could do with them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, median

from sklearn.pipeline import Pipeline

from bot.bench.mix import Mix
from bot.bench.reference import KEYWORDS, agreement, document, pipeline, read
from bot.bench.sizes import Size
from bot.bench.subject import receive
from bot.bench.timing import Spent, spent
from bot.parts import Parts
from classifiers.classifier import Classifier
from classifiers.words import words

BATCH = 512


class Rates:
    """What each round of each stage took; rates are messages per second."""

    def __init__(self) -> None:
        self._rounds: defaultdict[str, list[tuple[int, Spent]]] = defaultdict(list)

    def take(self, stage: str, messages: int, took: Spent) -> None:
        """Keep one round."""
        self._rounds[stage].append((messages, took))

    def best(self, stage: str) -> float:
        """Return the rate of the best round, by the CPU time of the process."""
        return max(messages / took.cpu for messages, took in self._rounds[stage])

    def usual(self, stage: str) -> float:
        """Return the rate of the middle round, by the clock on the wall."""
        return median(messages / took.wall for messages, took in self._rounds[stage])


def measure(
    parts: Parts, classifier: Classifier, mix: Mix, keywords: re.Pattern[str], size: Size
) -> dict[str, dict[str, float]]:
    """Return the rates of all stages; every stage of every round reads messages that nobody has read before.

    InputError where the pipeline of scikit-learn decides otherwise than the model. Before the rounds `size.warm`
    messages go through the guard and the model, which fills rings and caches as they are after some minutes; the last
    `size.compared` of them are those that the pipeline is compared with.
    """
    reference = pipeline(classifier.model)
    lines: list[list[str]] = []
    for start in range(0, size.warm, size.per_round):
        messages = mix.take(min(size.per_round, size.warm - start))
        receive(parts, messages)
        lines = [*lines, *(words(message.text) for message in messages)][-size.compared :]
        _read(classifier, lines[-len(messages) :])
    agreed = agreement(classifier, reference, lines)
    rates = Rates()
    lengths = [_round(parts, classifier, mix, keywords, reference, size, rates) for _ in range(size.rounds)]
    single, batch = rates.best("sklearn_single"), rates.best("sklearn_batch")
    per_second, filtered, whole = rates.best("message_model"), rates.best("keyword_filter"), rates.best("guard")
    return {
        "normalisation": {"per_second": rates.best("normalisation")},
        "message_model": {
            "per_second": per_second,
            "vs_sklearn_batch": per_second / batch,
            "vs_sklearn_single": per_second / single,
        },
        "guard": {
            "per_second": whole,
            "vs_keyword_filter": filtered / whole,
            "per_second_by_the_clock": rates.usual("guard"),
        },
        "reference": {
            "sklearn_batch_per_second": batch,
            "sklearn_single_per_second": single,
            "keyword_filter_per_second": filtered,
            "keywords": KEYWORDS,
            **{f"agreement_{name}": value for name, value in agreed._asdict().items()},
        },
        "lengths": {"characters": fmean(one[0] for one in lengths), "words": fmean(one[1] for one in lengths)},
    }


def _round(
    parts: Parts,
    classifier: Classifier,
    mix: Mix,
    keywords: re.Pattern[str],
    reference: Pipeline,
    size: Size,
    rates: Rates,
) -> tuple[float, float]:
    """Measure every stage once; return the mean length of a message in characters and words."""
    texts = [message.text for message in mix.take(size.per_round)]
    lines: list[list[str]] = []
    rates.take("normalisation", len(texts), spent(lambda: lines.extend(map(words, texts))))
    rates.take("message_model", len(lines), spent(lambda: _read(classifier, lines)))
    documents = [document(line) for line in lines]
    batched, single = documents[: size.batched], documents[: size.single]
    rates.take("sklearn_batch", len(batched), spent(lambda: _predict(reference, batched, BATCH)))
    rates.take("sklearn_single", len(single), spent(lambda: _predict(reference, single, 1)))
    messages = mix.take(size.per_round)
    rates.take("guard", len(messages), spent(lambda: receive(parts, messages)))
    texts = [message.text for message in messages]
    rates.take("keyword_filter", len(texts), spent(lambda: [keywords.search(text) for text in texts]))
    return fmean(map(len, texts)), fmean(map(len, lines))


def _read(classifier: Classifier, lines: Sequence[list[str]]) -> None:
    for start in range(0, len(lines), BATCH):
        read(classifier, lines[start : start + BATCH])


def _predict(reference: Pipeline, documents: Sequence[str], at_once: int) -> None:
    for start in range(0, len(documents), at_once):
        reference.predict_proba(documents[start : start + at_once])
