"""A case as a sheet for the police: plain text that cannot be changed unnoticed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from bot.case import Case
from bot.moderation import Event
from bot.sealing import Seal
from classifiers.assessment import Evidence, Kind, Level
from classifiers.conversation import Account

_KEPT = 200  # characters of a message
_SUREST = 0.99
_LAST_LINE = re.compile(rb"SHA-256 (?P<digest>[0-9a-f]{64}) SEAL (?P<signature>[0-9a-f]{64})\n")
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_EFFECTS = {
    "AdviseTarget": "private warning",
    "AlertModerators": "alert to the moderators",
    "UpdateAlert": "edit of the alert",
    "PageModerators": "call to the moderators",
}
_SURE = {Level.NONE: "not sure", Level.NOTICE: "not sure", Level.ALERT: "fairly sure", Level.ADVISE: "sure"}
_WHAT_IT_IS = """\
Haven is a program that reads the messages of a community and points out what looks like sextortion: somebody
threatens to share intimate images, real or fake, unless a person pays or obeys. It judges words by their
statistics and can be wrong. This file holds what Haven kept about one case. It points to the original messages
and is not proof by itself: the originals are with {name}.
Haven knows accounts by their numbers and keeps no names. All times are UTC."""
_WORDS = """\
Words stand between “ and ” as Haven read them. Mentions of members read @somebody, a file or a sticker is one word,
and quoted lines are left out. A character that cannot be seen is shown by its number, such as <U+000A> for a line
break. The SHA-256 below them is of the words before that, in UTF-8."""
_HOW_TO_CHECK = """\
The last line of this file has the SHA-256 of everything above it, and a seal (HMAC-SHA256) that can only be made with
the key of the Haven that wrote it. Anybody can check the first:  sed '$d' FILE | sha256sum
Whoever runs that Haven can check both:  haven verify FILE
Both break when a single byte of the file is changed, also when a program converts its line breaks: keep it as it is.
They show that this file is what Haven wrote. What members wrote is shown by the originals."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the messages of a sheet are: the platform, the address of a message, and how the police ask for it.

    `link` takes the ids of space, channel and message.
    """

    name: str
    link: Callable[[str, str, str], str]
    originals: str


def sheet(case: Case, history: Sequence[Event], taken_by: Account, at: datetime, origin: Origin) -> str:
    """Return the case as text; nobody's words can look like a line of it."""
    parts = [
        (f"HAVEN: EVIDENCE OF CASE {exact(case.id)}", []),
        ("WHAT THIS IS", [_WHAT_IT_IS.format(name=origin.name)]),
        ("THE CASE", [*_about(case, taken_by, at, origin)]),
        ("THE ACCOUNTS", [*_accounts(case)]),
        ("THE MESSAGES", [_WORDS, *_messages(case, origin)]),
        ("WHAT WAS DONE", [_event(event) for event in history]),
        ("HOW TO GET THE ORIGINALS", [origin.originals]),
        ("HOW TO CHECK THIS FILE", [_HOW_TO_CHECK]),
    ]
    return "\n\n".join("\n".join((heading, *lines)) for heading, lines in parts) + "\n\n"


def sealed(sheet: str, seal: Seal) -> bytes:
    """Return the file: the sheet, and a last line by which any change shows."""
    content = sheet.encode()
    return content + f"SHA-256 {sha256(content).hexdigest()} SEAL {seal.sign(content)}\n".encode()


def trouble(file: bytes, seal: Seal, former: Sequence[bytes] = ()) -> str | None:
    """Return what is wrong with a file, None if it is as the Haven wrote it that has this key, or had the `former`."""
    wrong = _trouble(file, seal, former)
    mended = file.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    if wrong and _trouble(mended, seal, former) is None:
        return "its line breaks were changed since it was sealed, and nothing else: use it as Haven wrote it"
    return wrong


def _trouble(file: bytes, seal: Seal, former: Sequence[bytes]) -> str | None:
    start = file.rstrip(b"\n").rfind(b"\n") + 1
    content, last = file[:start], _LAST_LINE.fullmatch(file[start:])
    if last is None:
        return "not an evidence file, or changed: it does not end with the line that seals it"
    if sha256(content).hexdigest().encode() != last["digest"]:
        return "changed since it was sealed: it does not have the SHA-256 that its last line says"
    if not seal.verify(content, last["signature"].decode(), former):
        return "changed, or sealed with another key than this Haven's"
    return None


def exact(text: str) -> str:
    """Return somebody's words unchanged, except that what cannot be seen is shown by its number."""
    return "".join(f"<U+{ord(one):04X}>" if unicodedata.category(one) in _UNSEEN else one for one in text)


def happened(event: Event) -> str:
    """Return what an event in the history of a case was, in plain words."""
    first, _, rest = event.what.partition(" ")
    begun = "about to be " if event.what.endswith("?") else ""
    said = ": ".join(filter(None, (_EFFECTS.get(first, first), rest)))
    return begun + said.removesuffix("?").replace("_", " ")


def _about(case: Case, taken_by: Account, at: datetime, origin: Origin) -> Iterator[str]:
    seen = "somebody threatens" if case.kind is Kind.THREAT else "somebody tells of being threatened"
    yield f"Case:                {exact(case.id)}"
    yield f"Platform:            {origin.name}"
    yield f"Server:              {exact(case.space)}"
    yield f"What it looks like:  {'a member asked the moderators for help' if case.reported else seen}"
    yield f"How sure Haven is:   {_SURE[case.level]}"
    yield f"Moderators' ruling:  {(case.ruling or 'none').replace('_', ' ')}"
    yield f"First message:       {_time(case.opened_at)}"
    yield f"Last message:        {_time(case.seen_at)}"
    yield f"This file was made:  {_time(at)}, for the moderator with account {exact(taken_by.id)}"


def _accounts(case: Case) -> Iterator[str]:
    wrote = "Wrote the messages" if case.kind is Kind.THREAT else "Tells of it"
    yield f"{wrote}: account {exact(case.about.id)}"
    if case.accused:
        yield f"Was reported: account {exact(case.accused.id)}"
    for target in case.targets:
        yield f"Aimed at: account {exact(target.account.id)} (private warning: {target.advice})"
    if case.likely and not case.targets:
        yield f"Perhaps aimed at, a guess: account {exact(case.likely.id)}"


def _messages(case: Case, origin: Origin) -> Iterator[str]:
    found: dict[tuple[str, str, str], list[Evidence]] = {}
    for seen in sorted(case.evidence, key=lambda seen: seen.at or case.opened_at):
        found.setdefault((seen.channel or case.channel, seen.message_id, seen.excerpt), []).append(seen)
    for number, ((channel, message, words), lines) in enumerate(found.items(), 1):
        at = lines[0].at
        yield f"\nMessage {number} of {len(found)}"
        yield f"  Written by:  account {exact(case.about.id)}"
        yield f"  Written at:  {_time(at) if at else 'not recorded'}"
        if message:
            yield f"  Channel:     {exact(channel)}"
            yield f"  Message:     {exact(message)}"
            yield f"  Link:        {exact(origin.link(case.space, channel, message))}"
            yield f"  Haven saw:   {', '.join(map(_seen, lines))}"
        yield f"  Words:       “{exact(words)}”"
        if message and len(words) >= _KEPT:
            yield f"               (cut: Haven keeps the first {_KEPT} characters of a message)"
        yield f"  SHA-256:     {sha256(words.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _seen(seen: Evidence) -> str:
    """Return what a message does and how likely; the model is never certain."""
    return f"{seen.marker.replace('_', ' ')} (probability {min(seen.probability, _SUREST):.0%})"


def _event(event: Event) -> str:
    by = f", by account {exact(event.actor.id)}" if event.actor else ""
    note = f": “{exact(event.note)}”" if event.note else ""
    return f"{_time(event.at)}  {exact(happened(event))}{by}{note}"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
