"""The console as a platform: typed lines in, private messages and alerts shown on the screen.

Lines are `name> text`. A member may also say `name> /help` and the like;
moderators have commands without a name before them, such as `/confirm CASE`.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from itertools import count
from typing import assert_never
from uuid import uuid4

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from bot import advice
from bot.case import Case
from bot.effects import (
    Act,
    AdviseTarget,
    Alert,
    AlertModerators,
    Delivery,
    Effect,
    Outcome,
    PageModerators,
    Ruling,
    UpdateAlert,
)
from bot.outbox import to_its_end
from bot.parts import Parts
from bot.people import TooManyReportsError
from bot.platforms import sheet
from classifiers.assessment import Evidence, Kind
from classifiers.conversation import Account, Message
from classifiers.errors import InputError

NAME = "console"
_LINE = re.compile(r"\s*(?P<name>[^\s>][^>]{0,63}?)\s*>\s?(?P<text>.*)", re.DOTALL)
_MENTION = re.compile(r"(?<!\w)@(\w+(?:[.-]\w+)*)")
_MODERATOR = Account(NAME, "moderator")
_LOCALE = "en-GB"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


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
        elif message.text.startswith("/"):
            self._answer(message.author, message.text.split())
        else:
            self._parts.guard.receive([message])

    def _answer(self, member: Account, words: list[str]) -> None:
        people, says = self._parts.people, advice.says(_LOCALE)
        privately = f"to {visible(member.id)}, in private"
        match words:
            case ["/help"]:
                self._say(advice.help_page(_LOCALE).plain(), privately)
            case ["/check", *rest] if rest:
                verdict = people.check(member, " ".join(rest), f"{self._run}-{next(self._count)}")
                self._say(
                    advice.checked(_LOCALE, verdict.finding, verdict.evidence, crisis=verdict.crisis).plain(), privately
                )
            case ["/protect", "on" | "off" as choice]:
                people.protect(member, on=choice == "on")
                self._say(says.protect_on if choice == "on" else says.protect_off, privately)
            case ["/protect", "status"]:
                chosen = {None: says.protect_unset, True: says.protect_on, False: says.protect_off}
                self._say(chosen[people.protected(member)], privately)
            case ["/report", *rest]:
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
                    done = moderation.rule_all(self._space, case, ruling, _MODERATOR)
                    self._say(f"noted for {done} cases")
                case ["/confirm", case]:
                    moderation.rule(self._space, case, Ruling.CONFIRMED, _MODERATOR)
                case ["/dismiss", case]:
                    moderation.rule(self._space, case, Ruling.NOT_SEXTORTION, _MODERATOR)
                    self._say(advice.on_alert(_LOCALE).dismissed)
                case ["/advise", case, name]:
                    moderation.advise(self._space, case, Account(NAME, name), _MODERATOR)
                case ["/note", case, *note] if note:
                    moderation.act(self._space, case, Act.NOTED, _MODERATOR, " ".join(note))
                case ["/cases"]:
                    for open_case in moderation.cases(self._space, open_only=True):
                        self._say(summary(open_case))
                case ["/case", case]:
                    for event in moderation.history(self._space, case):
                        self._say(f"{event.at:%Y-%m-%d %H:%M} {event.what} {visible(event.note)}".rstrip())
                case ["/forget", name] if not self._parts.guard.holds(Account(NAME, name)):
                    self._say(f"nothing was kept about {name}")
                case ["/forget", name]:
                    erased = self._parts.guard.forget(Account(NAME, name))
                    self._say(f"erased; cases about them or aimed at them: {erased}")
                case _:
                    self._say(
                        "moderators may say /confirm CASE [all], /dismiss CASE [all], /advise CASE NAME,"
                        " /note CASE TEXT, /cases, /case CASE, /forget NAME"
                    )
        except InputError as error:
            self._say(str(error))

    def _say(self, text: str, title: str | None = None) -> None:
        shown = Text("\n".join(map(visible, text.split("\n"))))
        panel = Panel(shown, title=Text(title), title_align="left", border_style="green") if title else shown
        self._console.print(panel)


class ConsolePlatform:
    """Shows every effect on a rich console; `refuses` names the people who accept no private messages."""

    name = NAME
    remembers = math.inf  # a screen may show a thing twice
    connected = True

    def __init__(self, console: Console, refuses: Collection[str] = ()) -> None:
        self._console = console
        self._refuses = refuses
        self._numbers = count(1)

    async def ready(self) -> None:
        """Return at once: the screen is there."""

    async def perform(self, effect: Effect, key: str) -> Delivery:
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
            case PageModerators(case=case, role=role, why=why):
                called = f"{visible(role)}: " if role else ""
                self._show(Text(called + sheet.call(why)), f"to the moderators  ·  case {case}", "red")
                return Delivery(Outcome.DELIVERED)
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
        Text.assemble((visible(target.account.id), "bold"), ": ", advice.on_alert(alert.locale).advice[target.advice])
        for target in alert.targets
    ]
    if not alert.targets:
        guess = f", perhaps {visible(alert.likely.id)}" if alert.likely else ""
        lines.append(
            Text(f"nobody was written to, because nobody is clearly aimed at{guess}: /advise {alert.case} NAME")
        )
    if alert.evidence:
        lines.append(Text(advice.because(alert.locale, alert.evidence)))
    lines += [Text(line) for line in sheet.campaign(alert)]
    for seen in alert.evidence:
        why = f"  {seen.probability:4.0%} {seen.marker.replace('_', ' ')}: "
        lines.append(Text.assemble((why, "cyan"), quoted(seen)))
    if guidance:
        page = advice.guidance(alert.locale, kind=alert.kind, crisis=alert.crisis)
        lines.append(Text("\n" + page.plain(), style="dim"))
    return Group(*lines)


def summary(case: Case) -> str:
    """Return a case in one line."""
    ruled = f", {case.ruling.replace('_', ' ')}" if case.ruling else ""
    return f"{case.id}  {case.level.name.lower()}, {case.kind} by {visible(case.about.id)}{ruled}"


def quoted(seen: Evidence) -> Text:
    """Return the excerpt between quotation marks, with the words that carried it in bold."""
    excerpt = Text("“" + visible(seen.excerpt) + "”", style="dim")
    for start, end in seen.carried:
        excerpt.stylize("not dim bold", start + 1, end + 1)
    return excerpt


def visible(text: str) -> str:
    """Return somebody's words without what could steer a terminal."""
    return _CONTROL.sub("�", text.replace("\n", " "))
