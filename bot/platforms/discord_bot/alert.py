"""What moderators see of a case: one embed and the buttons under it."""

from __future__ import annotations

from collections.abc import Iterable

import discord

from bot import advice
from bot.effects import Act, Advice, Alert, Ruling
from bot.platforms.discord_bot.markup import jump, marked, moment, person
from bot.platforms.discord_bot.pages import Press
from classifiers.assessment import Evidence, Kind, Level

SENDABLE = (Advice.WAITING, Advice.UNSURE, Advice.FAILED, Advice.RECENT)
_RED, _ORANGE, _GREY = discord.Colour(0xC0392B), discord.Colour(0xD68910), discord.Colour(0x7F8C8D)
_SURE = {Level.ADVISE: "Haven is sure", Level.ALERT: "Haven is fairly sure"}
_LINES, _SPACE = 8, 2600


def embed(alert: Alert) -> discord.Embed:
    """Return the alert as an embed; words of members are hidden and disarmed, and nobody can be pinged by them."""
    grave = alert.crisis or alert.level is Level.ADVISE
    shown = discord.Embed(
        title=_title(alert),
        description="\n".join(_description(alert)),
        colour=_GREY if alert.ruling is Ruling.NOT_SEXTORTION else _RED if grave else _ORANGE,
    )
    if alert.sender:
        shown.add_field(name="Sender", value=f"{person(alert.sender)} ({alert.sender.id})", inline=False)
    if alert.accused:
        shown.add_field(name="Reported", value=f"{person(alert.accused)} ({alert.accused.id})", inline=False)
    shown.add_field(name="Aimed at" if alert.sender else "Who tells of it", value=_targets(alert), inline=False)
    said = advice.on_alert(alert.locale)
    done = [said.acts[Act(alert.ruling)]] if alert.ruling else []
    if done := done + [said.acts[act] for act in alert.acts]:
        shown.add_field(name="What moderators did", value=", ".join(done), inline=False)
    page = advice.guidance(alert.locale, kind=alert.kind, crisis=alert.crisis)
    lines = [line for section in page.sections if section.id in ("crisis", "do", "avoid") for line in section.lines]
    shown.add_field(name=page.title, value="\n".join(lines)[:1024], inline=False)
    shown.set_footer(text=f"case {alert.case}")
    return shown


def presses(alert: Alert) -> list[Press]:
    """Return the buttons under an alert; each carries the case's id, so that it works after a restart."""
    case, danger = alert.case, discord.ButtonStyle.danger
    settled = [target.advice for target in alert.targets if target.advice not in SENDABLE]
    found = [
        Press("Confirm", "confirm", case, discord.ButtonStyle.primary, alert.ruling is Ruling.CONFIRMED, 0),
        Press("Not sextortion", "dismiss", case, disabled=alert.ruling is Ruling.NOT_SEXTORTION, row=0),
        Press("Send private advice", "advise", case, disabled=0 < len(alert.targets) == len(settled), row=0),
        Press("Note", "note", case, row=0),
    ]
    if alert.sender or alert.accused:
        found += [
            Press("Time out the sender", "timeout", case, danger, row=1),
            Press("Ban", "ban", case, danger, row=1),
        ]
    if any(seen.message_id for seen in alert.evidence):
        found.append(Press("Delete the messages", "delete", case, danger, row=1))
    return found


def _title(alert: Alert) -> str:
    if alert.reported:
        return "A member asks the moderators for help"
    if alert.kind is Kind.DISCLOSURE:
        return "Somebody tells of being blackmailed with intimate images"
    return f"Looks like sextortion. {_SURE.get(alert.level, 'Haven is not sure')}."


def _description(alert: Alert) -> list[str]:
    lines = ["**Signs of despair: act now.**"] if alert.crisis else []
    if alert.evidence and not alert.reported:
        lines.append(advice.because(alert.locale, alert.evidence))
    space = _SPACE
    for line in _seen(alert)[:_LINES]:
        if (space := space - len(line)) < 0:
            break
        lines.append(line)
    if alert.message_id:
        lines.append(f"[Go to the messages]({jump(alert.space, alert.channel, alert.message_id)})")
    return lines


def _seen(alert: Alert) -> list[str]:
    """Return a line for each message that showed something, in the order in which they were written."""
    by_message: dict[str, list[Evidence]] = {}
    for seen in alert.evidence:
        by_message.setdefault(seen.message_id, []).append(seen)
    return [_line(alert, evidence) for _, evidence in sorted(by_message.items())]


def _line(alert: Alert, evidence: list[Evidence]) -> str:
    first = evidence[0]
    words = marked(first.excerpt, _joined(span for seen in evidence for span in seen.carried))
    if not first.message_id:
        return words
    shows = ", ".join(f"{seen.marker.replace('_', ' ')} {seen.probability:.0%}" for seen in evidence)
    when = f"{moment(first.at)} " if first.at else ""
    link = jump(alert.space, first.channel or alert.channel, first.message_id)
    return f"{when}[message]({link}), {shows}: {words}"


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, with those that overlap made one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _targets(alert: Alert) -> str:
    said = advice.on_alert(alert.locale).advice
    if alert.targets:
        return "\n".join(f"{person(target.account)}: {said[target.advice]}" for target in alert.targets)[:1024]
    guess = f", perhaps {person(alert.likely)}" if alert.likely else ""
    return f"Nobody was written to, because nobody is clearly aimed at{guess}."
