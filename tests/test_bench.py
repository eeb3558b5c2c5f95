"""The bench: what it reads, what it is held against, and the shape of what it prints. No time is checked."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from bot.app import open_store
from bot.bench import load
from bot.bench.mix import ONE_IN, Mix, Supply, load_data, read_supply
from bot.bench.plots import draw
from bot.bench.process import child
from bot.bench.reference import BEFORE, agreement, document, keyword_filter, pipeline
from bot.bench.rows import seed
from bot.bench.sizes import QUICK, Size
from bot.bench.subject import receive, subject
from bot.bench.timing import percentile
from bot.config import Config
from classifiers.artefact import bundled
from classifiers.artefact import load as load_model
from classifiers.classifier import Classifier
from classifiers.conversation import Account
from classifiers.corpus import Labelled
from classifiers.errors import InputError
from classifiers.exchange import RING
from classifiers.model import Model
from classifiers.words import words

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "data" / "corpus"
Invoke = Callable[..., Result]
Refused = Callable[..., None]


@pytest.fixture(scope="module")
def everything() -> tuple[Labelled, ...]:
    """The whole corpus."""
    return load_data(CORPUS)


@pytest.fixture(scope="module")
def corpus(everything: tuple[Labelled, ...]) -> tuple[Labelled, ...]:
    """A few writers of it."""
    writers = {f"writer{number:02}" for number in (1, 2, 16, 17, 20)}
    return tuple(one for one in everything if one.writer in writers)


@pytest.fixture(scope="module")
def supply(corpus: tuple[Labelled, ...]) -> Supply:
    return read_supply(corpus, None)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(bundled())[0]


# The chat.


def test_the_same_supply_gives_the_same_messages(supply: Supply) -> None:
    first, second = (Mix(supply, 30).take(2 * ONE_IN) for _ in range(2))
    started = second[0].sent_at - first[0].sent_at
    assert [replace(one, sent_at=one.sent_at + started) for one in first] == second


def test_one_message_in_a_thousand_is_from_sextortion_and_every_conversation_has_as_many_lines(supply: Supply) -> None:
    messages = Mix(supply, 30).take(3 * ONE_IN)
    coercive = {line.text.decode() for talk in supply.coercive for line in talk}
    ordinary = {line.text.decode() for talk in supply.ordinary for line in talk}
    apart = [message for message in messages if int(message.channel) % 10**9 >= 30]
    assert len(apart) == 3
    assert {message.text for message in apart} <= coercive
    lines = [message.channel for message in messages if message not in apart]
    counts = {channel: lines.count(channel) for channel in set(lines)}
    assert len(counts) == 30
    assert max(counts.values()) - min(counts.values()) <= 1
    assert {message.text for message in messages if message not in apart} <= ordinary


def test_messages_are_made_anew_in_order_and_among_people_of_their_own_conversation(supply: Supply) -> None:
    messages = Mix(supply, 5).take(500)
    assert len({message.id for message in messages}) == 500
    assert all(first.sent_at < second.sent_at for first, second in pairwise(messages))
    texts = [message.text for message in messages]
    assert len({id(text) for text in texts}) == 500
    where: dict[Account, str] = {}
    assert all(where.setdefault(message.author, message.channel) == message.channel for message in messages)
    assert all(message.author not in message.to for message in messages)
    assert {type(account) for message in messages for account in message.to} <= {Account}


def test_mixes_with_other_first_channels_share_none(supply: Supply) -> None:
    one, other = ({m.channel for m in Mix(supply, 5, first=first).take(50)} for first in (0, 1000))
    assert not one & other


def test_real_chat_is_read_without_what_is_labelled_otherwise(corpus: tuple[Labelled, ...], tmp_path: Path) -> None:
    long = [{"from": "abc"[number % 3], "text": f"line {number}"} for number in range(RING + 6)]
    lines = [
        {"messages": long},
        {"kind": "benign", "messages": [{"from": "a", "text": "hi"}, {"from": "b", "text": "", "mentions": ["a"]}]},
        {"kind": "hard_negative", "messages": [{"from": "a", "text": "pay"}]},
        {"messages": []},
    ]
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    supply = read_supply(corpus, tmp_path)
    assert sorted(map(len, supply.ordinary)) == [1, 6, RING]
    assert supply.messages == RING + 7
    assert supply.mean_lines == (RING + 1) / 2
    assert supply.source == f"real chat ({tmp_path.name})"


# What it is held against.


def test_the_pipeline_decides_as_the_model_does(model: Model, supply: Supply) -> None:
    reference = pipeline(model)
    texts = [message.text for message in [*Mix(supply, 30).take(400), *Mix(supply, 30).coercive(400)]]
    texts += ["", "<", ">", "a < b > c", "^ $", "~ ~", "a", "<<>>", "x\ue000y", "Grüße aus 北京 😀😀"]
    found = agreement(Classifier(model), reference, [words(text) for text in texts])
    assert found.messages == len(texts)
    assert found.largest_difference < 1e-5


def test_the_pipeline_reads_batches_as_it_reads_single_messages(model: Model, supply: Supply) -> None:
    reference = pipeline(model)
    documents = [document(words(message.text)) for message in Mix(supply, 30).take(60)]
    together = reference.predict_proba(documents)
    assert together.shape == (60, 11)
    assert np.allclose(together, np.vstack([reference.predict_proba([one]) for one in documents]), atol=1e-6)


def test_a_reference_with_other_decisions_is_refused(model: Model, supply: Supply) -> None:
    lines = [words(message.text) for message in Mix(supply, 30).coercive(100)]
    classifier = Classifier(model)
    for changed in (
        replace(model, biases=model.biases + np.float32(1)),
        replace(model, biases=model.biases + np.float32(1e-2)),
        replace(model, steps=-model.steps),
    ):
        with pytest.raises(InputError, match="no ratio can be told"):
            agreement(classifier, pipeline(changed), lines)


def test_a_word_that_is_a_mark_of_the_line_cannot_be_written() -> None:
    assert BEFORE not in words(f"{BEFORE} hello {BEFORE}")


def test_the_keyword_filter_finds_its_words_whole_and_in_any_case(everything: tuple[Labelled, ...]) -> None:
    corpus = everything
    found = keyword_filter(corpus)
    assert found.search("Withdraw THE money by Western Union")
    assert not found.search("hello, who is up for a game tonight?")
    hits = {
        kind: [bool(found.search(m.text)) for one in corpus if one.kind == kind for m in one.messages]
        for kind in ("benign", "sextortion")
    }
    shares = {kind: sum(of) / len(of) for kind, of in hits.items()}
    assert shares["sextortion"] > 3 * shares["benign"]


# Load.


def test_arrivals_are_drawn_once_and_come_at_the_rate() -> None:
    due = load.arrivals(20_000, 500.0)
    assert due == load.arrivals(20_000, 500.0)
    assert due != load.arrivals(20_000, 500.0, seed=8)
    assert all(first < second for first, second in pairwise(due))
    assert due[-1] == pytest.approx(40, rel=0.05)
    gaps = [second - first for first, second in pairwise(due)]
    assert sum(gap > 2 * due[-1] / 20_000 for gap in gaps) / len(gaps) == pytest.approx(np.exp(-2), rel=0.1)


def test_what_waits_while_others_are_read_is_counted_from_when_it_was_due(supply: Supply, tmp_path: Path) -> None:
    messages = [load._encoder.encode(message) for message in Mix(supply, 5).take(600)]
    with subject(tmp_path, 5) as parts:
        waited = load.latencies(parts, messages, [0.0] * 600)
        assert sum(parts.guard.levels.values()) == 600
    assert waited == sorted(waited)  # none is due later than another, and each batch waits for those before it
    assert len({*waited}) == 5
    assert waited[-1] > 2 * waited[0]


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.1, 1), (0.5, 5), (0.51, 6), (0.99, 10), (1.0, 10)])
def test_percentiles_are_values_that_were_seen(share: float, value: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], share) == value


# What it takes.


def test_a_haven_of_its_own_tells_what_it_read(supply: Supply, tmp_path: Path) -> None:
    mix = Mix(supply, 5)
    with child(tmp_path, 5) as haven:
        assert haven.tell().messages == 0
        haven.read(mix.take(700))
        told = haven.tell()
        assert (told.messages, told.cpu > 0, told.whole_cpu > told.cpu, told.resident > 10**7) == (
            700,
            True,
            True,
            True,
        )
        assert haven.tell().messages == 0


def test_a_haven_that_ends_early_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with child(tmp_path / "file", 5) as haven, pytest.raises(InputError, match="ended"):
        haven.tell()


def test_rows_are_copies_of_cases_about_others(supply: Supply, tmp_path: Path) -> None:
    with subject(tmp_path, 30) as parts:
        receive(parts, Mix(supply, 30).coercive(1500))
    store = open_store(Config(), tmp_path, {})
    before = store.query("SELECT id, space, account FROM cases ORDER BY id")
    store.close()
    size = seed(tmp_path, 20_000)
    store = open_store(Config(), tmp_path, {})
    try:
        tables = ("cases", "targets", "recipients", "outbox", "campaigns", "marks")
        counts = {table: store.query(f"SELECT count(*) FROM {table}")[0][0] for table in tables}  # noqa: S608
        assert sum(counts.values()) >= 20_000
        assert size == store.size()
        assert {*before} < {*store.query("SELECT id, space, account FROM cases")}
        assert store.query("SELECT count(DISTINCT account) FROM cases")[0][0] == counts["cases"]
        assert not store.query("PRAGMA foreign_key_check")
        assert not store.backlogs()
        assert all(store.case_of(id) for (id,) in store.query("SELECT id FROM cases"))
    finally:
        store.close()


def test_rows_need_a_case_to_copy(tmp_path: Path) -> None:
    with subject(tmp_path, 1):
        pass
    with pytest.raises(InputError, match="no case to copy"):
        seed(tmp_path, 100)


def test_more_rows_are_come_to_by_way_of_fewer() -> None:
    assert Size().with_rows(10_000_000).rows == (0, 1_000_000, 10_000_000)
    assert Size().with_rows(1_000).rows == (0, 1_000)
    assert Size().with_rows(None) == Size()


# The command.


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page") / "page.md"


def test_a_quick_run_prints_one_object_and_writes_a_page_with_plots(invoke: Invoke, page: Path) -> None:
    page.write_text("before\n<!-- haven bench: begin -->\nold\n<!-- haven bench: end -->\nafter\n", encoding="utf-8")
    plots = page.parent / "some plots"
    result = invoke("bench", "--quick", "--json", "--data", CORPUS, "--card", page, "--plots", plots)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    _has_numbers(found)
    _page_shows(page, found, plots)


def _has_numbers(found: dict[str, Any]) -> None:
    asked = {
        "message_model": ("per_second", "vs_sklearn_batch", "vs_sklearn_single"),
        "guard": ("per_second", "vs_keyword_filter", "p99_ms_half_load"),
        "normalisation": ("per_second",),
        "machine": ("cpu", "cores", "python"),
        "messages": ("source", "different", "sextortion", "read", "characters", "words", "conversations"),
        "event_loop": ("lag_ms",),
    }
    for key, names in asked.items():
        assert {*names} <= {*found[key]}, key
    assert all(value > 0 for key in ("message_model", "normalisation") for value in found[key].values())
    assert all(found["guard"][name] > 0 for name in asked["guard"])
    for load_, by in found["guard"]["latency_ms"].items():
        assert load_ in ("10%", "50%", "90%")
        assert 0 < by["p50"] <= by["p99"] <= by["p99.9"]
    assert found["guard"]["latency_ms"]["50%"]["p99"] == found["guard"]["p99_ms_half_load"]
    sizes = [str(count) for count in QUICK.filled]
    for key in ("rss_mb", "bytes_per_conversation", "lines_per_conversation", "cost_by_conversations_us"):
        assert [*found[key]] == sizes, key
    assert all(mib > 10 for mib in found["rss_mb"].values())
    assert {*found["lines_per_conversation"].values()} == {QUICK.lines}
    assert found["full_ring"]["lines"] == RING
    assert [*found["cost_by_rows_us"]] == [str(rows) for rows in QUICK.rows]
    assert [*found["cost_by_length_us"]] == [str(length) for length in QUICK.lengths]
    assert {*found["adapters"]} == {"discord", "telegram"}
    for key in ("ready_seconds", "ready_cpu_seconds", "help_cpu_seconds"):
        assert found[key] > 0, key
    assert found["bytes_per_million_messages"] >= 0
    assert found["reference"]["agreement_messages"] == QUICK.compared


def _page_shows(page: Path, found: dict[str, Any], plots: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- haven bench: begin -->\n")
    assert text.endswith("<!-- haven bench: end -->\nafter\n")
    assert "old" not in text.split("\n")
    assert text.split("\n\n")[1].startswith("A quick run, in which everything is tried and no number means anything.")
    assert found["machine"]["cpu"] in text
    assert f"{found['guard']['per_second']:,.0f}" in text
    pictures = re.findall(r"!\[.+\]\((.+)\)", text)
    assert [page.parent / picture for picture in pictures] == sorted(plots.iterdir())
    for picture in plots.iterdir():
        assert picture.read_text(encoding="utf-8").startswith("<?xml")


def test_the_same_numbers_draw_the_same_plots(tmp_path: Path) -> None:
    costs = {"1000": 20.0, "10000": 21.0}
    found = {"cost_by_conversations_us": costs, "cost_by_length_us": costs, "normalisation_by_length_us": costs}
    first, second = ([file.read_bytes() for file in draw(found, tmp_path / name).values()] for name in "ab")
    assert first == second


def test_bad_input_is_one_line(invoke: Invoke, refused: Refused, tmp_path: Path) -> None:
    refused(invoke("bench"), "data/corpus", "checkout", "--data")
    for name in ("empty", "small", "bad"):
        (tmp_path / name).mkdir()
    shutil.copy(CORPUS / "writer01.jsonl", tmp_path / "small")
    refused(invoke("bench", "--data", "empty"), "empty", "no corpus here")
    refused(invoke("bench", "--data", "small", "--real", "empty"), "empty", "no transcripts here")
    (tmp_path / "bad" / "chat.jsonl").write_text('{"messages": []}\nhello\n')
    refused(invoke("bench", "--data", "small", "--real", "bad"), "chat.jsonl:2", "not JSON")
    (tmp_path / "bad" / "chat.jsonl").write_text('{"messages": []}\n')
    refused(invoke("bench", "--data", "small", "--real", "bad"), "bad", "no ordinary conversations")
    (tmp_path / "page.md").write_text("nothing to see\n")
    refused(invoke("bench", "--data", "small", "--card", "page.md"), "page.md", "haven bench: begin")


@pytest.mark.parametrize("arguments", [["more"], ["--rows", "0"], ["--rows", "many"], ["--card", "."]], ids=" ".join)
def test_wrong_usage_ends_with_2(invoke: Invoke, arguments: list[str]) -> None:
    assert invoke("bench", *arguments).exit_code == 2


def test_a_pause_of_a_conversation_is_the_same_however_many_there_are(supply: Supply) -> None:
    for conversations in (10, 100):
        messages = Mix(supply, conversations).take(20 * conversations)
        apart = [m.sent_at for m in messages if m.channel == messages[0].channel]
        gaps = [second - first for first, second in pairwise(apart)]
        assert timedelta(seconds=18) < sum(gaps, timedelta()) / len(gaps) < timedelta(seconds=22)
