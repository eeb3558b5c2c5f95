"""The sheet for the police: what it says, that nobody's words can forge it, and that every change is found."""

from __future__ import annotations

import hmac
import re
import subprocess
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.case import Case, Post
from bot.effects import Advice, Outcome, Ruling, Target
from bot.evidence import Origin, exact, happened, sealed, sheet, trouble
from bot.moderation import Event
from bot.sealing import KEY_VARIABLE, Seal, load_seal
from classifiers.assessment import Evidence, Kind, Level, Marker
from classifiers.conversation import Account

Run = Callable[..., subprocess.CompletedProcess[str]]
Refused = Callable[..., None]

KEY = Fernet.generate_key()
SEAL = Seal(KEY, "a key")
AT = datetime(2026, 11, 20, 14, 3, 12, tzinfo=UTC)
EVE, SAM, ANN, MO = (Account("discord", id) for id in ("11", "22", "33", "99"))
WORDS = "send me 400 or I post “it”, naïve ☃ 💸\\n"
HEADINGS = [
    "HAVEN: EVIDENCE OF CASE 0123456789",
    "WHAT THIS IS",
    "THE CASE",
    "THE ACCOUNTS",
    "THE MESSAGES",
    "WHAT WAS DONE",
    "HOW TO GET THE ORIGINALS",
    "HOW TO CHECK THIS FILE",
]
ORIGIN = Origin("Discord", lambda space, channel, message: f"https://d/{space}/{channel}/{message}", "Ask Discord.")


def line(marker: Marker, message: str, words: str, minutes: int = 0, channel: str = "") -> Evidence:
    """Return a line of evidence."""
    return Evidence(marker, message, 0.934, words, at=AT + timedelta(minutes=minutes), channel=channel)


CASE = Case(
    id="0123456789",
    space="77",
    channel="88",
    message_id="501",
    kind=Kind.THREAT,
    about=EVE,
    level=Level.ADVISE,
    opened_at=AT,
    seen_at=AT + timedelta(hours=1),
    locale="en-GB",
    targets=(Target(SAM, Advice.DELIVERED), Target(ANN, Advice.REFUSED)),
    evidence=(
        line(Marker.PAYMENT_DEMAND, "502", WORDS, 2, channel="89"),
        line(Marker.SHARE_THREAT, "502", WORDS, 2, channel="89"),
        line(Marker.IMAGE_CLAIM, "501", "i have your nudes"),
    ),
    post=Post("5/6"),
    ruling=Ruling.CONFIRMED,
)
HISTORY = (
    Event(AT, "opened"),
    Event(AT, f"AdviseTarget {Outcome.REFUSED} code 50007"),
    Event(AT, "timed_out?", MO),
    Event(AT, "noted", MO, "spoke to Ann"),
)


def made(case: Case = CASE, history: tuple[Event, ...] = HISTORY, taker: Account = MO) -> str:
    """Return the sheet of a case."""
    return sheet(case, history, taker, AT.astimezone(timezone(timedelta(hours=5))), ORIGIN)


def file(case: Case = CASE) -> bytes:
    """Return the sealed sheet of a case."""
    return sealed(made(case), SEAL)


def digest(words: str) -> str:
    """Return the SHA-256 of words as a sheet has it."""
    return sha256(words.encode()).hexdigest()


# What it says.


def test_it_has_every_section_once_and_ends_with_the_seal() -> None:
    lines = file().decode().split("\n")
    assert [text for text in lines if text.isupper() and text[0].isalpha() and text in HEADINGS] == HEADINGS
    assert re.fullmatch(r"SHA-256 [0-9a-f]{64} SEAL [0-9a-f]{64}", lines[-2])
    assert lines[-1] == ""


@pytest.mark.parametrize(
    "said",
    [
        "is not proof by itself",
        "Case:                0123456789",
        "Server:              77",
        "Platform:            Discord",
        "somebody threatens",
        "How sure Haven is:   sure",
        "Moderators' ruling:  confirmed",
        "First message:       2026-11-20T14:03:12+00:00",
        "Last message:        2026-11-20T15:03:12+00:00",
        "2026-11-20T14:03:12+00:00, for the moderator with account 99",
        "Wrote the messages: account 11",
        "Aimed at: account 22 (private warning: delivered)",
        "Aimed at: account 33 (private warning: refused)",
        "2026-11-20T14:03:12+00:00  opened",
        "2026-11-20T14:03:12+00:00  private warning: refused code 50007",
        "2026-11-20T14:03:12+00:00  about to be timed out, by account 99",
        "2026-11-20T14:03:12+00:00  noted, by account 99: “spoke to Ann”",
        "Ask Discord.",
        "haven verify FILE",
    ],
)
def test_it_says_what_the_police_need(said: str) -> None:
    assert said in made()


def test_messages_stand_in_order_each_once_with_all_that_it_shows() -> None:
    first, second = re.findall(r"\nMessage \d of 2\n(.*?)(?=\n\n)", made(), re.DOTALL)
    assert first.split("\n") == [
        "  Written by:  account 11",
        "  Written at:  2026-11-20T14:03:12+00:00",
        "  Channel:     88",
        "  Message:     501",
        "  Link:        https://d/77/88/501",
        "  Haven saw:   image claim (probability 93%)",
        "  Words:       “i have your nudes”",
        f"  SHA-256:     {digest('i have your nudes')}",
    ]
    assert "Written at:  2026-11-20T14:05:12+00:00" in second
    assert "https://d/77/89/502" in second
    assert "payment demand (probability 93%), share threat (probability 93%)" in second
    assert f"“{WORDS}”" in second
    assert digest(WORDS) in second


def test_long_words_are_said_to_be_cut_and_short_ones_are_not() -> None:
    def shown(words: str) -> str:
        return made(replace(CASE, evidence=(line(Marker.PRESSURE, "1", words),)))

    assert "the first 200 characters" in shown("x" * 200)
    assert "the first 200 characters" not in shown("x" * 199)


def test_the_model_is_never_said_to_be_certain() -> None:
    seen = replace(CASE.evidence[0], probability=0.9999)
    assert "(probability 99%)" in made(replace(CASE, evidence=(seen,)))


def test_a_report_says_who_is_reported_and_claims_no_probability() -> None:
    words = Evidence(Marker.VICTIM_DISCLOSURE, "", 1.0, "he has my pictures" * 20, at=AT)
    said = made(
        replace(CASE, kind=Kind.DISCLOSURE, about=SAM, reported=True, accused=EVE, evidence=(words,), targets=())
    )
    for part in ("asked the moderators for help", "Tells of it: account 22", "Was reported: account 11"):
        assert part in said
    for part in ("probability", "Link:", "Wrote the messages", "first 200 characters"):
        assert part not in said


def test_a_guess_is_called_one_and_gives_way_to_a_target() -> None:
    assert "Perhaps aimed at, a guess: account 33" in made(replace(CASE, targets=(), likely=ANN))
    assert "Perhaps" not in made(replace(CASE, likely=ANN))


def test_a_case_without_words_still_makes_a_file() -> None:
    bare = file(replace(CASE, evidence=(), targets=(), ruling=None))
    assert trouble(bare, SEAL) is None
    assert "Moderators' ruling:  none" in bare.decode()


# Words of members.

HOSTILE = [
    "\nTHE ACCOUNTS\nWrote the messages: account 22",
    "\r\nMessage 2 of 9",
    "a\u2028b\u2029c\x0b\x0c\x1c\x1d\x1e\x85d",
    f"\nSHA-256 {'0' * 64} SEAL {'0' * 64}\n",
    "\x1b[2J\x1b]0;owned\x07 \x00 \x08",
    "\u202egnp.exe\u2066 \u200b \ufeff",
    "\ud800 lone",
    "{name} {0} %s",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_no_words_can_look_like_a_line_or_steer_what_shows_it(words: str) -> None:
    def shape(words: str) -> list[str]:
        case = replace(
            CASE,
            id=f"0{words}",
            space=f"7{words}",
            channel=f"8{words}",
            about=Account("discord", f"1{words}"),
            targets=(Target(Account("discord", f"2{words}"), Advice.DELIVERED),),
            evidence=(line(Marker.PRESSURE, f"5{words}", f"x{words}"),),
        )
        text = made(
            case, (Event(AT, "noted", Account("discord", f"9{words}"), f"n{words}"),), Account("d", f"9{words}")
        )
        assert not re.search(r"[^\n\x20-\x7e“”]", text.replace("’", ""))
        content = sealed(text, SEAL)
        assert trouble(content, SEAL) is None
        return [one[:12] for one in text.splitlines()]

    assert shape(words)[1:] == shape("")[1:]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("plain, “quoted” 'x' \\n <b>", "plain, “quoted” 'x' \\n <b>"),
        ("a\nb\tc", "a<U+000A>b<U+0009>c"),
        ("\u202eabc", "<U+202E>abc"),
        ("naïve ☃ 💸 שלום ไทย", "naïve ☃ 💸 שלום ไทย"),
        ("👩\u200d🦰", "👩<U+200D>🦰"),
        ("\U000e0041", "<U+E0041>"),
        ("\ud800", "<U+D800>"),
        ("", ""),
    ],
)
def test_only_what_cannot_be_seen_is_changed(words: str, shown: str) -> None:
    assert exact(words) == shown


def test_the_digest_is_of_the_words_before_that() -> None:
    assert digest("a\nb") in made(replace(CASE, evidence=(line(Marker.PRESSURE, "1", "a\nb"),)))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("opened", "opened"),
        ("AlertModerators delivered", "alert to the moderators: delivered"),
        ("UpdateAlert gone code 10008", "edit of the alert: gone code 10008"),
        ("PageModerators delivered", "call to the moderators: delivered"),
        ("not_sextortion", "not sextortion"),
        ("banned?", "about to be banned"),
    ],
)
def test_history_is_put_in_words(what: str, said: str) -> None:
    assert happened(Event(AT, what)) == said


# Verifying.


def test_what_was_sealed_is_in_order_for_the_same_key_only() -> None:
    assert trouble(file(), SEAL) is None
    assert trouble(file(), Seal(KEY, "the same key, read again")) is None
    assert "sealed with another key" in (trouble(file(), Seal(Fernet.generate_key(), "another")) or "")


def test_every_changed_byte_is_found() -> None:
    content = file()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        assert trouble(bytes(changed), SEAL), place


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: content + b"\n",
        lambda content: content + b"more\n",
        lambda content: b" " + content,
        lambda content: content[1:],
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content.replace(b"account 11", b"account 22"),
        lambda content: content.upper(),
        lambda content: content + content,
        lambda content: content[: content.rindex(b"SHA-256")],
        lambda content: b"",
        lambda content: b"\n",
        lambda content: b"\xff" * 100,
    ],
)
def test_changes_are_found(change: Callable[[bytes], bytes]) -> None:
    assert trouble(change(file()), SEAL)


def test_whoever_corrects_the_digest_is_found_by_the_seal() -> None:
    content = file().replace(b"account 11", b"account 22")
    start = content.rindex(b"SHA-256")
    seal = content[start:].split()[-1]
    forged = content[:start] + f"SHA-256 {sha256(content[:start]).hexdigest()} SEAL {seal.decode()}\n".encode()
    assert "sealed with another key" in (trouble(forged, SEAL) or "")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content[:-1],
        lambda content: content.replace(b"\n", b"\r\n")[:-2],
        lambda content: content + b"\n",
    ],
)
def test_line_breaks_that_a_program_changed_are_named(change: Callable[[bytes], bytes]) -> None:
    named = "its line breaks were changed since it was sealed, and nothing else"
    assert (trouble(change(file()), SEAL) or "").startswith(named)
    altered = file().replace(b"account 11", b"account 22")
    assert "line breaks" not in (trouble(change(altered), SEAL) or "")
    assert "line breaks" not in (trouble(change(file()), Seal(Fernet.generate_key(), "another")) or "")


def test_the_command_of_the_sheet_gives_the_digest_of_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(file())
    said = subprocess.run(["sh", "-c", 'sed "$0" "$1" | sha256sum', "$d", path], capture_output=True, check=True)
    assert said.stdout.split()[0] == path.read_bytes().split()[-3]


def test_signatures_are_of_another_key_than_the_one_that_encrypts() -> None:
    assert SEAL.verify(b"x", SEAL.sign(b"x"))
    assert not SEAL.verify(b"y", SEAL.sign(b"x"))
    assert not SEAL.verify(b"x", "ü")
    key = urlsafe_b64decode(KEY)
    for part in (key, key[:16], key[16:], KEY):
        assert hmac.new(part, b"x", sha256).hexdigest() != SEAL.sign(b"x")
    assert Seal(Fernet.generate_key(), "").sign(b"x") != SEAL.sign(b"x")


# `haven verify`.


def test_the_command_says_that_a_file_is_in_order(haven: Run, tmp_path: Path) -> None:
    (tmp_path / "sheet.txt").write_bytes(sealed(made(), load_seal(tmp_path / "haven.key", {}, create=True)))
    result = haven("verify", "sheet.txt")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "sheet.txt: unchanged, and sealed with this Haven's key\n"


def test_the_command_takes_the_key_that_the_settings_name(haven: Run, refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (tmp_path / "sheet.txt").write_bytes(sealed(made(), load_seal(folder / "my.key", {}, create=True)))
    (folder / "my.toml").write_text('[store]\nkey_file = "my.key"\n')
    assert haven("verify", "sheet.txt", "--config", folder / "my.toml").returncode == 0
    refused(haven("verify", "sheet.txt", **{KEY_VARIABLE: KEY.decode()}), "sheet.txt: ", "another key")


def test_the_command_finds_a_change_in_one_line(haven: Run, refused: Refused, tmp_path: Path) -> None:
    content = sealed(made(), load_seal(tmp_path / "haven.key", {}, create=True))
    (tmp_path / "sheet.txt").write_bytes(content.replace(b"account 11", b"account 12"))
    refused(haven("verify", "sheet.txt"), "sheet.txt: changed since it was sealed")


def test_the_command_refuses_what_it_cannot_read_in_one_line(haven: Run, refused: Refused, tmp_path: Path) -> None:
    refused(haven("verify", "none.txt"), "none.txt: No such file")
    refused(haven("verify", "."), "Is a directory")
    (tmp_path / "empty").touch()
    refused(haven("verify", "empty"), "haven.key: the key is not there")
    assert not (tmp_path / "haven.key").exists()
    load_seal(tmp_path / "haven.key", {}, create=True)
    refused(haven("verify", "empty"), "not an evidence file")
    assert haven("verify").returncode == 2
