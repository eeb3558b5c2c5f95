"""Payment handles: what is one, in which form it is compared, and what never is one."""

from __future__ import annotations

import time
from itertools import combinations
from pathlib import Path

import pytest

from bot.handles import handles
from classifiers.corpus import load_corpus

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("send it to my cash app $BigRick22 now", "cashapp:bigrick22"),
        ("CASHAPP: $bigrick22", "cashapp:bigrick22"),
        ("https://cash.app/$BigRick22", "cashapp:bigrick22"),
        ("paypal.me/BigRick.", "paypal:bigrick"),
        ("https://www.paypal.com/paypalme/bigrick", "paypal:bigrick"),
        ("pay pal is big.rick+x@gmail.com ok?", "paypal:big.rick+x@gmail.com"),
        ("revolut @rickr", "revolut:rickr"),
        ("my revtag is @RickR", "revolut:rickr"),
        ("venmo me @rick-99", "venmo:rick-99"),
        ("iban GB82 WEST 1234 5698 7654 32, today", "iban:GB82WEST12345698765432"),
        ("de89370400440532013000", "iban:DE89370400440532013000"),
        ("btc 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "wallet:1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
        ("BC1QAR0SRRR7XFKVY5L643LYDNW9RE59GTZZWF5MDQ", "wallet:bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
        (
            "usdt 0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe",
            "wallet:0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae",
        ),
        ("bc1qar0srrr7xf\u200bkvy5l643lydnw9re59gtzzwf5mdq", "wallet:bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
        ("call me on +44 7911 123456", "phone:+447911123456"),
        ("0044 (7911) 123-456", "phone:+447911123456"),
        ("$ashtag on ｃａｓｈ ａｐｐ $ｂｉｇｒｉｃｋ", "cashapp:bigrick"),
    ],
)
def test_a_handle_is_found_in_one_form(text: str, found: str) -> None:
    assert handles(text) == {found}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "400 in steam gift cards or an apple card, amazon will do too",
        "$TSLA to the moon, $400 by friday",
        "@bob pay me on paypal or i post it",
        "venmo @somebody, revolut @everyone",
        "+10000000 aura",
        "+1 000 000 0000",
        "ring Crimestoppers on 0800 555 111 or +44 800 555 111, police 101, Samaritans 116 123",
        "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL",
        "1111111111111111111111111111111111",
        "GB82 WEST 1234 5698 7654 33",
        "write to rick@gmail.com",
        "see https://example.org/paypal/me",
        "commit 5c8ef3bcd2aa7af3e1d2 and 2026-11-21 12:00",
    ],
)
def test_what_is_nobodys_own_is_no_handle(text: str) -> None:
    assert handles(text) == frozenset()


def test_telephone_numbers_can_be_left_out() -> None:
    text = "+44 7911 123456 or cashapp $rick"
    assert handles(text, phones=False) == {"cashapp:rick"}


def test_hostile_text_is_read_in_no_time() -> None:
    for piece in (
        "+1",
        "+1 ",
        "GB82 AAAA ",
        "paypal ",
        "x@",
        "a.b@",
        "0xa",
        "$a",
        "cash app $",
        "(+1",
        "1A",
        "venmo me is ",
    ):
        start = time.perf_counter()
        handles(piece * 20_000)
        assert time.perf_counter() - start < 0.25, piece


def test_no_two_writers_of_the_corpus_share_a_handle() -> None:
    found: dict[str, set[str]] = {}
    for folder in ("corpus", "test"):
        for one in load_corpus(ROOT / "data" / folder).conversations:
            for message in one.messages:
                found.setdefault(f"{folder} {one.writer}", set()).update(handles(message.text))
    shared = {tuple(sorted(a & b)) for a, b in combinations(found.values(), 2)} - {()}
    assert shared == set()
