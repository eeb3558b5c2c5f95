"""The one room of the console: typed lines in, and answers to members and moderators.

Lines are `name> text`. A member may also say `name> /help` and the like;
moderators have commands without a name before them, such as `/confirm CASE`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from bot import advice
from bot.case import Case
from bot.effects import Act, Ruling
from bot.evidence import Origin, happened
from bot.moderation import Event, RefusedError
from bot.outbox import to_its_end
from bot.parts import Parts
from bot.people import TooManyReportsError
from bot.platforms import acts
from bot.platforms.checkup import take
from bot.platforms.console import NAME, visible
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

_LINE = re.compile(r"\s*(?P<name>[^\s>][^>]{0,63}?)\s*>\s?(?P<text>.*)", re.DOTALL)
_MENTION = re.compile(r"(?<!\w)@(\w+(?:[.-]\w+)*)")
_MODERATOR = Account(NAME, "moderator")
_ORIGIN = Origin(
    "the console",
    lambda _space, _channel, _message: "none, it was typed",
    "Haven keeps no lines that are typed into its console: whoever runs it can say where they came from.",
)
_MODERATORS = {
    "/confirm": "CASE [all]",
    "/dismiss": "CASE [all]",
    "/advise": "CASE NAME",
    "/note": "CASE TEXT",
    "/cases": "",
    "/case": "CASE",
    "/evidence": "CASE",
    "/forget": "NAME",
}
"""What moderators may type, and what belongs behind it."""
_LOCALE = "en-GB"
_PEOPLE = 10_000


def to_message(line: str, space: str, id: str, now: datetime) -> Message | None:
    """Translate `name> text`; `@name` in the text says whom it is for, a leading `> ` that it is a quote."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    text = found["text"].strip()
    quote = text.startswith(">")
    return Message(
        id=id,
        space=space,
        channel=space,
        author=Account(NAME, found["name"]),
        text="" if quote else text,
        sent_at=now,
        to=tuple(Account(NAME, name) for name in dict.fromkeys(_MENTION.findall(text))),
        quoted=text.lstrip("> ") if quote else "",
    )


class Room:
    """The one space of the console: takes typed lines to the guard and answers commands."""

    def __init__(self, parts: Parts, console: Console, space: str = NAME) -> None:
        self._parts = parts
        self._console = console
        self._space = space
        self._run = uuid4().hex[:8]
        self._count = count()
        self._there: dict[Account, None] = {}  # who wrote, or was written to, since the start

    async def read(self, lines: AsyncIterator[str]) -> None:
        """Handle lines until they end."""
        async for line in lines:
            await to_its_end(asyncio.to_thread(self.take, line))
            self._parts.outbox.wake()

    def take(self, line: str) -> None:
        """Handle one line; what it leads to is recorded when this returns."""
        line = line.strip()
        if not line:
            return
        if line.startswith("/"):
            self._moderate(line.split())
            return
        now = datetime.now(UTC)
        message = to_message(line, self._space, f"{self._run}-{next(self._count)}", now)
        if message is None:
            self._say('write "name> text", for example: alice> hello @bob')
            return
        self._meet(message.author, *message.to)
        if message.text.startswith("/"):
            self._answer(message.author, message.text.split())
        else:
            self._parts.guard.receive([message])

    def _meet(self, *people: Account) -> None:
        self._there |= dict.fromkeys(people)
        while len(self._there) > _PEOPLE:
            del self._there[next(iter(self._there))]

    def _answer(self, member: Account, words: list[str]) -> None:
        people, says = self._parts.people, advice.says(_LOCALE)
        privately = f"to {visible(member.id)}, in private"
        match words:
            case ["/help"]:
                self._say(advice.help_page(_LOCALE).plain(), privately)
            case ["/check", *rest] if rest:
                verdict = people.check(member, " ".join(rest), f"{self._run}-{next(self._count)}")
                finding, evidence, crisis = verdict.finding, verdict.evidence, verdict.crisis
                page = advice.checked(_LOCALE, finding, evidence, crisis=crisis, buttons=False)
                self._say(page.plain(), privately)
            case ["/protect", "on" | "off" as choice]:
                people.protect(member, on=choice == "on")
                self._say(says.protect_on if choice == "on" else says.protect_off, privately)
            case ["/protect", "status"]:
                chosen = {None: says.protect_unset, True: says.protect_on, False: says.protect_off}
                self._say(chosen[people.protected(member)], privately)
            case ["/report", *rest] if rest:
                key = f"{self._run}-{next(self._count)}"
                try:
                    people.report(member, " ".join(rest), None, space=self._space, channel=self._space, key=key)
                    self._say(f"{says.reported}\n\n{advice.help_page(_LOCALE).plain()}", privately)
                except TooManyReportsError:
                    self._say(says.report_too_many, privately)
            case ["/privacy"]:
                days = self._parts.policies.of(self._space).retention.days
                self._say(says.privacy.format(days=days), privately)
                self._say(people.export(member).decode(), privately)
            case ["/privacy", "delete"]:
                people.delete(member)
                self._say(says.deleted, privately)
            case _:
                self._say(
                    "members may say /help, /check TEXT, /protect on|off|status, /report TEXT and /privacy [delete]"
                )

    def _moderate(self, words: list[str]) -> None:
        moderation = self._parts.moderation
        try:
            match words:
                case ["/confirm" | "/dismiss" as word, case, "all"]:
                    ruling = Ruling.CONFIRMED if word == "/confirm" else Ruling.NOT_SEXTORTION
                    self._say(acts.ruled_all(moderation.rule_all(self._space, case, ruling, _MODERATOR)))
                case ["/confirm", case]:
                    moderation.rule(self._space, case, Ruling.CONFIRMED, _MODERATOR)
                    self._say(acts.CONFIRMED)
                case ["/dismiss", case]:
                    moderation.rule(self._space, case, Ruling.NOT_SEXTORTION, _MODERATOR)
                    self._say(advice.on_alert(_LOCALE).dismissed)
                case ["/advise", case, name]:
                    self._say(self._advise(case, Account(NAME, name)))
                case ["/note", case, *note] if note:
                    moderation.act(self._space, case, Act.NOTED, _MODERATOR, " ".join(note))
                    self._say(f"Kept. /case {case} shows it.")
                case ["/cases"]:
                    lines = [summary(one) for one in moderation.cases(self._space, open_only=True)]
                    self._say("\n".join(lines) or "None is open.")
                case ["/case", case]:
                    for event in moderation.history(self._space, case):
                        self._say(told(event))
                case ["/evidence", case]:
                    content = take(self._parts, self._space, case, _MODERATOR, _ORIGIN)
                    self._console.print(Text(content.decode()), soft_wrap=True, end="")
                case ["/forget", name]:
                    erased = self._parts.people.forget(Account(NAME, name))
                    self._there.pop(Account(NAME, name), None)
                    kept = f"erased; cases about them or aimed at them: {erased}"
                    self._say(f"nothing was kept about {name}" if erased is None else kept)
                case [word, *_] if word in _MODERATORS:
                    self._say(f"not understood: write {word} {_MODERATORS[word]}".rstrip())
                case _:
                    known = ", ".join(f"{word} {rest}".rstrip() for word, rest in _MODERATORS.items())
                    self._say(f"moderators may say {known}")
        except InputError as error:
            self._say(str(error))

    def _advise(self, id: str, account: Account) -> str:
        """Send the warning to somebody who is there or whom the case names; return what to tell the moderator."""
        case = self._parts.moderation.case(self._space, id)
        if account not in {*self._there, *(target.account for target in case.targets), case.about, case.likely}:
            raise RefusedError(f"nobody called {account.id!r} has written here, or was written to, since Haven started")
        return acts.send_advice(self._parts, self._space, id, [account], _MODERATOR)

    def _say(self, text: str, title: str | None = None) -> None:
        shown = Text("\n".join(map(visible, text.split("\n"))))
        panel = Panel(shown, title=Text(title), title_align="left", border_style="green") if title else shown
        self._console.print(panel)


def summary(case: Case) -> str:
    """Return a case in one line."""
    ruled = f", {case.ruling.replace('_', ' ')}" if case.ruling else ""
    kind = "report" if case.reported else case.kind
    return f"{case.id}  {case.level.name.lower()}, {kind} by {visible(case.about.id)}{ruled}"


def told(event: Event) -> str:
    """Return in one line what happened to a case, and when."""
    note = f": {visible(event.note)}" if event.note else ""
    return f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC  {happened(event)}{note}"
