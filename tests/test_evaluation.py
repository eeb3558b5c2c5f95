"""What a report says of labelled conversations, counted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from classifiers.assessment import Kind, Marker
from classifiers.conversation import Account
from classifiers.corpus import Labelled, load_corpus
from classifiers.disguises import DISGUISES, disguised
from classifiers.evaluation import (
    Outcome,
    Share,
    goals,
    obfuscation,
    resampled,
    second_demand,
    share,
    tables,
    unmistakable,
)
from classifiers.normalise import normalise
from classifiers.plots import draw, draw_learning
from classifiers.tables import Table
from classifiers.transcript import Transcript, TranscriptMessage, to_messages
from classifiers.words import words

TINY = Path(__file__).parent / "corpus"
PAY, SHARE, CLAIM, PRESS = Marker.PAYMENT_DEMAND, Marker.SHARE_THREAT, Marker.IMAGE_CLAIM, Marker.PRESSURE


def labelled(kind: str, *turns: tuple[str, Sequence[Marker]], lang: str = "en", crisis: bool = False) -> Labelled:
    """Return a conversation in which A is the offender and B the target; a turn is who writes, and its markers."""
    transcript = Transcript([TranscriptMessage(who, f"{who} writes {at}") for at, (who, _) in enumerate(turns)])
    return Labelled(
        id=f"{kind}-{lang}",
        writer="ann",
        lang=lang,
        kind=kind,
        messages=tuple(to_messages(transcript, kind)),
        markers=tuple(frozenset(markers) for _, markers in turns),
        offenders=frozenset({Account("transcript", "A")}),
        targets=frozenset({Account("transcript", "B")}),
        crisis=crisis,
    )


def outcome(of: Labelled, verdict: str = "none", first_alert: int | None = None, **changes: object) -> Outcome:
    known: dict[str, object] = {
        "labelled": of,
        "verdict": verdict,
        "scores": {Kind.THREAT: 0.75, Kind.DISCLOSURE: 0.25},
        "first_alert": first_alert,
        "first_advice": None,
        "sender": "A",
        "target": "B",
        "crisis": False,
    }
    return Outcome(**(known | changes))  # type: ignore[arg-type]


THREAT = labelled("sextortion", ("B", []), ("A", [CLAIM]), ("A", [PAY]), ("B", []), ("A", [PAY, SHARE]))
FRENCH = labelled("sextortion", ("A", [PAY, SHARE]), ("B", []), lang="fr", crisis=True)
TOLD = labelled("victim_disclosure", ("B", [Marker.VICTIM_DISCLOSURE]), ("C", []))
LOOKS = labelled("hard_negative", ("A", [PAY]), ("B", []))
PLAIN = labelled("benign", ("A", []), ("B", []))


def measured(*outcomes: Outcome) -> dict[str, Share]:
    return {goal.what: goal.share for goal in goals(outcomes)}


def test_coercion_is_unmistakable_once_there_is_a_threat_and_a_demand() -> None:
    assert unmistakable(THREAT) == 2
    assert unmistakable(labelled("sextortion", ("A", [PRESS]), ("A", [SHARE]), ("A", [PRESS]))) == 1
    assert unmistakable(labelled("sextortion", ("B", [PAY, SHARE]), ("A", []))) is None


def test_the_second_demand_is_an_offenders() -> None:
    assert second_demand(THREAT) == 4
    assert second_demand(labelled("sextortion", ("A", [PAY]), ("B", [PAY]))) is None


def test_recall_is_by_language_and_only_by_the_right_verdict() -> None:
    found = measured(
        outcome(THREAT, "sextortion", 2),
        outcome(THREAT, "disclosure", 2),
        outcome(THREAT),
        outcome(FRENCH, "sextortion", 0),
    )
    assert found["sextortion alerted, English"].value == pytest.approx(1 / 3)
    assert found["sextortion alerted, other languages"][::3] == (1, 1)


def test_an_alert_is_in_time_up_to_the_unmistakable_line() -> None:
    found = measured(*(outcome(THREAT, "sextortion", at) for at in (1, 2, 3, 4)))
    assert found["of the alerted: by the first unmistakable coercion"][::3] == (0.5, 4)


def test_false_alarms_of_either_kind_count() -> None:
    found = measured(
        outcome(LOOKS, "sextortion", 0, first_advice=1),
        outcome(LOOKS, "disclosure", 0),
        outcome(LOOKS),
        outcome(LOOKS),
        outcome(PLAIN),
        outcome(PLAIN, "disclosure", 0),
        outcome(TOLD, "sextortion", 0),
        outcome(TOLD, "disclosure", 0),
    )
    assert found["hard negatives alerted"].value == 0.5
    assert found["hard negatives advised"].value == 0.25
    assert found["ordinary conversations alerted"].value == 0.5
    assert found["disclosures recognised"].value == 0.5


def test_people_are_judged_among_the_alerted_and_a_crisis_where_it_was_stated() -> None:
    found = measured(
        outcome(THREAT, "sextortion", 2, sender="B", target=None),
        outcome(FRENCH, "sextortion", 0, crisis=True),
        outcome(THREAT, sender="C", target="C"),
    )
    assert found["right sender, of the alerted"][::3] == (0.5, 2)
    assert found["right target, of the alerted"][::3] == (0.5, 2)
    assert found["crisis recognised when stated"][::3] == (1, 1)


def test_an_interval_holds_the_share_and_narrows_with_more_cases() -> None:
    few, many = share([True, False] * 5), share([True, False] * 500)
    assert few.low < 0.5 < few.high
    assert many.high - many.low < (few.high - few.low) / 5
    assert share([]) == (0, 0, 0, 0)
    assert str(share([])) == "–"


@pytest.mark.parametrize(
    ("hits", "cases", "low", "high"), [(0, 20, 0.0, 0.161), (20, 20, 0.839, 1.0), (1, 100, 0.0018, 0.0545)]
)
def test_the_interval_is_wilsons(hits: int, cases: int, low: float, high: float) -> None:
    found = share([True] * hits + [False] * (cases - hits))
    assert found[1:3] == pytest.approx((low, high), abs=1e-3)


def test_twins_are_drawn_together() -> None:
    twins = [replace(labelled(kind, ("A", [PAY]), ("B", [])), pair="1") for kind in ("sextortion", "hard_negative")]
    (low, high), *others = resampled([outcome(twins[0], "sextortion", 0), outcome(twins[1], "sextortion", 0)])
    assert (low, high) == (1, 1), "with a single pair every sample is that pair"
    assert others[3] == (1, 1)


def test_the_tables_tell_verdicts_slices_timing_and_the_worst_errors() -> None:
    outcomes = [
        outcome(THREAT, "sextortion", 3),
        outcome(FRENCH, "sextortion", 0),
        outcome(LOOKS, "sextortion", 0, scores={Kind.THREAT: 0.99, Kind.DISCLOSURE: 0.0}),
        outcome(TOLD, scores={Kind.THREAT: 0.0, Kind.DISCLOSURE: 0.1}),
        outcome(PLAIN),
    ]
    by_title = {table.title: table for table in tables(outcomes)}
    assert len(by_title) == 5
    verdicts = by_title["Verdicts"].rows
    assert ("English", "hard negative", "1", "0", "0") in [row[:5] for row in verdicts]
    timing = {row[0]: row[1] for row in by_title["How early"].rows}
    assert timing["alerted before the second demand, of those with two"].startswith("100.0%")
    assert timing["messages from unmistakable coercion to the alert, mean"] == "0.50"
    assert timing["F1 of sextortion"] == "0.800"
    penalty = np.median([0, 2 / (1 + np.exp(-0.2)) - 1])
    assert timing["latency-weighted F1"] == f"{0.8 * (1 - penalty):.3f}"
    assert [row[0] for row in by_title["The worst errors"].rows] == ["hard_negative-en", "victim_disclosure-en"]
    slices = {row[:2]: row for row in by_title["By writer, surface, length and language"].rows}
    assert set(slices) == {
        ("writer", "ann"),
        ("surface", "dm"),
        ("messages", "up to 4"),
        ("messages", "5 to 8"),
        ("language", "en"),
        ("language", "fr"),
    }
    assert slices["language", "fr"][2].startswith("100.0%")


def test_what_a_disguise_costs_is_in_points() -> None:
    plain = [outcome(THREAT, "sextortion", 2), outcome(FRENCH, "sextortion", 0)]
    table = obfuscation(plain, {"fonts": [plain[0], outcome(FRENCH)]})
    assert [row[:1] + row[2:3] for row in table.rows] == [("none", "+0.0"), ("fonts", "+50.0")]


SENTENCE = "please send money tonight or your family watches everything"


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguise_hides_half_of_the_words_and_the_normaliser_finds_them(disguise: str) -> None:
    turns = Transcript([TranscriptMessage("A", SENTENCE)])
    plain = Labelled(
        "1", "ann", "en", "benign", tuple(to_messages(turns, "1")), (frozenset(),), frozenset(), frozenset()
    )
    hidden = disguised(plain, disguise).messages[0].text
    assert hidden != SENTENCE
    assert sum(word in hidden.split() for word in SENTENCE.split()) in range(3, 8)
    assert disguised(plain, disguise).messages[0].text == hidden
    if disguise != "stretched letters":
        assert words(hidden) == SENTENCE.split()
    else:
        assert normalise(hidden) != hidden


def test_plots_are_pictures(tmp_path: Path) -> None:
    outcomes = [
        outcome(one, scores={Kind.THREAT: 0.9 - at / 10, Kind.DISCLOSURE: at / 10})
        for at, one in enumerate([THREAT, FRENCH, TOLD, LOOKS, PLAIN] * 2)
    ]
    files = [
        *draw(outcomes, tmp_path / "plots"),
        draw_learning({"english": [(10, 0.5), (20, 0.75)]}, tmp_path / "l.png"),
    ]
    assert len(files) == 3
    for file in files:
        assert file.read_bytes().startswith(b"\x89PNG")


def test_the_command_reports_on_anybodys_transcripts(invoke: Callable[..., Result], tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    done = invoke("evaluate", "--on", TINY / "anna.jsonl", "--on", TINY / "ben.jsonl", "--card", card)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    conversations = load_corpus(TINY).conversations
    own = [one for one in conversations if one.writer in {"anna", "ben"}]
    told = {goal["what"]: goal for goal in report["goals"]}
    assert told["hard negatives alerted"]["cases"] == sum(one.kind == "hard_negative" for one in own)
    assert {"circumstances", "goals", "tables"} == set(report)
    assert "### What is asked, and what is measured" in card.read_text(encoding="utf-8")
    assert sorted(file.name for file in (tmp_path / "plots").iterdir()) == ["precision_recall.png", "reliability.png"]


def test_transcripts_that_are_not_labelled_are_named(
    invoke: Callable[..., Result], refused: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "mine.jsonl").write_text('{"messages": [{"from": "A", "text": "hi"}]}\n', encoding="utf-8")
    refused(invoke("evaluate", "--on", "mine.jsonl"), "mine.jsonl:1", "needs an id and a kind")
    refused(invoke("evaluate", "--on", "nowhere.jsonl"), "nowhere.jsonl", "cannot read")
    (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
    refused(invoke("evaluate", "--on", "empty.jsonl"), "empty.jsonl", "no conversations here")


def test_what_is_wrong_is_said_before_the_work_begins(
    invoke: Callable[..., Result], refused: Callable[..., None], tmp_path: Path
) -> None:
    own = ("evaluate", "--on", TINY / "anna.jsonl")
    (tmp_path / "page.md").write_text("no marks", encoding="utf-8")
    refused(invoke(*own, "--card", "page.md"), "page.md", "has no marks")
    refused(invoke("train", "--data", TINY, "--card", "page.md"), "page.md", "has no marks")
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    refused(invoke(*own, "--card", "latin.md"), "latin.md", "cannot read this page")
    refused(invoke(*own, "--real", tmp_path / "nowhere"), "nowhere", "no transcripts here")
    assert invoke(*own, "--learn", TINY).exit_code == 2


def test_somebodys_words_stay_in_their_cell() -> None:
    table = Table("t", "m", ("a", "b"), (("x|y\nz\x1b[1m", "1"),))
    assert table.markdown().splitlines()[-1] == r"| x\|y z [1m | 1 |"
