"""The terms of a line."""

from __future__ import annotations

import tracemalloc
from itertools import product

from classifiers.terms import terms, weight
from classifiers.words import words


def test_a_word_gives_itself_its_pieces_and_its_neighbours() -> None:
    assert terms(["hi"]) == ["hi", "~<h", "~hi", "~i>", "~<hi", "~hi>", "~<hi>", "^ hi", "hi $"]


def test_pieces_have_two_to_five_characters_with_the_edges_marked() -> None:
    pieces = [term for term in terms(["photos"]) if term.startswith("~")]
    lengths = range(2, 6)
    assert sorted(map(len, pieces)) == sorted(length + 1 for length in lengths for _ in range(8 - length + 1))
    assert all(piece[1:] in "<photos>" for piece in pieces)
    assert {"~<p", "~s>", "~photo", "~hotos"} <= set(pieces)


def test_pairs_run_from_the_word_before_to_the_end() -> None:
    pairs = [term for term in terms(["pay", "me", "now"], before="or") if " " in term]
    assert pairs == ["or pay", "pay me", "me now", "now $"]


def test_an_empty_line_is_only_a_pair() -> None:
    assert terms([]) == ["^ $"]
    assert terms([], before="pay") == ["pay $"]


def test_no_word_looks_like_a_piece() -> None:
    assert not [term for term in words("~hi ~~ h~i hi~") if "~" in term]


def test_long_lines_say_less_a_word() -> None:
    weights = [weight(length) for length in (0, 1, 5, 50, 500)]
    assert weights[0] == 1.0
    assert weights == sorted(weights, reverse=True)
    assert len(set(weights)) == len(weights)


def test_saying_a_word_again_and_again_says_more_but_ever_less_more() -> None:
    said = [count * weight(count) for count in (1, 10, 100)]
    assert said == sorted(said)
    assert said[2] / said[1] < said[1] / said[0]


def test_long_invented_words_leave_nothing_in_memory() -> None:
    long_words = ("".join(letters) * 500 for letters in product("abcdefgh", "ijklmnop"))
    terms(["warm", "up"])
    tracemalloc.start()
    try:
        for word in long_words:
            terms([word])
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    one_word = 1000 * 4 * 50
    assert left < one_word
