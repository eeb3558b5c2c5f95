"""What the fuzzer feeds, by name: each takes any bytes and raises when a property does not hold."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from pathlib import Path

from hostile import payloads, properties
from hostile.taps import Taps

from bot.archives import NAMES
from classifiers.normalise import normalise, spans

CORPORA = Path(__file__).parent / "corpora"
# Pieces of hostile input: of markup, of mentions, links and addresses, of formulas, of disguises, of exports.
CHUNKS = (
    *("@everyone", "<@22>", "<@&1>", "<#1>", "<:e:1>", "</x:1>", "<t:1:R>", "https://", "discord.gg/", "t.me/", "||"),
    *("**", "```", "[a](https://b)", "> ", "# ", "\x1b[31m", "\ud800", "%41", "<b>", "&lt;", "</tg-spoiler>", "=1+1"),
    *("і", "ս", "🇸🇪", "i h4ve y0ur nud3s", "send me 400", "kms", "@sam ", "../../", "e.v.i.l.com", "p.a.y", "p a y"),
    *("a\u0335b", "ﷺ", "\u200b", "\u2028", "1h30m", "bc1q", "serutcip", "smsка", "аll", "p4y", "@\u2068", "<a: b.jpg>"),
    *(
        "20/11/2026, 14:03 - ",
        "[1.2.26, 3:04:05] ",
        '{"messages":[',
        '"from":"a"',
        '"text":"',
        '"content":"',
        '"author":{',
    ),
    *(
        '"author":{',
        '"type":"',
        '"mentions":[',
        "AuthorID,Author,Date,Content\n",
        '""',
        "\\ud83d",
        "[policy]\n",
        '[spaces."1"]\n',
    ),
    *("eve> ", "/check ", "/report ", "/case ", "/note ", "/privacy", "haven:", "set:mode:", ":-1001"),
)
_NAMES = ("export.json", "a.jsonl", "b.csv", "_chat.txt", "../../etc/WhatsApp Chat with \x1b[31m.txt")
_LONG = 4000
_SECONDS = 1.0  # for the longest text that is read; some hundred times what one takes


def _words(data: bytes) -> None:
    properties.check_words(Taps(data).text())


def _growth(data: bytes) -> None:
    """Repeat something until it is as long as what is read, and see that it does not take long."""
    taps = Taps(data)
    head, unit, tail = taps.text(20), taps.text(40), taps.text(20)
    text = f"{head}{unit * (_LONG // max(1, len(unit)))}{tail}"
    for read in (normalise, spans):
        taken = []
        for _ in range(2):
            begun = time.process_time()
            read(text)
            taken.append(time.process_time() - begun)
            if taken[-1] < _SECONDS:
                break
        assert min(taken) < _SECONDS, f"{read.__name__} takes {min(taken):.2f} s"


def _discord(data: bytes) -> None:
    taps = Taps(data)
    files = [taps.text(60) for _ in range(taps.number(3))]
    properties.check_discord(
        payloads.on_discord(
            taps.text(),
            files=files,
            stickers=taps.number(2),
            mentions=[taps.number(99) for _ in range(taps.number(3))],
            forwarded=taps.text() if taps.sometimes() else None,
            answers=taps.text() if taps.sometimes() else None,
            in_guild=taps.sometimes(),
        )
    )


def _telegram(data: bytes) -> None:
    taps = Taps(data)
    entities = [
        (taps.choice(payloads.ENTITIES), taps.number(5000) - 5, taps.number(5000) - 5) for _ in range(taps.number(4))
    ]
    properties.check_telegram(
        payloads.on_telegram(
            taps.text(),
            caption=taps.sometimes(),
            entities=entities,
            username=taps.text(32),
            quote=taps.text() if taps.sometimes() else None,
            answers=taps.text() if taps.sometimes() else None,
            forwarded=taps.sometimes(),
            media=taps.choice((None, "photo", "video", "voice", "sticker", "document", "animation")),
        )
    )


def _export(data: bytes) -> None:
    taps = Taps(data)
    name, format = taps.choice(_NAMES), taps.choice(NAMES)
    properties.check_export(taps.rest(), name, format)


def _markup(data: bytes) -> None:
    taps = Taps(data)
    steps = [taps.number(12) for _ in range(2 * taps.number(3))]
    places = [sum(steps[: number + 1]) + number // 2 for number in range(len(steps))]
    properties.check_markup(taps.text(400), list(zip(places[::2], places[1::2], strict=True)))


def _console(data: bytes) -> None:
    properties.check_console(Taps(data).text().splitlines()[:20])


def _sheet(data: bytes) -> None:
    taps = Taps(data)
    properties.check_sheet(taps.text(200), taps.text(200), taps.text(30), taps.text(30))


def _button(data: bytes) -> None:
    properties.check_button(Taps(data).text(100))


def _model(data: bytes) -> None:
    properties.check_model(data if data[:1] == b"x" else zlib.compress(data))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "words": _words,
    "growth": _growth,
    "transcript": properties.check_transcript,
    "export": _export,
    "discord": _discord,
    "telegram": _telegram,
    "button": _button,
    "markup": _markup,
    "console": _console,
    "settings": properties.check_settings,
    "sealed": properties.check_sealed,
    "sheet": _sheet,
    "manifest": properties.check_manifest,
    "model": _model,
}


def seeds(target: str) -> list[bytes]:
    """Return what the fuzzer begins with: the corpus of a target."""
    return [file.read_bytes() for file in sorted((CORPORA / target).glob("*"))]
