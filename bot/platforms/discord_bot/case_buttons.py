"""The buttons under an alert; each is for those who hold the right themselves, and leaves a line in the audit trail."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import discord

from bot import advice
from bot.case import Case
from bot.effects import Act, Ruling
from bot.moderation import NOTE_LENGTH, RefusedError
from bot.platforms import acts
from bot.platforms.discord_bot import answers, forms
from bot.platforms.discord_bot.answers import Interaction
from bot.platforms.discord_bot.markup import person
from bot.platforms.discord_bot.pages import Press
from bot.platforms.discord_bot.reading import account
from bot.rulings import SENDABLE
from classifiers.assessment import Kind
from classifiers.conversation import Account

WHOM = re.compile(r"haven_whom:(?P<case>[0-9a-f]{10})")
TIME_OUT = timedelta(hours=24)
_NAMES = {
    "moderate_members": "Time out members",
    "ban_members": "Ban Members",
    "manage_messages": "Manage Messages",
    "manage_guild": "Manage Server",
}


def presser(interaction: Interaction, permission: str = "moderate_members") -> discord.Member:
    """Return the moderator who asks; RefusedError when they do not hold the permission themselves at this moment."""
    if not isinstance(interaction.user, discord.Member):
        raise RefusedError("this works in a server only")
    if not getattr(interaction.permissions, permission):
        raise RefusedError(f"you need the permission “{_NAMES[permission]}” for this")
    return interaction.user


async def _rule(interaction: Interaction, case: str, ruling: Ruling, said: str) -> None:
    await answers.begin(interaction)
    moderator = presser(interaction)
    parts = interaction.client.parts
    await asyncio.to_thread(parts.moderation.rule, str(interaction.guild_id), case, ruling, account(moderator))
    parts.outbox.wake()
    await answers.answer(interaction, said)


async def _confirm(interaction: Interaction, case: str) -> None:
    await _rule(interaction, case, Ruling.CONFIRMED, acts.CONFIRMED)


async def _dismiss(interaction: Interaction, case: str) -> None:
    said = advice.on_alert(interaction.client.locale_of(interaction)).dismissed
    await _rule(interaction, case, Ruling.NOT_SEXTORTION, said)


async def _rule_all(interaction: Interaction, case: str, ruling: Ruling) -> None:
    await answers.begin(interaction)
    moderator = presser(interaction)
    parts = interaction.client.parts
    space, actor = str(interaction.guild_id), account(moderator)
    done = await asyncio.to_thread(parts.moderation.rule_all, space, case, ruling, actor)
    parts.outbox.wake()
    await answers.answer(interaction, acts.ruled_all(done))


async def _confirm_all(interaction: Interaction, case: str) -> None:
    await _rule_all(interaction, case, Ruling.CONFIRMED)


async def _dismiss_all(interaction: Interaction, case: str) -> None:
    await _rule_all(interaction, case, Ruling.NOT_SEXTORTION)


async def _advise(interaction: Interaction, case_id: str) -> None:
    """Write to whom the case is aimed at; where that is not known, or it is done, ask the moderator to whom else."""
    await answers.begin(interaction)
    presser(interaction)
    case = await _case(interaction, case_id)
    waiting = [target.account for target in case.targets if target.advice in SENDABLE]
    if waiting:
        await _send_advice(interaction, case_id, waiting)
        return
    if case.targets and case.kind is Kind.DISCLOSURE:
        raise RefusedError(acts.NOTHING_TO_SEND)
    likely = [discord.Object(int(case.likely.id), type=discord.User)] if case.likely and not case.targets else []
    chooser: discord.ui.View = discord.ui.View(timeout=None)
    chooser.add_item(
        discord.ui.UserSelect(
            custom_id=f"haven_whom:{case_id}", placeholder="Whom is it aimed at?", default_values=likely
        )
    )
    chooser.stop()
    whom = "There is nothing more to send to whom the alert names. To whom else" if case.targets else "To whom"
    await answers.answer(interaction, f"{whom} should Haven send the private advice?", view=chooser)


async def advise_picked(
    interaction: Interaction, case_id: str, picked: Sequence[discord.Member | discord.User]
) -> None:
    """Write to the member whom a moderator picked."""
    await answers.begin(interaction)
    presser(interaction)
    if any(user.bot or not isinstance(user, discord.Member) for user in picked):
        raise RefusedError("pick a member of this server who is not a bot")
    await _send_advice(interaction, case_id, [account(user) for user in picked])


async def _send_advice(interaction: Interaction, case_id: str, targets: list[Account]) -> None:
    parts, space, actor = interaction.client.parts, str(interaction.guild_id), account(interaction.user)
    said = await asyncio.to_thread(acts.send_advice, parts, space, case_id, targets, actor)
    parts.outbox.wake()
    await answers.answer(interaction, said)


async def _note(interaction: Interaction, case: str) -> None:
    presser(interaction)
    await _case(interaction, case)
    field: discord.ui.TextInput[Any] = discord.ui.TextInput(style=discord.TextStyle.paragraph, max_length=NOTE_LENGTH)
    described = "Moderators see it with /case. It is encrypted and erased with the case."
    await forms.ask(interaction, "note", case, "A note for this case", "Note", described, field)


async def keep_note(interaction: Interaction, case: str) -> None:
    """Keep the note that was written into the form."""
    await answers.begin(interaction)
    moderator = presser(interaction)
    await _done(interaction, case, Act.NOTED, account(moderator), forms.written(interaction))
    await answers.answer(interaction, "Kept. /case shows it.")


async def _time_out(interaction: Interaction, case_id: str) -> None:
    await answers.begin(interaction)
    moderator = presser(interaction, "moderate_members")
    case = await _case(interaction, case_id)
    member = await _member(moderator.guild, acts.offender(case))
    if member is None:
        raise RefusedError("they are not a member of this server any more")
    _check_own(moderator.guild.me.guild_permissions, "moderate_members")
    _check_rank(moderator, member)
    if member.guild_permissions.administrator:
        raise RefusedError("Discord lets nobody time out an administrator")
    if member.timed_out_until and member.timed_out_until > discord.utils.utcnow() + TIME_OUT:
        raise RefusedError("they are timed out for longer than 24 hours already")
    await _attempt(interaction, case_id, Act.TIMED_OUT, account(moderator))
    with _told():
        await member.timeout(TIME_OUT, reason=f"Haven case {case_id}, by {moderator.id}")
    await _done(interaction, case_id, Act.TIMED_OUT, account(moderator))
    await answers.answer(interaction, f"{person(account(member))} is timed out for 24 hours.")


async def _ban(interaction: Interaction, case_id: str) -> None:
    await answers.begin(interaction)
    presser(interaction, "ban_members")
    offender = acts.offender(await _case(interaction, case_id))
    sure = Press("Yes, ban", "ban_yes", case_id, discord.ButtonStyle.danger)
    text = f"Ban {person(offender)}? Their messages stay, as evidence. Save it first with `/evidence {case_id}`."
    await answers.answer(interaction, text, presses=[sure])


async def _ban_yes(interaction: Interaction, case_id: str) -> None:
    await answers.begin(interaction)
    moderator = presser(interaction, "ban_members")
    offender = acts.offender(await _case(interaction, case_id))
    member = await _member(moderator.guild, offender)
    _check_own(moderator.guild.me.guild_permissions, "ban_members")
    if member:
        _check_rank(moderator, member)
    await _attempt(interaction, case_id, Act.BANNED, account(moderator))
    reason = f"Haven case {case_id}, by {moderator.id}"
    with _told():
        await moderator.guild.ban(discord.Object(int(offender.id)), reason=reason, delete_message_seconds=0)
    await _done(interaction, case_id, Act.BANNED, account(moderator))
    await answers.answer(interaction, f"{person(offender)} is banned.")


async def _delete(interaction: Interaction, case_id: str) -> None:
    await answers.begin(interaction)
    presser(interaction, "manage_messages")
    places = _places(await _case(interaction, case_id))
    sure = Press("Yes, delete", "delete_yes", case_id, discord.ButtonStyle.danger)
    text = f"Delete {_messages(len(places))} that the alert shows? Save the evidence first with `/evidence {case_id}`."
    await answers.answer(interaction, text, presses=[sure])


async def _delete_yes(interaction: Interaction, case_id: str) -> None:
    await answers.begin(interaction)
    moderator = presser(interaction, "manage_messages")
    places = _places(await _case(interaction, case_id))
    for channel_id in dict.fromkeys(channel_id for channel_id, _ in places):
        if channel := await _channel(moderator.guild, channel_id):
            if not channel.permissions_for(moderator).manage_messages:
                raise RefusedError(f"you need the permission “Manage Messages” in {channel.mention}")
            _check_own(channel.permissions_for(moderator.guild.me), "manage_messages", f" in {channel.mention}")
    await _attempt(interaction, case_id, Act.DELETED_MESSAGES, account(moderator))
    deleted = 0
    for channel_id, message_id in places:
        messageable = interaction.client.get_partial_messageable(channel_id, guild_id=moderator.guild.id)
        with _told(f" ({deleted} of {len(places)} messages are deleted)"), suppress(discord.NotFound):
            await messageable.get_partial_message(message_id).delete()
            deleted += 1
    await _done(interaction, case_id, Act.DELETED_MESSAGES, account(moderator))
    gone = f"; {len(places) - deleted} of {len(places)} had gone already" if deleted < len(places) else ""
    await answers.answer(interaction, f"Deleted {_messages(deleted)}{gone}.")


async def _case(interaction: Interaction, case_id: str) -> Case:
    case = interaction.client.parts.moderation.case
    return await asyncio.to_thread(case, str(interaction.guild_id), case_id, account(interaction.user))


async def _attempt(interaction: Interaction, case_id: str, act: Act, actor: Account) -> None:
    await asyncio.to_thread(interaction.client.parts.moderation.attempt, str(interaction.guild_id), case_id, act, actor)


async def _done(interaction: Interaction, case_id: str, act: Act, actor: Account, note: str = "") -> None:
    parts = interaction.client.parts
    await asyncio.to_thread(parts.moderation.act, str(interaction.guild_id), case_id, act, actor, note)
    parts.outbox.wake()


def _places(case: Case) -> list[tuple[int, int]]:
    """Return channel and id of each message that showed something, once."""
    seen = [(seen.channel or case.channel, seen.message_id) for seen in case.evidence if seen.message_id]
    if not seen:
        raise RefusedError("the alert shows no messages that could be deleted")
    return [(int(channel), int(message)) for channel, message in dict.fromkeys(seen)]


async def _member(guild: discord.Guild, offender: Account) -> discord.Member | None:
    try:
        return await guild.fetch_member(int(offender.id))
    except discord.NotFound:
        return None


async def _channel(guild: discord.Guild, id: int) -> discord.abc.GuildChannel | discord.Thread | None:
    """Return a channel, also an archived thread, None when it is gone; RefusedError when Haven cannot see it."""
    try:
        return guild.get_channel_or_thread(id) or await guild.fetch_channel(id)
    except discord.NotFound:
        return None
    except discord.Forbidden:
        raise RefusedError(f"Haven cannot see <#{id}>") from None


def _check_own(held: discord.Permissions, permission: str, where: str = "") -> None:
    """Refuse what Haven was not given the right to do."""
    if not getattr(held, permission):
        raise RefusedError(f"Haven lacks the permission “{_NAMES[permission]}”{where}")


def _check_rank(moderator: discord.Member, member: discord.Member) -> None:
    """Refuse what Discord's own client would refuse: acting upwards."""
    guild = moderator.guild
    if member.id == guild.owner_id or (moderator.id != guild.owner_id and member.top_role >= moderator.top_role):
        raise RefusedError("their highest role is not below yours")
    if member.top_role >= guild.me.top_role:
        raise RefusedError("their highest role is not below Haven's: move Haven's role up in the server settings")


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


@contextmanager
def _told(so_far: str = "") -> Iterator[None]:
    """Let the moderator know when Discord did not do what it was asked."""
    try:
        yield
    except discord.DiscordServerError as error:
        text = f"Discord had a fault (HTTP {error.status}): see if it was done, or press again{so_far}"
        raise RefusedError(text) from None
    except discord.HTTPException as error:
        raise RefusedError(f"Discord refused (code {error.code}), so it was not done{so_far}") from None


BUTTONS: dict[str, Callable[[Interaction, str], Awaitable[None]]] = {
    "confirm": _confirm,
    "dismiss": _dismiss,
    "confirm_all": _confirm_all,
    "dismiss_all": _dismiss_all,
    "advise": _advise,
    "note": _note,
    "timeout": _time_out,
    "ban": _ban,
    "ban_yes": _ban_yes,
    "delete": _delete,
    "delete_yes": _delete_yes,
}
