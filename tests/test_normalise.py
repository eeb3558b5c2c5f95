"""Disguises are undone, and real writing in any script is left as it is."""

from __future__ import annotations

import unicodedata

import pytest

from classifiers.normalise import normalise, words
from classifiers.terms import terms

LIMIT = 4000


@pytest.mark.parametrize(
    ("disguised", "plain"),
    [
        pytest.param("sеnd mоnеу", "send money", id="Cyrillic letters among Latin ones"),
        pytest.param("SЕND МОNEY", "send money", id="Cyrillic capitals among Latin ones"),
        pytest.param("sεnd mοney", "send money", id="Greek letters among Latin ones"),
        pytest.param("ｓｅｎｄ ｍｏｎｅｙ", "send money", id="full-width letters"),
        pytest.param("𝓼𝓮𝓷𝓭 𝗺𝗼𝗻𝗲𝘆", "send money", id="mathematical letters"),
        pytest.param("se\u200bnd mo\u200d\u2060ney\ufeff", "send money", id="zero-width characters"),
        pytest.param("se\u00adnd m\u202eoney", "send money", id="soft hyphen and direction marks"),
        pytest.param("s e n d  m o n e y", "send  money", id="spaced letters"),
        pytest.param("s.e.n.d m-o-n-e-y!", "sendmoney!", id="dotted and hyphenated letters"),
        pytest.param("send m·o·n·e·y", "send money", id="letters with middle dots"),
        pytest.param("s3nd m0n3y n0w", "send money now", id="leetspeak digits"),
        pytest.param("p@y c@$h", "pay cash", id="leetspeak signs"),
        pytest.param("**send** ~~the~~ ||money|| `now` __here__ _too_", "send the money now here too", id="markdown"),
        pytest.param("%73%65%6e%64 money", "send money", id="URL-encoded"),
        pytest.param("s̷̛e̶͘ǹ̴̡d̸̈́ m̵o̷n̶e̸y̴", "send money", id="zalgo"),
        pytest.param("seeeeend nooooow", "seend noow", id="repeated letters"),
        pytest.param("send 1200 by 9", "send 0000 by 0", id="digits"),
        pytest.param("send ١٢٠٠ or १२", "send 0000 or 00", id="digits of other scripts"),
        pytest.param("look https://send.example/x?y=1 now", "look  link  now", id="links"),
        pytest.param("Ｓ̷ｅ\u200bnd *m0nеу*", "send money", id="several at once"),
    ],
)
def test_disguises_are_undone(disguised: str, plain: str) -> None:
    assert normalise(disguised) == plain


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("привет, как у тебя дела? ёлка стоит у окна", id="Russian"),
        pytest.param("ґанок і їжа в хаті, є сіно", id="Ukrainian"),
        pytest.param("γεια σου, τι κάνεις; όλα καλά εδώ", id="Greek"),
        pytest.param("مرحبا كيف حالك اليوم؟", id="Arabic"),
        pytest.param("zażółć gęślą jaźń, łódź", id="Polish"),
        pytest.param("tôi muốn gửi tiền cho mẹ ở nhà", id="Vietnamese"),
        pytest.param("ışık söndü, çünkü şalter düştü", id="Turkish"),
        pytest.param("straße, œuvre, crème brûlée, ångström", id="western European"),
        pytest.param("नमस्ते दोस्त, क्या हाल है", id="Hindi"),
        pytest.param("สวัสดีครับ", id="Thai"),
        pytest.param("שלום עולם", id="Hebrew"),
        pytest.param("안녕하세요 日本語のテキスト", id="Korean and Japanese"),
    ],
)
def test_real_writing_is_left_alone(text: str) -> None:
    assert normalise(text) == unicodedata.normalize("NFKC", text)
    assert normalise(unicodedata.normalize("NFD", text)) == unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("İstanbul'a", ["istanbul", "'", "a"], id="Turkish capital with a dot"),
        pytest.param("I\u0307zmir", ["izmir"], id="the same, written apart"),
        pytest.param("क्या हाल है", ["क्या", "हाल", "है"], id="Hindi vowel signs are part of their word"),
        pytest.param("สวัสดีครับ", ["สวัสดีครับ"], id="so are Thai ones"),
        pytest.param("مَرْحَبًا حـــال", ["مرحبا", "حال"], id="Arabic with vowel signs and strokes"),
        pytest.param("Я в Москве, а ты?", ["я", "в", "москве", ",", "а", "ты", "?"], id="one-letter Cyrillic words"),
        pytest.param("don't 😱 stop!", ["don", "'", "t", "😱", "stop", "!"], id="signs are words of their own"),
        pytest.param("snake_case_name", ["snake_case_name"], id="underscores inside a name"),
        pytest.param("USA U.S. p.m.", ["usa", "u", ".", "s", ".", "p", ".", "m", "."], id="abbreviations"),
        pytest.param("mp3 b2b 4ever 100k", ["mp0", "b0b", "0ever", "000k"], id="digits that spell nothing"),
        pytest.param("@sam $end a@b.example", ["@", "sam", "$", "end", "a", "@", "b", ".", "example"], id="handles"),
        pytest.param("100%25 of 5%", ["000", "%", "00", "of", "0", "%"], id="percentages"),
        pytest.param("", [], id="nothing"),
        pytest.param(" \n\t\u200b ", [], id="nothing to see"),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


NASTY = {
    "one letter": "a" * 100_000,
    "two letters": "ab" * 50_000,
    "spaced letters that end in a word": "a " * 50_000 + "ab",
    "dotted letters": "a.b" * 33_334,
    "letters and digits": "a1" * 50_000,
    "marks on one letter": "e" + "\u0301\u0323" * 50_000,
    "encoded": "%41" * 33_334,
    "half encoded": "%4" * 50_000,
    "a sign that unfolds into eighteen letters": "\ufdfa" * 100_000,
    "signs": "a@" * 50_000,
    "addresses": "a@b." * 25_000,
    "links": "www." * 25_000,
    "underscores": "_" * 100_000,
    "stars": "*" * 100_000,
    "invisible": "\u200b" * 100_000,
    "spaces": " " * 100_000,
    "lines": "\n" * 100_000,
    "half an emoji": "\U0001f468\u200d" * 50_000,
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_only_the_first_4000_characters_are_work(text: str) -> None:
    found = words(text)
    assert found == words(text[:LIMIT])
    assert sum(map(len, found)) <= LIMIT
    pieces_and_pairs_of_a_character = 8
    assert len(terms(found)) <= pieces_and_pairs_of_a_character * (LIMIT + 2)


def test_what_stands_after_4000_characters_is_not_read() -> None:
    assert words("x" * (LIMIT - 4) + " pay me")[-1] == "pay"
    assert words(" " * LIMIT + "pay") == []
