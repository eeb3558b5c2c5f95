"""The console as a platform: private messages and alerts shown on the screen; `room.py` takes what is typed."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Collection
from itertools import count
from typing import assert_never

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from bot import advice
from bot.effects import (
    AdviseTarget,
    Alert,
    AlertModerators,
    Delivery,
    Effect,
    Outcome,
    PageModerators,
    UpdateAlert,
)
from bot.platforms import sheet
from classifiers.assessment import Evidence, Kind
from classifiers.errors import InputError

NAME = "console"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def screen() -> Console:
    """Return standard output as what is shown on; InputError where it is closed, and nothing could be shown."""
    if sys.stdout is None:
        raise InputError("standard output: it is closed")
    return Console(highlight=False)


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
    elif alert.reported:
        head.append("  a member asks the moderators for help")
    else:
        head.append("  somebody tells of being blackmailed with intimate images")
    if alert.crisis:
        head.append("  ·  signs of despair: act now", style="bold red")
    if done := sheet.done(alert):
        head.append(f"  ·  {done}", style="bold")
    lines: list[RenderableType] = [head]
    lines += [
        Text.assemble((visible(target.account.id), "bold"), ": ", advice.on_alert(alert.locale).advice[target.advice])
        for target in alert.targets
    ]
    if not alert.targets:
        why = sheet.nobody(alert, visible(alert.likely.id) if alert.likely else "")
        advise = "" if alert.forgotten else f" To send the advice: /advise {alert.case} NAME"
        lines.append(Text(why + advise))
    if alert.evidence and not alert.reported:
        lines.append(Text(advice.because(alert.locale, alert.evidence)))
    lines += [Text(line) for line in sheet.campaign(alert)]
    for seen in alert.evidence:
        why = f"{sheet.likelihood(seen):>3} {seen.marker.replace('_', ' ')}: " if seen.message_id else ""
        lines.append(Text.assemble((f"  {why}", "cyan"), quoted(seen)))
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
