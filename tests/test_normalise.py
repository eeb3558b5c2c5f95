"""Disguises are undone, real writing in any script is left as it is, and every word is found in the original text."""

from __future__ import annotations

import random
import sys
import time
import unicodedata

import pytest

from classifiers.confusables import REVERSED
from classifiers.normalise import _Trail, _undo, normalise, spans
from classifiers.terms import terms
from classifiers.words import words

LIMIT = 4000


@pytest.mark.parametrize("text", ["130.239.18.172", "fe80:12ab:00:01", "00:1a:2b:3c:4d:5e"])
def test_a_network_address_is_one_word(text: str) -> None:
    assert words(f"ping {text} now") == ["ping", "address", "now"]
    assert words("10.000.000 at 12:30:15, v1.2.3") == [
        "00",
        ".",
        "000",
        ".",
        "000",
        "at",
        *"00:00:00".replace(":", " : ").split(),
        ",",
        "v0",
        ".",
        "0",
        ".",
        "0",
    ]


DISGUISED = {
    "Cyrillic": [
        ("sеnd mоnеу", "send money"),
        ("SЕND МОNEY", "send money"),
        ("moneу, ѕtаrt", "money, start"),
        ("рау me", "pay me"),
        ("і hаvе уоur РІСЅ", "i have your pics"),
        ("send рау300", "send pay000"),
    ],
    "Greek": [
        ("sεnd mοney", "send money"),
        ("τhε σηε γσυr ραsτσr lιкεs", "the one your pastor likes"),
        ("ΡΑΥ me", "pay me"),
        ("ϲash", "cash"),
    ],
    "several scripts": [
        ("ѕєи∂ мσηєу", "send money"),
        ("mօney to սs", "money to us"),
        ("Ꮪend ꮪend", "send send"),
    ],
    "fonts": [
        ("ｓｅｎｄ Ｍｏｎｅｙ", "send money"),
        ("𝓼𝓮𝓷𝓭 𝗺𝗼𝗻𝗲𝘆 𝚗𝚘𝚠", "send money now"),
        ("ⓢⓔⓝⓓ 🅢🅔🅝🅓 🄢🄔🄝🄓 🆂🅴🅽🅳 ⒮⒠⒩⒟ 🄿🄰🅈 🅿️🅰️🆈", "send send pay pay"),
        ("sᴇɴᴅ ᴘɪᴄꜱ", "send pics"),
        ("ˢᵉⁿᵈ ₛₑₙd ᵖᶦᶜˢ", "send send pics"),
        ("🇸🇪🇳🇩 🇵🇦🇾 🇫\u200b🇪\u200b🇪", "send pay fee"),
        ("🇸 🇪 🇳 🇩", "send"),
    ],
    "invisible": [
        ("se\u200bnd mo\u200d\u2060ney\ufeff", "send money"),
        ("se\u00adnd m\u202eoney", "send money"),
        ("s\ufe0fe\U000e0041n\u3164d\u2800money\u115f", "send money"),
    ],
    "zalgo": [
        ("s̷̛e̶͘ǹ̴̡d̸̈́ m̵o̷n̶e̸y̴", "send money"),
        ("n\u0300\u0316a\u0301\u031c\u0308k\u0335e\u0303d", "naked"),
        ("s҉e҉ñ҉d҉ s̲e̲n̲d̲", "send send"),
        ("가̶나̶", "가나"),
    ],
    "spaced": [
        ("s e n d  m o n e y", "send  money"),
        ("s e n d   n o w", "send   now"),
        ("p a y  m e  n o w, jo", "pay  me  now, jo"),
        ("s\ne\nn\nd\n\nn\no\nw", "send\n\nnow"),
        ("s e n d\nn o w", "send\nnow"),
        ("s 3 n d it", "send it"),
        ("s - e - n - d  n - o - w", "send  now"),
        ("p l a y  i t . n o w", "play  it . now"),
        ("s\u2009e\u2009n\u2009d", "send"),
    ],
    "dotted": [
        ("s.e.n.d m-o-n-e-y! p_a_y", "send money! pay"),
        ("s·e·n·d p—a—y p/a/y p*a*y p.a.y", "send pay pay"),
        ("s.e.n.d. s.e.n.d..n.o.w", "send. send..now"),
    ],
    "leetspeak": [
        ("s3nd m0n3y n0w p4y", "send money now pay"),
        ("ph0t0s v1d30 vid30s vide0 c0nt4ct5", "photos video videos video contacts"),
        ("p@y c@$h c@rd$ wh@t sh@re inst@gram mon€y", "pay cash cards what share instagram money"),
        ("f00t4g3 l34k3d t04st pa1d p41d 2n1te", "footage leaked toast paid paid 0nite"),
        ("b1ackmail fi1e so1d ki11ed fami1y fr13nds", "blackmail file sold killed family friends"),
        ("g00d s00n n33d", "good soon need"),
        ("0nly n0 t0 0r c0n7act5", "only no to or contacts"),
    ],
    "markup": [
        ("**send** ~~the~~ ||money|| `now` __here__ _too_", "send the money now here too"),
        ("se**nd** n||ud||es p__a__y", "send nudes pay"),
        ("> pay\n>>> me\n# right\n-# now", "pay\nme\nright\nnow"),
        ("||5||||0||", "00"),
    ],
    "URL-encoding": [
        ("%73%65%6e%64 money", "send money"),
        ("s%65nd%20money%20500%20now", "send money 000 now"),
        ("%C3%A9t%c3%a9 %F0%9F%98%B1%21", "été 😱!"),
        ("%ff%73end%e2%82", "send"),
    ],
    "backwards": [("soediv dna SOTOHP", "videos dna photos")],
    "repeated": [("seeeeend nooooow", "send now"), ("ПЛАТИИИИ", "плати")],
    "links": [
        ("look https://send.example/x?y=%20%20a now", "look  link  now"),
        ("HTTPS://send.example, Www.pay.example", " link   link "),
        ("ｈttps://x.example", " link "),
    ],
    "digits": [("send 1200 by 9", "send 0000 by 0"), ("send ١٢٠٠ or १२ or ４²", "send 0000 or 00 or 00")],
    "several at once": [("Ｓ̷ｅ\u200bnd *m0nеу*", "send money"), ("𝐬 𝐞 𝐧 𝐝  ||р 4 у ѕ||", "send  pays")],
}

REAL = {
    "Russian": "привет, как у тебя дела? ёлка стоит у окна. она нет, ухо, сосо, а у нас всё о том",
    "Ukrainian": "ґанок і їжа в хаті, є сіно. у неї є оса",
    "Bulgarian": "то е само така, днес ще се видим в парка. а у вас?",
    "Serbian and Macedonian": "шта радиш, љубав, ево нас. ѕвезда, јас сум",
    "Greek": "γεια σου, τι κάνεις; όλα καλά εδώ. το νερό, ένα και ένα",
    "Armenian": "բարև, ինչպես ես. հոս ու",
    "Arabic": "مرحبا كيف حالك اليوم؟",
    "Persian": "سلام، حال شما چطور است؟ خانه ما",
    "Hebrew": "שלום עולם, מה שלומך היום",
    "Hindi": "नमस्ते दोस्त, क्या हाल है। क ख ग घ",
    "Thai": "สวัสดีครับ ก ข ค ง",
    "Korean and Japanese": "안녕하세요 日本語のテキスト 甲 乙 丙 丁 が",
    "Polish": "zażółć gęślą jaźń, łódź. i w",
    "Czech": "příliš žluťoučký kůň úpěl ďábelské ódy, dnes večer",
    "Vietnamese": "tôi muốn gửi tiền cho mẹ ở nhà, đường",
    "Turkish": "ışık söndü, çünkü şalter düştü, ığdır",
    "Romanian": "știu că ți-am spus, mâine vin și eu",
    "German": "straße, größe, übel, für mich",
    "French": "œuvre, crème brûlée, où est-il allé, l'été",
    "Nordic": "ångström, smørrebrød, þetta er það",
    "Lithuanian and Croatian": "ačiū, ėjo į namus. đak, šećer, žaba i čaša",
    "Spanish and Portuguese": "mañana sí, ¿qué? não, coração à vista",
    "Russian with Latin words": "скинь smsку на email, у меня iphone, а у вас ок",
    "Latin among words that have twins": "у нас ok а у вас",
    "English with a Russian word": "she said привет to me, нет is all i got",
    "Ewe": "ƒe ƒle",
    "flags": "🇺🇸🇨🇦 🇫🇷🆚🇩🇪",
    "initials": "u.s.a. e.g. a.m. p.s. i.e. j.r.r. tolkien u.s. ph.d. j. r. r. tolkien",
    "single letters": "plan a or b, a b. w/o n/a a/c he/him a-z x-ray e-mail t-shirt b-b-but it's a b",
    "not the crime's words backwards": "yap dnes dekan kael, soedivs, xsoediv",
    "signs": "a > b, a+b=c, snake_case_name, :) -.- (y)",
    "addresses": "me@x.example p.a.y.example a.b.c@x.example ab.c.d.e /a/b/c/d",
    "final sigma": "στίχος όλος",
}

ORDINARY = """
h264 mp3 b2b covid19 2nd 10am 4k ps5 mp3s ps5s iphone5s 1h30m 3v3 1on1 401k s10e b4 gr8 2nite 4ever 1st 5th 5ft4
$20 20$ €5 5€ £5 100k 1080p f4f m4w r4r h1n1 s01e05 8x10 2*3 3|4 24/7 2024-05-01 01/02/2024 12:30 3.5 1,000.50 a4
10x 50% 5'11 c4 4chan 7up 3d 5g i7 r2d2 c3po k8s i18n x86 utf8 sha256 win10pro co2 h2o v1.0 0x1f4b0 a1b2c3d4-e5f6
@n4me @s4m_x #t4g r/m4m sam@home me@work s4m@x.example sam@m4il.example f1le.example n4me.txt/p4th p4th/x user_n4me $sam
sa7bi ya3ni ma3lesh mar7aba 100%25 %50 sale%50 bc1q cdn.m0vie
"""


def flat(table: dict[str, list[tuple[str, str]]]) -> list[tuple[str, str]]:
    return [pair for pairs in table.values() for pair in pairs]


@pytest.mark.parametrize(("disguised", "plain"), flat(DISGUISED))
def test_disguises_are_undone(disguised: str, plain: str) -> None:
    assert normalise(disguised) == plain


@pytest.mark.parametrize("text", REAL.values(), ids=REAL.keys())
def test_real_writing_is_left_alone(text: str) -> None:
    assert normalise(text) == unicodedata.normalize("NFKC", text)
    assert normalise(unicodedata.normalize("NFD", text)) == unicodedata.normalize("NFKC", text)
    assert words(text.upper()) == words(text.upper().lower())


@pytest.mark.parametrize("text", ORDINARY.split())
def test_numbers_codes_and_names_are_left_alone(text: str) -> None:
    only_digits_hidden = "".join("0" if character.isdecimal() else character for character in text.lower())
    assert normalise(text) == only_digits_hidden
    assert normalise(f"see {text}, ok") == f"see {only_digits_hidden}, ok"


@pytest.mark.parametrize("text", [*(plain for _, plain in flat(DISGUISED) if "0" not in plain), *REAL.values()])
def test_plain_text_is_its_own_normal_form(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_words_that_are_read_backwards_are_told_from_their_originals() -> None:
    assert words(" ".join(word[::-1] for word in REVERSED.split())) == [word[::-1] for word in REVERSED.split()]
    assert words(REVERSED) == [word[::-1] for word in REVERSED.split()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("İstanbul'a", ["istanbul", "'", "a"], id="Turkish capital with a dot"),
        pytest.param("I\u0307zmir", ["izmir"], id="the same, written apart"),
        pytest.param("क्या हाल है", ["क्या", "हाल", "है"], id="Hindi vowel signs are part of their word"),
        pytest.param("สวัสดีครับ", ["สวัสดีครับ"], id="so are Thai ones"),
        pytest.param("مَرْحَبًا حـــال", ["مرحبا", "حال"], id="Arabic with vowel signs and strokes"),
        pytest.param("می\u200cخواهم", ["میخواهم"], id="Persian words stay whole"),
        pytest.param("за́мок, ё́лка, в ко́мнате", ["замок", ",", "ёлка", ",", "в", "комнате"], id="Russian stress marks"),
        pytest.param("Я в Москве, а ты?", ["я", "в", "москве", ",", "а", "ты", "?"], id="one-letter Cyrillic words"),
        pytest.param("don't 😱 stop!", ["don", "'", "t", "😱", "stop", "!"], id="signs are words of their own"),
        pytest.param("snake_case_name", ["snake_case_name"], id="underscores inside a name"),
        pytest.param("USA U.S. p.m.", ["usa", "u", ".", "s", ".", "p", ".", "m", "."], id="abbreviations"),
        pytest.param("mp3 b2b 4ever 100k", ["mp0", "b0b", "0ever", "000k"], id="digits that spell nothing"),
        pytest.param("@sam $end a@b.example", ["@", "sam", "$", "end", "a", "@", "b", ".", "example"], id="handles"),
        pytest.param("100%25 of 5%", ["000", "%", "00", "of", "0", "%"], id="percentages"),
        pytest.param("25 µs, 5 kΩ", ["00", "μs", ",", "0", "kω"], id="units"),
        pytest.param("the α and ΔT, ∂f", ["the", "α", "and", "δt", ",", "∂", "f"], id="letters of mathematics"),
        pytest.param("1️⃣ 2️⃣", ["0", "0"], id="keycaps"),
        pytest.param("", [], id="nothing"),
        pytest.param(" \n\t\u200b ", [], id="nothing to see"),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pay me, NOW!", ["Pay", "me", ",", "NOW", "!"]),
        ("p4y or s e n d   n o w", ["p4y", "or", "s e n d", "n o w"]),
        ("so p-a-y 𝗻𝗼𝘄 then", ["so", "p-a-y", "𝗻𝗼𝘄", "then"]),
        ("\u200bse\u200bnd **it** ||n||ow", ["se\u200bnd", "it", "n||ow"]),
        ("s̷̛e̶͘ǹ̴̡d̸̈́ it", ["s̷̛e̶͘ǹ̴̡d̸̈́", "it"]),
        ("a %73%65%6e%64%20it %F0%9F%98%B1", ["a", "%73%65%6e%64", "it", "%F0%9F%98%B1"]),
        ("see https://x.example/y now", ["see", "https://x.example/y", "now"]),
        ("nooooow soediv ﬁne", ["nooooow", "soediv", "ﬁne"]),
        ("рау 300 İn", ["рау", "300", "İn"]),
        ("cafe\u0301 \u1112\u1161\u11ab e\u0301!", ["cafe\u0301", "\u1112\u1161\u11ab", "e\u0301", "!"]),
        ("🆂🅸\u2800🅿 x", ["🆂🅸", "🅿", "x"]),
        ("½ up", ["½", "½", "½", "up"]),
        ("", []),
    ],
)
def test_spans_show_what_each_word_was_read_from(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in spans(text)] == expected


def random_texts(count: int) -> list[str]:
    """Return texts of shuffled disguises, honest words and whatever composes, the same ones every time."""
    chance = random.Random(20261121)  # noqa: S311 (the same texts every time)
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    composing = [
        character
        for character in characters
        if unicodedata.decomposition(character) or unicodedata.combining(character)
    ]
    pieces = [*(text for pair in flat(DISGUISED) for text in pair), *REAL.values(), *ORDINARY.split()]
    kinds = [
        lambda: chance.choice(pieces),
        lambda: chance.choice(composing),
        lambda: chance.choice("\u1100\u1161\u11a8ㄱㅏﾞがeṩ\u0301\u0323\u0336\u200bа"),
        lambda: chance.choice("aeSx013@$%.-_*|>` \n"),
        lambda: chance.choice(characters),
    ]
    return ["".join(chance.choice(kinds)() for _ in range(chance.randrange(1, 25))) for _ in range(count)]


def test_spans_follow_the_steps_that_words_take() -> None:
    for text in [*(text for pair in flat(DISGUISED) for text in pair), *REAL.values(), *random_texts(2500)]:
        trail = _Trail(text)
        assert _undo(text, trail.sub, trail.compose) == normalise(text), ascii(text)
        found = spans(text)
        assert len(found) == len(words(text)), ascii(text)
        assert all(0 <= start < end <= len(text) for start, end in found), ascii(text)
        assert [start for start, _ in found] == sorted(start for start, _ in found), ascii(text)
        assert [end for _, end in found] == sorted(end for _, end in found), ascii(text)


def test_only_one_letter_grows_in_lower_case() -> None:
    assert [chr(code) for code in range(sys.maxunicode + 1) if len(chr(code).lower()) != 1] == ["İ"]


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
    "capitals and twins": "Аa" * 50_000,
    "Latin with one twin at the end": "a" * 3999 + "а",
    "twins with one real letter at the end": "а" * 3999 + "й",
    "one foreign word after the other": "аж а " * 20_000,
    "flags and half a flag": "\U0001f1fa\U0001f1f8" * 1999 + "\U0001f1ff",
    "syllables": "\u1100\u1161" * 50_000,
    "struck out": "e\u0336" * 50_000,
    "a mark after a long word": "a" * 3999 + "\u0301",
    "wide gaps": "a    " * 20_000,
    "spaced signs": "a - " * 25_000,
    "low lines between letters": "a_" * 50_000,
    "leetspeak without an end": "a34b" * 25_000,
    "letters and signs": ("a" * 20 + "@") * 5_000,
    "quotes": "> \n" * 33_334,
    "words backwards, but for a letter": "oedi" * 25_000,
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


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    assert len(spans(text)) == len(words(text))
    assert time.process_time() - start < 0.5


def test_what_stands_after_4000_characters_is_not_read() -> None:
    assert words("x" * (LIMIT - 4) + " pay me")[-1] == "pay"
    assert words(" " * LIMIT + "pay") == []
    assert spans(" " * LIMIT + "pay") == []
