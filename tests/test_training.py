"""Learning: repeatable, and blind to the writer that is left out."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest

from classifiers import training
from classifiers.artefact import save
from classifiers.assessment import Kind
from classifiers.corpus import Corpus, load_corpus
from classifiers.errors import InputError
from classifiers.model import ENGLISH, MARKERS, Model
from classifiers.terms import terms, weight
from classifiers.training import Examples, fit, prepare

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "corpus"
ORDINARY = 10
TRAIN = f"""
from pathlib import Path
from classifiers.artefact import save
from classifiers.corpus import load_corpus
from classifiers.training import fit, prepare
print(save(fit(prepare(load_corpus(Path({str(TINY)!r})), {ORDINARY})), Path("model"), "", {{}}).sha256)
"""


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus(TINY)


@pytest.fixture(scope="module")
def examples(corpus: Corpus) -> Examples:
    return prepare(corpus, ordinary_conversations=ORDINARY)


@pytest.fixture(scope="module")
def alone(corpus: Corpus) -> Examples:
    """The corpus without ordinary chat."""
    return prepare(corpus, ordinary_conversations=0)


@pytest.fixture(scope="module")
def learned(examples: Examples) -> Model:
    return fit(examples)


def same(one: Model, other: Model) -> bool:
    arrays = [(model.steps, model.sizes, model.biases, *model.hidden, *model.verdicts) for model in (one, other)]
    return all(np.array_equal(*pair) for pair in zip(*arrays, strict=True))


def test_the_same_data_give_the_same_file_in_another_process_too(
    learned: Model, tmp_path: Path, environment: dict[str, str]
) -> None:
    manifest = save(learned, tmp_path / "here", "", {})
    run = subprocess.run(
        [sys.executable, "-c", TRAIN],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env=environment | {"PYTHONHASHSEED": "7"},
        encoding="utf-8",
    )
    assert run.stdout.strip() == manifest.sha256


def test_other_data_give_another_model(learned: Model, alone: Examples) -> None:
    assert not same(fit(alone), learned)


@pytest.mark.parametrize("liar", ["anna", "ben", "cleo"])
def test_a_writer_that_is_left_out_teaches_nothing(examples: Examples, learned: Model, liar: str) -> None:
    def with_lies_of(writer: str) -> Examples:
        lines, windows = examples.line_writers == writer, examples.window_writers == writer
        labels = examples.windows.labels
        return replace(
            examples,
            line_labels=np.where(lines[:, np.newaxis], 1 - examples.line_labels, examples.line_labels),
            windows=replace(
                examples.windows, labels=np.where(windows[:, np.newaxis] & (labels >= 0), 1 - labels, labels)
            ),
        )

    lying = with_lies_of(liar)
    without = fit(examples, without=[liar])
    assert same(fit(lying, without=[liar]), without)
    assert not same(fit(lying), learned)
    assert not same(without, learned)


def test_nobody_is_left_out_by_default(examples: Examples, learned: Model) -> None:
    assert same(fit(examples, without=["somebody who never wrote"]), learned)


def test_every_line_and_exchange_of_the_corpus_is_an_example_with_its_labels(
    examples: Examples, corpus: Corpus
) -> None:
    own = examples.window_writers != ""
    for column, kind in enumerate(Kind):
        expected = [one.label(kind, at) for one in corpus.conversations for at in range(len(one.messages))]
        told = [-1 if label is None else label for label in expected]
        assert examples.windows.labels[own, column].tolist() == told
    marked = [
        [*(marker in markers for marker in MARKERS), one.english]
        for one in corpus.conversations
        for markers in one.markers
    ]
    assert examples.line_labels[examples.line_writers != ""].tolist() == marked
    wrote = Counter(one.writer for one in corpus.conversations for _ in one.messages)
    assert Counter(examples.line_writers[examples.line_writers != ""].tolist()) == wrote
    assert Counter(examples.window_writers[own].tolist()) == wrote


def test_ordinary_chat_is_harmless_english_and_no_more_than_asked_for(examples: Examples, alone: Examples) -> None:
    lines, windows = examples.line_writers == "", examples.window_writers == ""
    assert not examples.line_labels[lines][:, :ENGLISH].any()
    assert examples.line_labels[lines][:, ENGLISH].all()
    assert not examples.windows.labels[windows].any()
    assert ORDINARY <= windows.sum() <= training._ORDINARY_WINDOWS * ORDINARY
    assert (alone.line_writers != "").all()
    assert alone.vocabulary == examples.vocabulary, "terms come from the corpus, ordinary chat adds none"


def test_a_line_is_its_terms_by_weight_and_rarity(examples: Examples, corpus: Corpus) -> None:
    line = corpus.conversations[1].messages[0].text.split()
    row = examples.lines[len(corpus.conversations[0].messages)]  # the first line of the second conversation
    found = dict(zip(row.indices, row.data, strict=True))
    number_of = {term: column for column, term in enumerate(examples.vocabulary)}
    expected = {
        number_of[term]: count * weight(len(line)) * examples.sizes[number_of[term]]
        for term, count in Counter(terms(line)).items()
        if term in number_of
    }
    assert found == pytest.approx(expected)


def test_rarer_terms_weigh_more_and_the_rarest_are_left_out(examples: Examples, corpus: Corpus) -> None:
    rarity = dict(zip(examples.vocabulary, examples.sizes / training._TERM_SCALE, strict=True))
    assert rarity["tell"] > rarity["picture"] > 1
    said = Counter(term for one in corpus.conversations for m in one.messages for term in set(m.text.split()))
    assert said["rain"] == 1
    assert "rain" not in rarity


def test_nothing_is_learned_from_the_ordinary_chat_that_thresholds_are_set_by() -> None:
    chance = random.Random(training._SEED)  # noqa: S311 (the sample that training takes)
    learned = {messages[0].channel for messages in training._ordinary_chat(chance, ORDINARY)}
    unseen = {messages[0].channel for messages in training.unseen_ordinary_chat(ORDINARY, 20)}
    assert (len(learned), len(unseen)) == (ORDINARY, 20)
    assert not learned & unseen


@pytest.mark.parametrize("kept", [["anna"], ["anna", "cleo"]])
def test_too_small_a_corpus_is_refused_with_what_it_lacks(corpus: Corpus, kept: list[str]) -> None:
    some = tuple(one for one in corpus.conversations if one.writer in kept and one.kind != "benign")
    with pytest.raises(InputError) as caught:
        prepare(replace(corpus, conversations=some), ordinary_conversations=0)
    text = str(caught.value)
    assert "\n" not in text
    assert "too small" in text
    assert text.endswith("benign") if len(kept) == 2 else "a language other than English" in text


def test_training_without_the_extra_says_what_to_install(tmp_path: Path, environment: dict[str, str]) -> None:
    installed = Path(joblib.__file__).parents[1]
    without = tmp_path / "without"
    without.mkdir()
    for entry in installed.iterdir():
        if not entry.name.startswith("chitchat"):
            (without / entry.name).symlink_to(entry)
    run = subprocess.run(
        [sys.executable, "-S", "-m", "bot", "train", "--data", str(TINY), "--out", str(tmp_path / "model")],
        capture_output=True,
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": f"{without}{os.pathsep}{ROOT}"},
        encoding="utf-8",
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert "haven[train]" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "model").exists()
