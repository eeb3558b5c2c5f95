"""Moderators' commands: /setup, /doctor, /cases, /case and /evidence."""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Literal

import discord
from discord import app_commands

from bot import advice
from bot.case import Case, view
from bot.effects import Act
from bot.evidence import Origin, happened
from bot.moderation import Event
from bot.platforms.checkup import Finding, inside, take
from bot.platforms.discord_bot import alert, answers, setup
from bot.platforms.discord_bot.answers import Interaction
from bot.platforms.discord_bot.case_buttons import presser
from bot.platforms.discord_bot.doctor import examine, intent
from bot.platforms.discord_bot.markup import disarmed, jump, moment, person
from bot.platforms.discord_bot.pages import buttons
from bot.platforms.discord_bot.reading import NAME, account

_MOST = 10
_WHOLE, _EMBEDS = 4096, 6000  # characters of a description, and of all embeds of a message
_MARGIN = 100
_GREEN, _ORANGE = discord.Colour(0x2E8B57), discord.Colour(0xD68910)
_CaseId = app_commands.Range[str, 1, 20]
_ORIGIN = Origin(
    "Discord",
    jump,
    """\
Discord numbers every server, channel, message and account, and finds them by these numbers. They stay the same when
names change. The number of a message holds when Discord took it: divided by 4194304, plus 1420070400000, it is the
milliseconds since 1 January 1970, UTC. A moderator can open the links above while the messages are there.
Members can delete messages at any time. The police can ask Discord to preserve what it has, then request it by legal
process, and in an emergency ask for it at once. Discord says how, and where its Government Request Portal is, at
https://discord.com/safety/360044157931-working-with-law-enforcement""",
)


def _for_moderators(name: str, description: str) -> Callable[[Any], app_commands.Command[Any, ..., None]]:
    """Make a command of a server, for those who may time out members."""

    def make(callback: Any) -> app_commands.Command[Any, ..., None]:
        command = app_commands.Command[Any, ..., None](
            name=name,
            description=description,
            callback=callback,
            allowed_contexts=app_commands.AppCommandContext(guild=True),
            allowed_installs=app_commands.AppInstallationType(guild=True),
        )
        command.default_permissions = discord.Permissions(moderate_members=True)
        return command

    return make


@_for_moderators("doctor", "Look at what Haven needs in this server, and how to mend what is missing.")
async def doctor(interaction: Interaction) -> None:
    """Show what is in order and what is to mend."""
    await answers.begin(interaction)
    guild, client = presser(interaction).guild, interaction.client
    reading, parts = client.settings.read_messages, client.parts
    seen_at = await asyncio.to_thread(parts.records.seen_at, str(guild.id))
    policy = await asyncio.to_thread(parts.policies.of, str(guild.id))
    shard = client.get_shard(guild.shard_id)
    findings = [
        _connection(shard.latency if shard else math.nan),
        intent(client.application_flags, reading=reading),
        *examine(guild, policy, reading=reading, seen_at=seen_at),
        *await asyncio.to_thread(
            lambda: [*inside(parts, str(guild.id), NAME, str(interaction.id), account(interaction.user))]
        ),
    ]
    fine = all(finding.fine for finding in findings)
    lines = [f"{'✅' if finding.fine else '🔧 **To mend:**'} {disarmed(finding.text)}" for finding in findings]
    title = "Everything is in order" if fine else "There is something to mend"
    shown = discord.Embed(title=title, description="\n".join(lines)[:_WHOLE], colour=_GREEN if fine else _ORANGE)
    await answers.answer(interaction, embed=shown)


@_for_moderators("cases", "The latest cases of this server.")
@app_commands.describe(show="Those that nobody has ruled on, or all.")
async def cases(interaction: Interaction, show: Literal["open", "recent"] = "open") -> None:
    """List the latest cases."""
    await answers.begin(interaction)
    space = str(presser(interaction).guild.id)
    actor, listed = account(interaction.user), interaction.client.parts.moderation.cases
    found = await asyncio.to_thread(listed, space, open_only=show == "open", actor=actor)
    title = f"The latest {_MOST} of {len(found)} cases" if len(found) > _MOST else "Cases"
    lines = [_line(case) for case in found[:_MOST]] or ["There is none." if show == "recent" else "None is open."]
    await answers.answer(interaction, embed=discord.Embed(title=title, description="\n".join(lines)))


@_for_moderators("case", "One case: what was seen, and all that was done about it.")
@app_commands.describe(id="The number of the case, as its alert says.")
async def case(interaction: Interaction, id: _CaseId) -> None:
    """Show a case as its alert does, and then its history."""
    await answers.begin(interaction)
    space, moderation = str(presser(interaction).guild.id), interaction.client.parts.moderation
    found = await asyncio.to_thread(moderation.case, space, id, account(interaction.user))
    history = await asyncio.to_thread(moderation.history, space, id)
    seen = view(found)
    shown = alert.embed(seen)
    told = discord.Embed(title="What was done", description=_told(history, _EMBEDS - len(shown)))
    await interaction.edit_original_response(embeds=[shown, told], view=buttons(alert.presses(seen)))


@_for_moderators("evidence", "A sealed file about a case, to give to the police.")
@app_commands.describe(id="The number of the case, as its alert says.")
async def evidence(interaction: Interaction, id: _CaseId) -> None:
    """Hand out the sheet of a case; the audit trail says who took it."""
    await answers.begin(interaction)
    moderator, parts = presser(interaction), interaction.client.parts
    content = await asyncio.to_thread(take, parts, str(moderator.guild.id), id, account(moderator), _ORIGIN)
    parts.outbox.wake()
    text = (
        "Give this file to the police as it is: in the UK call 101, or 999 if life is at risk. It has the words and the"
        " accounts in it, so show it to nobody else. The case says that you took it.\n"
        f"SHA-256 of the file: `{sha256(content).hexdigest()}`"
    )
    file = discord.File(io.BytesIO(content), f"haven-evidence-{id}.txt")
    await answers.answer(interaction, text, file=file)


def _connection(latency: float) -> Finding:
    measured = f", latency {latency * 1000:.0f} ms" if math.isfinite(latency) else ""
    return Finding(f"Haven is connected to Discord{measured}")


def _line(case: Case) -> str:
    kind = "report" if case.reported else str(case.kind)
    ruling = advice.on_alert(case.locale).acts[Act(case.ruling)] if case.ruling else "open"
    channel, _, message = (case.post.reference or "").partition("/") if case.post else ("", "", "")
    link = f", [alert]({jump(case.space, channel, message)})" if message else ""
    seen = discord.utils.format_dt(case.seen_at, "R")
    return f"`{case.id}` {case.level.name.lower()}, {kind} by {person(case.about)}, {seen}, {ruling}{link}"


def _told(history: Sequence[Event], space: int) -> str:
    """Return the latest events that fit into so many characters, the oldest first."""
    lines: list[str] = []
    space = min(space, _WHOLE) - _MARGIN
    for event in reversed(history):
        by = f" by {person(event.actor)}" if event.actor else ""
        note = f": {disarmed(event.note)}" if event.note else ""
        line = f"{moment(event.at)} {disarmed(happened(event))}{by}{note}"
        if (space := space - len(line) - 1) < 0:
            lines.append(f"({len(history) - len(lines)} earlier ones are left out)")
            break
        lines.append(line)
    return "\n".join(reversed(lines))


COMMANDS: tuple[app_commands.Command[Any, ..., None], ...] = (setup.setup, doctor, cases, case, evidence)
