"""The hash of scripts: near-duplicates share a band, and different people's words do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import pytest

from bot.scripts import bands
from classifiers.assessment import Marker
from classifiers.corpus import Labelled, load_corpus

ROOT = Path(__file__).parents[1]
LINE = "send me 400 in gift cards or i send the video to your mum and your whole family tonight"
COERCIVE = {
    Marker.PAYMENT_DEMAND,
    Marker.SHARE_THREAT,
    Marker.CONTACTS_THREAT,
    Marker.IMAGE_CLAIM,
    Marker.COMPLIANCE_DEMAND,
    Marker.PRESSURE,
}


def alike(a: Iterable[str], b: Iterable[str]) -> bool:
    return bool(bands(a) & bands(b))


@pytest.mark.parametrize(
    "copy",
    [
        LINE,
        LINE.upper(),
        LINE.replace("400", "750"),
        f"**{LINE}**!!!",
        LINE.replace("e", "е"),  # a Cyrillic letter
        LINE.replace(" ", "  ") + " \u200b",
        LINE.replace("mum", "mom"),
        f"hey {LINE}",
    ],
)
def test_a_copied_line_is_known_again(copy: str) -> None:
    assert alike([LINE], [copy])


@pytest.mark.parametrize(
    "other",
    [
        "i will send the photos of the party to your mum and the whole family tomorrow, they are lovely",
        "pay me 400 by tonight or everybody whom you know gets to see what i recorded of you",
        "you have 30 minutes. dont block me or i post it everywhere",
    ],
)
def test_other_words_for_the_same_are_not(other: str) -> None:
    assert not alike([LINE], [other])


def test_a_short_line_marks_nothing_by_itself() -> None:
    assert bands(["send me money or i post it"]) == frozenset()
    assert bands([]) == bands(["", "!!! ???"]) == frozenset()


def test_a_script_in_short_lines_is_known_by_all_of_them() -> None:
    lines = ["i have your nudes", "i saved your followers list", "send me 200 now", "or everyone sees them"]
    assert alike(lines, [line.upper() for line in lines])
    assert not alike(lines, ["i have your nudes", "hahaha just kidding", "see you at the cinema", "bring your sister"])


def test_long_and_odd_text_is_no_trouble() -> None:
    assert alike([LINE * 100], [LINE * 100])
    assert bands(["\u202e" * 5000, "🙂 " * 3000, "x" * 10_000]) == frozenset()


def conversations() -> list[tuple[str, Labelled]]:
    found = [
        (folder, one) for folder in ("corpus", "test") for one in load_corpus(ROOT / "data" / folder).conversations
    ]
    return [(f"{folder} {one.writer}", one) for folder, one in found]


SAME_MAIL = (("corpus writer33", "w33-0007"), ("corpus writer57", "w57-0016"))
"""Two writers quote one mass mail, nearly word for word, and others laugh at it: that is the same script."""


def test_no_two_writers_of_the_corpus_are_linked_as_if_everything_they_wrote_were_evidence() -> None:
    """Lines that coerce, and everything that is said in conversations that only look like it: jokes, debts, ransom."""
    holders: dict[bytes, set[tuple[str, str]]] = defaultdict(set)
    speakers = 0
    for writer, one in conversations():
        lines: dict[str, list[str]] = defaultdict(list)
        for message, markers in zip(one.messages, one.markers, strict=True):
            if one.kind == "hard_negative" or (one.kind == "sextortion" and markers & COERCIVE):
                lines[message.author.id].append(message.text[:200])
        for said in lines.values():
            speakers += 1
            for band in bands(said):
                holders[band].add((writer, one.id))
    linked = {(a, b) for held in holders.values() for a, b in combinations(sorted(held), 2) if a[0] != b[0]}
    assert speakers > 20_000
    assert linked == {SAME_MAIL}
