"""The console as a platform: typed lines in, private messages and alerts shown on the screen.

Lines are `name> text`. A member may also say `name> /help`, `name> /protect on|off|status` and `name> /privacy`;
a moderator may say `/confirm CASE`, `/dismiss CASE`, `/advise CASE NAME` and `/forget NAME`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from itertools import count
from typing import assert_never
from uuid import uuid4

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from bot import advice
from bot.effects import (
    Advice,
    AdviseTarget,
    Alert,
    AlertModerators,
    Delivery,
    Effect,
    Outcome,
    Ruling,
    UpdateAlert,
)
from bot.guard import Guard
from bot.store import Store
from classifiers.assessment import Evidence, Kind
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

NAME = "console"
_LINE = re.compile(r"\s*(?P<name>[^\s>][^>]{0,63}?)\s*>\s?(?P<text>.*)", re.DOTALL)
_MENTION = re.compile(r"(?<!\w)@(\w+(?:[.-]\w+)*)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_DISMISSED = (
    "Noted. You hear no more of this case while it goes on, unless somebody new is aimed at; after a quiet week (or the"
    " incident gap of this space) what follows is a new case."
)
_CHOSEN = {
    "on": "Haven will write to you in private if it sees you threatened. /protect off stops that.",
    "off": "Haven will not write to you. You can always type /help, and /protect on changes it back.",
}
_PRIVACY = (
    "Haven reads messages in memory and forgets them. When somebody is threatened it keeps a case with a few short"
    " excerpts, encrypted, and erases it after 30 days unless this community chose another time. It keeps whether you"
    " want private messages (/protect on, off or status) and when you last got one. To have everything about you"
    " erased, ask a moderator."
)
_SAID_OF_ADVICE = {
    Advice.PENDING: "a private warning is on its way",
    Advice.DELIVERED: "was warned in private",
    Advice.REFUSED: "accepts no private messages: reach out in private yourself",
    Advice.UNREACHABLE: "cannot be written to: reach out in private yourself",
    Advice.FAILED: "the private warning could not be delivered: reach out in private yourself",
    Advice.DECLINED: "asked not to be written to",
    Advice.RECENT: "was warned a short while ago and not again",
    Advice.WAITING: "waits for a moderator to send the private warning",
    Advice.UNSURE: "not written to, not sure enough: a moderator may (/advise)",
}


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

    def __init__(self, guard: Guard, store: Store, console: Console, space: str = NAME) -> None:
        self._guard = guard
        self._store = store
        self._console = console
        self._space = space
        self._run = uuid4().hex[:8]
        self._count = count()

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
        elif message.text.startswith("/"):
            self._answer(message.author, message.text.split())
        else:
            self._guard.receive([message])

    def _answer(self, member: Account, words: list[str]) -> None:
        match words:
            case ["/help"]:
                self._say(advice.help_page("en-GB").plain(), f"to {visible(member.id)}, in private")
            case ["/protect", "on" | "off" as choice]:
                self._store.choose(member, opted_in=choice == "on")
                self._say(_CHOSEN[choice], f"to {visible(member.id)}")
            case ["/protect", "status"]:
                chosen = {None: "you have not chosen", True: "on", False: "off"}
                self._say(f"Private warnings: {chosen[self._store.recipient(member).opted_in]}.")
            case ["/privacy"]:
                self._say(_PRIVACY, f"to {visible(member.id)}, in private")
            case _:
                self._say("members may say /help, /protect on|off|status and /privacy")

    def _moderate(self, words: list[str]) -> None:
        try:
            match words:
                case ["/confirm", case]:
                    self._guard.rule(case, Ruling.CONFIRMED)
                case ["/dismiss", case]:
                    self._guard.rule(case, Ruling.NOT_SEXTORTION)
                    self._say(_DISMISSED)
                case ["/advise", case, name]:
                    self._guard.advise(case, Account(NAME, name))
                case ["/forget", name]:
                    self._say(f"erased; cases about them or aimed at them: {self._guard.forget(Account(NAME, name))}")
                case _:
                    self._say("moderators may say /confirm CASE, /dismiss CASE, /advise CASE NAME, /forget NAME")
        except InputError as error:
            self._say(str(error))

    def _say(self, text: str, title: str | None = None) -> None:
        shown = Text(text)
        panel = Panel(shown, title=Text(title), title_align="left", border_style="green") if title else shown
        self._console.print(panel)


class ConsolePlatform:
    """Shows every effect on a rich console; `refuses` names the people who accept no private messages."""

    name = NAME

    def __init__(self, console: Console, refuses: Collection[str] = ()) -> None:
        self._console = console
        self._refuses = refuses
        self._numbers = count(1)

    async def perform(self, effect: Effect) -> Delivery:
        """Show the effect; it is on the screen when this returns."""
        match effect:
            case AdviseTarget(target=target, kind=kind, locale=locale, crisis=crisis):
                if target.id in self._refuses:
                    return Delivery(Outcome.REFUSED, detail="accepts no private messages")
                page = advice.warning(locale, kind=kind, crisis=crisis)
                body = Text(page.plain())
                self._show(body, f"to {visible(target.id)}, in private  ·  case {effect.case}", "green")
                return Delivery(Outcome.DELIVERED)
            case AlertModerators(alert=alert):
                self._show(render(alert), f"to the moderators  ·  case {alert.case}", "yellow")
                return Delivery(Outcome.DELIVERED, reference=f"{alert.case}#{next(self._numbers)}")
            case UpdateAlert(alert=alert):
                title = f"to the moderators  ·  case {alert.case}, the same alert, edited"
                self._show(render(alert, guidance=alert.crisis), title, "yellow")
                return Delivery(Outcome.DELIVERED, reference=effect.reference)
            case _:
                assert_never(effect)

    def _show(self, body: RenderableType, title: str, colour: str) -> None:
        panel = Panel(body, title=Text(title), title_align="left", border_style=colour, padding=(0, 1))
        self._console.print(panel)
        self._console.file.flush()


def render(alert: Alert, *, guidance: bool = True) -> Group:
    """Return an alert as moderators read it: what was seen, by whom, towards whom, and why."""
    head = Text()
    head.append(alert.level.name.lower(), style="bold red")
    if alert.kind is Kind.THREAT and alert.sender:
        head.append("  looks like sextortion by ")
        head.append(visible(alert.sender.id), style="bold")
    else:
        head.append("  somebody tells of being blackmailed with intimate images")
    if alert.crisis:
        head.append("  ·  signs of despair: act now", style="bold red")
    if alert.ruling:
        head.append(f"  ·  ruled: {alert.ruling.replace('_', ' ')}", style="bold")
    lines: list[RenderableType] = [head]
    lines += [
        Text.assemble((visible(target.account.id), "bold"), ": ", _SAID_OF_ADVICE[target.advice])
        for target in alert.targets
    ]
    if not alert.targets:
        guess = f", perhaps {visible(alert.likely.id)}" if alert.likely else ""
        lines.append(
            Text(f"nobody was written to, because nobody is clearly aimed at{guess}: /advise {alert.case} NAME")
        )
    if alert.evidence:
        lines.append(Text(advice.because(alert.locale, alert.evidence)))
    for seen in alert.evidence:
        why = f"  {seen.probability:4.0%} {seen.marker.replace('_', ' ')}: "
        lines.append(Text.assemble((why, "cyan"), quoted(seen)))
    if guidance:
        page = advice.guidance(alert.locale, kind=alert.kind, crisis=alert.crisis)
        lines.append(Text("\n" + page.plain(), style="dim"))
    return Group(*lines)


def quoted(seen: Evidence) -> Text:
    """Return the excerpt between quotation marks, with the words that carried it in bold."""
    excerpt = Text("“" + visible(seen.excerpt) + "”", style="dim")
    for start, end in seen.carried:
        excerpt.stylize("not dim bold", start + 1, end + 1)
    return excerpt


def visible(text: str) -> str:
    """Return somebody's words without what could steer a terminal."""
    return _CONTROL.sub("�", text.replace("\n", " "))
