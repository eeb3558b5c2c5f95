"""Scales, thresholds and tables, against numbers reckoned by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from byhand import Meaning, adding_model

from classifiers.assessment import Assessment, Kind, Level, Marker, Sensitivity
from classifiers.calibration import FALSE_ALARMS, HeldOut, Peak, calibrated, held_out, loudest, peaks
from classifiers.classifier import Classifier
from classifiers.conversation import Account, Message
from classifiers.corpus import POSITIVE, Labelled, load_corpus
from classifiers.model import GROUPS, MARKERS, Model, Thresholds
from classifiers.ordinary import false_alerts
from classifiers.tables import Table
from classifiers.terms import weight
from classifiers.training import fit, prepare
from classifiers.validation import summary, tables

TINY = Path(__file__).parent / "corpus"
NOW = datetime(2026, 5, 1, tzinfo=UTC)
A, B, C = (Account("test", name) for name in "ABC")
NOWHERE = -99.0


NEVER_LOUD = dict.fromkeys(Kind, -99.0)


def a_model() -> Model:
    """Return a model by hand: "pay" and "hurry" are clear markers and count as a threat, "me" does not."""
    return adding_model(
        {
            "pay": Meaning([Marker.PAYMENT_DEMAND], {Kind.THREAT: 1}),
            "hurry": Meaning([Marker.PRESSURE], {Kind.THREAT: 1}),
            "me": Meaning([Marker.VICTIM_DISCLOSURE]),
        }
    )


def said(*turns: str) -> tuple[Message, ...]:
    return tuple(Message(str(at), "s", "c", Account("test", turn[0]), turn[3:], NOW) for at, turn in enumerate(turns))


def labelled(kind: str, writer: str = "ann", lang: str = "en", messages: Sequence[Message] = ()) -> Labelled:
    distress = frozenset({Marker.DISTRESS})
    marked = {"sextortion": frozenset(MARKERS) - distress, "victim_disclosure": distress}
    return Labelled(
        id="",
        writer=writer,
        lang=lang,
        kind=kind,
        messages=tuple(messages) or said("A: words"),
        markers=(marked.get(kind, frozenset()),),
        offenders=frozenset({A}),
        targets=frozenset({B}),
    )


def peak(highest: float, group: str, *, supported: bool = True, target: Account = B) -> Peak:
    best = Assessment("0", "s", "c", NOW, Kind.THREAT, Level.ADVISE, 0.9, A, target)
    return Peak(highest, highest if supported else NOWHERE, group, best if supported else None)


def held(
    kind: str,
    threat: float,
    disclosure: float,
    *,
    writer: str = "ann",
    lang: str = "en",
    supported: bool = True,
    target: Account = B,
    marked: float = 0.1,
) -> HeldOut:
    """Return a conversation with its peaks; every marker but distress has the probability `marked`."""
    group = GROUPS[lang != "en"]
    scores = [0.1 if marker is Marker.DISTRESS else marked for marker in MARKERS] + [0.0] * 5
    found = {
        Kind.THREAT: peak(threat, group, supported=supported, target=target),
        Kind.DISCLOSURE: peak(disclosure, group),
    }
    return HeldOut(labelled(kind, writer, lang), found, [scores])


def by_hand(writer: str) -> list[HeldOut]:
    """Return 27 conversations of one writer.

    The hard negatives' peaks are -2, -1.9 … -0.1 as threats and -5, -4.9 … -3.1 as disclosures.
    """
    return [
        held("sextortion", 3, -6, writer=writer, marked=0.9),
        held("sextortion", 2, -6, writer=writer, marked=0.9, target=C),
        held("sextortion", 1, -6, writer=writer, marked=0.9, supported=False),
        held("sextortion", -0.25, -6, writer=writer, marked=0.2),
        *(
            held("hard_negative", -2 + at / 10, -5 + at / 10, writer=writer, marked=0.6 if at == 0 else 0.1)
            for at in range(20)
        ),
        held("victim_disclosure", -6, 2, writer=writer),
        held("victim_disclosure", -6, -4.55, writer=writer),
        held("benign", -6, -6, writer=writer, lang="cy"),
    ]


SEEN = [*by_hand("ann"), *by_hand("bob")]


@pytest.fixture(scope="module")
def found() -> dict[str, Table]:
    return {table.title: table for table in tables(a_model(), SEEN, NEVER_LOUD)}


def rows(table: Table) -> dict[str, tuple[str, ...]]:
    """Return the cells of each row by its first cell, or its first two where the first recurs."""
    width = 1 if len({row[0] for row in table.rows}) == len(table.rows) else 2
    return {", ".join(row[:width]): row[width:] for row in table.rows}


def test_what_is_alerted(found: dict[str, Table]) -> None:
    table = rows(found["What is alerted"])
    assert table["english, sextortion"] == ("8", "50.0%", "50.0%", "0.0%", "0.0%")
    assert table["english, hard negative"] == ("40", "5.0%", "5.0%", "5.0%", "5.0%")
    assert table["english, victim disclosure"] == ("4", "0.0%", "0.0%", "50.0%", "50.0%")
    assert table["english, benign"] == ("0", "–", "–", "–", "–")
    assert table["other, benign"] == ("2", "0.0%", "0.0%", "0.0%", "0.0%")


def test_how_well_scores_separate(found: dict[str, Table]) -> None:
    assert rows(found["How well scores separate"]) == {
        "threat": ("english", "8", "40", "0.975", "0.75", "0.75", "1.00"),
        "disclosure": ("english", "4", "40", "0.625", "0.50", "0.50", "0.50"),
    }


def test_writer_by_writer(found: dict[str, Table]) -> None:
    cells = ("50.0% of 4", "5.0% of 20", "50.0% of 2", "0.0% of 1")
    assert rows(found["Writer by writer"]) == {"ann": cells, "bob": cells}


def test_markers(found: dict[str, Table]) -> None:
    table = rows(found["Markers"])
    # Six of the eight are said at 0.9, then two that are not so at 0.6, then the other two at 0.2: 6/8 + 2/8 * 8/10.
    assert table.pop("distress") == ("4", f"{4 / 54:.2f}", "0.00", "0.00")
    assert table == dict.fromkeys(
        [marker.replace("_", " ") for marker in MARKERS if marker is not Marker.DISTRESS],
        ("8", "0.95", "0.75", "0.75"),
    )


def test_who_does_it_to_whom(found: dict[str, Table]) -> None:
    assert rows(found["Who does it to whom"]) == {"sender": ("100.0%",), "target": ("50.0%",)}


def test_the_summary_has_the_same_numbers() -> None:
    assert summary(a_model(), SEEN, NEVER_LOUD) == {
        "writers": 2,
        "conversations": 54,
        "threat auc english": 0.975,
        "threat alerted sextortion": 0.5,
        "threat alerted hard_negative": 0.05,
        "threat alerted victim_disclosure": 0.0,
        "threat alerted benign": 0.0,
        "disclosure auc english": 0.625,
        "disclosure alerted sextortion": 0.0,
        "disclosure alerted hard_negative": 0.05,
        "disclosure alerted victim_disclosure": 0.5,
        "disclosure alerted benign": 0.0,
    }


def test_a_writer_is_held_to_the_thresholds_of_the_others() -> None:
    louder = [held("sextortion", 8, -6, writer="bob"), *[held("hard_negative", 5, -4, writer="bob")] * 20]
    louder += [held("victim_disclosure", -6, 2, writer="bob")]
    table = rows(tables(a_model(), [*by_hand("ann"), *louder], NEVER_LOUD)[2])
    assert table["ann"][0] == "0.0% of 4"
    assert table["bob"][1] == "100.0% of 20"


def test_a_table_in_markdown() -> None:
    table = Table("Weather", "As it was.", ("day", "rain"), (("Monday", "yes"), ("Tuesday", "no")))
    assert table.markdown() == (
        "### Weather\n\nAs it was.\n\n| day | rain |\n|---|---|\n| Monday | yes |\n| Tuesday | no |\n"
    )


def test_false_alerts_are_counted_by_account_per_100_000_messages(tmp_path: Path) -> None:
    talks = [["A: pay and hurry up", "B: no", "A: pay", "A: hurry"], ["B: lovely", "A: is it"], [], ["C: me me me"]]
    turned: list[list[dict[str, object]]] = [[{"from": turn[0], "text": turn[3:]} for turn in turns] for turns in talks]
    turned[0].append({"from": "A", "text": "so long ago", "t": 1e7})
    lines = [json.dumps({"messages": messages}) for messages in turned]
    (tmp_path / "harbour.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "nobody.jsonl").write_text("", encoding="utf-8")
    alert = Thresholds(0.4, 0.4, 1.0)
    never = Thresholds(1.0, 1.0, 1.0)
    advise = Thresholds(0.4, 0.4, 0.4)
    by_group = dict(zip(Sensitivity, (dict.fromkeys(GROUPS, each) for each in (never, alert, advise)), strict=True))
    silent = dict.fromkeys(Sensitivity, dict.fromkeys(GROUPS, never))
    model = replace(a_model(), thresholds={Kind.THREAT: by_group, Kind.DISCLOSURE: silent})
    table = false_alerts(model, sorted(tmp_path.glob("*.jsonl")))
    assert table.columns[:3] == ("community", "conversations", "messages")
    assert table.columns[3:6] == ("low: threat", "low: disclosure", "low: advised")
    one_of_eight = f"{1e5 / 8:.1f}"
    assert table.rows == (
        ("harbour", "4", "8", "0.0", "0.0", "0.0", one_of_eight, "0.0", "0.0", one_of_eight, "0.0", one_of_eight),
        ("nobody", "0", "0", *["0.0"] * 9),
    )


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("sensitivity", Sensitivity)
def test_thresholds_keep_the_rates_of_false_alarms(kind: Kind, sensitivity: Sensitivity) -> None:
    chance = np.random.default_rng(3)
    negatives = {
        "english": [held("hard_negative", each, each) for each in chance.normal(size=1000)],
        "other": [held("hard_negative", each, each, lang="cy") for each in chance.normal(-1, size=1000)],
    }
    positives = [held(kind, each, each) for kind in POSITIVE.values() for each in chance.normal(2, size=500)]
    model = calibrated(a_model(), [*chain(*negatives.values()), *positives], NEVER_LOUD)
    for group, conversations in negatives.items():
        thresholds = model.thresholds[kind][sensitivity][group]
        levels = [thresholds.level(model.scales[kind](one.peaks[kind].highest)) for one in conversations]
        for level, rate in zip((Level.NOTICE, Level.ALERT, Level.ADVISE), FALSE_ALARMS[kind][sensitivity], strict=True):
            share = np.mean([each >= level for each in levels])
            assert rate - 0.003 <= share <= rate
    english, other = (model.thresholds[kind][sensitivity][group] for group in GROUPS)
    assert other < english, "each group of languages is held to its own hard negatives"


def test_a_group_without_hard_negatives_is_never_alerted() -> None:
    model = calibrated(a_model(), SEEN, NEVER_LOUD)
    assert model.thresholds[Kind.THREAT][Sensitivity.HIGH]["other"] == Thresholds(1.0, 1.0, 1.0)


@pytest.mark.parametrize("kind", Kind)
def test_scores_are_probabilities(kind: Kind) -> None:
    model = calibrated(a_model(), SEEN, NEVER_LOUD)
    scores = [model.scales[kind](one.peaks[kind].highest) for one in SEEN]
    assert model.scales[kind].slope > 0
    assert np.mean(scores) == pytest.approx(np.mean([one.labelled.kind == POSITIVE[kind] for one in SEEN]), abs=0.01)


def test_calibrating_leaves_the_rest_of_the_model_alone() -> None:
    model = a_model()
    assert replace(calibrated(model, SEEN, NEVER_LOUD), scales=model.scales, thresholds=model.thresholds) == model


def test_peaks_are_the_highest_sums_of_a_conversation_with_and_without_support() -> None:
    model = a_model()
    turns = said("B: hello", "A: pay", "A: hurry", "B: pay, pay, pay, pay, pay", "A: so")
    found, lines = peaks(Classifier(model), turns)
    threat = found[Kind.THREAT]
    assert threat.supported == pytest.approx(-1 + 2 * weight(1))
    assert threat.highest == pytest.approx(-1 + 5 * weight(9))
    assert threat.highest > threat.supported
    assert threat.best is not None
    assert (threat.best.message_id, threat.best.sender, threat.best.target) == ("2", A, B)
    assert [(each.marker, each.excerpt) for each in threat.best.evidence] == [
        (Marker.PAYMENT_DEMAND, "pay"),
        (Marker.PRESSURE, "hurry"),
    ]
    assert found[Kind.DISCLOSURE] == Peak(-1, NOWHERE, "english", None)
    assert len(lines) == len(turns)


def test_every_conversation_is_held_out_once_and_read_by_a_model_without_its_writer() -> None:
    corpus = load_corpus(TINY)
    examples = prepare(corpus, ordinary_conversations=5)
    by_writer = list(held_out(corpus, examples, jobs=1))
    assert [one.labelled for writer in by_writer for one in writer] == list(corpus.conversations)
    for writer, seen in zip(corpus.writers, by_writer, strict=True):
        model = fit(examples, without=[writer])
        for one in seen:
            assert one.labelled.writer == writer
            assert (one.peaks, one.line_scores) == peaks(Classifier(model), one.labelled.messages)
    titles = [
        table.title for table in tables(fit(examples), [one for writer in by_writer for one in writer], NEVER_LOUD)
    ]
    assert len({*titles}) == 5


def test_ordinary_chat_raises_the_thresholds_of_english_alerts_but_not_at_high_sensitivity() -> None:
    calm, loud = (calibrated(a_model(), SEEN, dict.fromkeys(Kind, quiet)) for quiet in (-99.0, 3.0))
    for kind in Kind:
        silent = loud.scales[kind](3.0)
        for sensitivity in Sensitivity:
            before, now = calm.thresholds[kind][sensitivity], loud.thresholds[kind][sensitivity]
            assert now["other"] == before["other"]
            assert now["english"].notice == before["english"].notice
            if sensitivity is Sensitivity.HIGH:
                assert now == before
            else:
                assert now["english"].alert > silent
                assert now["english"].advise >= now["english"].alert


def test_the_second_loudest_ordinary_conversation_counts() -> None:
    talks = [said("A: pay", "A: hurry"), said("A: pay", "A: hurry", "A: pay"), said("A: hello", "B: hi")]
    found = loudest(a_model(), talks)
    assert found[Kind.THREAT] == peaks(Classifier(a_model()), talks[0])[0][Kind.THREAT].supported > -1
    assert found[Kind.DISCLOSURE] == -99
