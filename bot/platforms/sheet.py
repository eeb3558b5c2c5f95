"""What an alert says on every platform; a platform only brings its own way of writing it down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot import advice
from bot.campaign import EXACT
from bot.effects import Act, Alert, Ruling
from bot.rulings import SENDABLE
from classifiers.assessment import Evidence, Kind, Level
from classifiers.conversation import Account

_SURE = {Level.ADVISE: "Haven is quite sure, and can be wrong", Level.ALERT: "Haven is fairly sure, and can be wrong"}
_MOST_SURE = 0.99
_CALLS = {
    "grave": "This cannot wait any more: please look now",
    "another": "The same sender aims at somebody else, too: please look now",
    "crisis": "Somebody shows despair: please look now",
    "again": "It was ruled not to be sextortion, and there is more to it now: please look again",
}
_TARGETS = 8
_LINES, _SPACE = 8, 2600
_REPORT_SPACE = 5100  # a report of the greatest length, each character of which may take five


class Markup(Protocol):
    """A platform's written forms."""

    def bold(self, text: str) -> str:
        """Return Haven's own words in bold."""
        ...

    def person(self, account: Account) -> str:
        """Return who it is, without calling them."""
        ...

    def moment(self, at: datetime) -> str:
        """Return a time."""
        ...

    def link(self, text: str, space: str, channel: str, message: str) -> str:
        """Return a link to a message."""
        ...

    def hidden(self, excerpt: str, carried: Sequence[tuple[int, int]]) -> str:
        """Return somebody's words, disarmed and covered, with those that carried the evidence marked."""
        ...


@dataclass(frozen=True, slots=True)
class Button:
    """A button under an alert: its label, what it does (the same name on every platform), whether it can be pressed."""

    label: str
    act: str
    enabled: bool = True
    danger: bool = False


def is_grave(alert: Alert) -> bool:
    """Return whether an alert cannot wait."""
    return alert.crisis or alert.level is Level.ADVISE


def title(alert: Alert) -> str:
    """Return in one line what it is about."""
    if alert.ruling is Ruling.NOT_SEXTORTION:
        return "Ruled not to be sextortion"
    if alert.reported:
        return "A member asks the moderators for help"
    if alert.kind is Kind.DISCLOSURE:
        return "Somebody tells of being blackmailed with intimate images"
    return f"Looks like sextortion. {_SURE.get(alert.level, 'Haven is not sure')}."


def seen(alert: Alert, markup: Markup) -> list[str]:
    """Return what was seen and why, with a line for each message that showed something, in their order."""
    lines = []
    if alert.crisis:
        known = [markup.person(one) for one in (alert.despairing, *alert.also_despairing[:_TARGETS]) if one]
        who = f" by {', '.join(known)}" if known else ""
        lines.append(f"{markup.bold('Signs of despair: act now')}{who}.")
    if alert.evidence and not alert.reported:
        lines.append(advice.because(alert.locale, alert.evidence))
    lines += [markup.bold(line) for line in campaign(alert)]
    by_message: dict[str, list[Evidence]] = {}
    for evidence in alert.evidence:
        by_message.setdefault(evidence.message_id, []).append(evidence)
    space = _REPORT_SPACE if alert.reported else _SPACE
    for _, found in sorted(by_message.items(), key=lambda one: (len(one[0]), one[0]))[:_LINES]:
        line = _line(alert, found, markup)
        if (space := space - len(line)) < 0:
            break
        lines.append(line)
    if alert.message_id:
        lines.append(markup.link("Go to the messages", alert.space, alert.channel, alert.message_id))
    return lines


def campaign(alert: Alert) -> list[str]:
    """Return what is known of the campaign that a case belongs to, as plain sentences."""
    lines = []
    if known := alert.elsewhere:
        where = (
            f", in {_counted(known.communities, 'other community', 'other communities')}" if known.communities else ""
        )
        cases = _counted(known.cases, "other case", "other cases")
        lines.append(f"The same script or payment details were seen in {cases}{where}.")
    if raid := alert.raid:
        cases, senders = _counted(raid.cases, "case", "cases"), _counted(raid.senders, "sender", "senders")
        others = ", ".join(raid.others)
        lines.append(f"This alert stands for {cases} with one script, by {senders}: {others}. /cases lists all.")
    return lines


def people(alert: Alert, markup: Markup) -> list[tuple[str, str]]:
    """Return who is who, as headings and what stands under them."""
    found = []
    if alert.sender:
        found.append(("Sender", f"{markup.person(alert.sender)} ({alert.sender.id})"))
    if alert.accused:
        found.append(("Reported", f"{markup.person(alert.accused)} ({alert.accused.id})"))
    said = advice.on_alert(alert.locale).advice
    targets = [f"{markup.person(target.account)}: {said[target.advice]}" for target in alert.targets[:_TARGETS]]
    if len(alert.targets) > _TARGETS:
        targets.append(f"and {len(alert.targets) - _TARGETS} more")
    targets = targets or [nobody(alert, markup.person(alert.likely) if alert.likely else "")]
    return [*found, ("Aimed at" if alert.sender else "Who tells of it", "\n".join(targets))]


def nobody(alert: Alert, guess: str) -> str:
    """Return why an alert names no target; `guess` is who may be one, in a platform's writing."""
    if not alert.sender:
        return "They asked Haven to forget them."
    if alert.forgotten:
        return "Somebody who was aimed at, and has been forgotten since."
    return f"Nobody was written to, because nobody is clearly aimed at{guess and f', perhaps {guess}'}."


def likelihood(evidence: Evidence) -> str:
    """Return how likely a line shows what it is held to; the model is never certain."""
    return f"{min(evidence.probability, _MOST_SURE):.0%}"


def done(alert: Alert) -> str:
    """Return what moderators did, empty when nothing."""
    said = advice.on_alert(alert.locale).acts
    ruled = [said[Act(alert.ruling)]] if alert.ruling else []
    return ", ".join([*ruled, *(said[act] for act in alert.acts)])


def call(why: str) -> str:
    """Return what is said under an alert whose edit alone might not be noticed."""
    return _CALLS[why]


def to_do(alert: Alert) -> tuple[str, str]:
    """Return what moderators should do now, as a heading and what stands under it; empty where there is nothing."""
    if alert.ruling is Ruling.NOT_SEXTORTION or _is_emptied(alert):
        return "", ""
    page = advice.guidance(alert.locale, kind=alert.kind, crisis=alert.crisis)
    lines = [line for section in page.sections if section.id in ("crisis", "do", "avoid") for line in section.lines]
    return page.title, "\n".join(lines)


def buttons(alert: Alert) -> list[list[Button]]:
    """Return the buttons under an alert, in rows."""
    if _is_emptied(alert):
        return []
    settled = [target for target in alert.targets if target.advice not in SENDABLE]
    ruling = [
        Button("Confirm", "confirm", alert.ruling is not Ruling.CONFIRMED),
        Button("Not sextortion", "dismiss", alert.ruling is not Ruling.NOT_SEXTORTION),
        Button("Send private advice", "advise", not 0 < len(alert.targets) == len(settled)),
        Button("Note", "note"),
    ]
    acting = []
    if alert.sender or alert.accused:
        acting += [Button("Time out the sender", "timeout", danger=True), Button("Ban", "ban", danger=True)]
    if any(evidence.message_id for evidence in alert.evidence):
        acting.append(Button("Delete the messages", "delete", danger=True))
    whole = []
    if alert.raid:
        whole = [
            Button("Confirm all cases of it", "confirm_all"),
            Button("None of them is sextortion", "dismiss_all"),
        ]
    return [row for row in (ruling, acting, whole) if row]


def _is_emptied(alert: Alert) -> bool:
    """Return whether who told of it asked Haven to forget them: then nothing is left to act on."""
    return not alert.sender and not alert.targets


def _counted(count: int, one: str, many: str) -> str:
    return f"{'at least ' if count >= EXACT else ''}{count} {one if count == 1 else many}"


def _line(alert: Alert, evidence: Sequence[Evidence], markup: Markup) -> str:
    first = evidence[0]
    words = markup.hidden(first.excerpt, _joined(span for one in evidence for span in one.carried))
    if not first.message_id:
        return words
    shows = ", ".join(f"{one.marker.replace('_', ' ')} {likelihood(one)}" for one in evidence)
    when = f"{markup.moment(first.at)} " if first.at else ""
    link = markup.link("message", alert.space, first.channel or alert.channel, first.message_id)
    return f"{when}{link}, {shows}: {words}"


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, with those that overlap made one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
