"""What is in order with Haven in a group and what is to mend, as `/doctor` and `haven doctor` say it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from html import escape
from typing import TYPE_CHECKING
from uuid import uuid4

from telegram import Bot
from telegram.constants import ChatMemberStatus
from telegram.error import TelegramError

from bot.platforms.checkup import ADVICE_BY, MODES, Finding, inside, last_read
from bot.platforms.telegram_bot.reading import NAME
from bot.platforms.telegram_bot.rights import holds, is_admin
from bot.policy import Mode, Policy
from classifiers.conversation import Account

if TYPE_CHECKING:
    from bot.platforms.telegram_bot.client import HavenClient

_RIGHTS = {"can_restrict_members": "Ban users", "can_delete_messages": "Delete messages"}
_HIDDEN = (
    "Telegram hides the group's messages from Haven (privacy mode): make Haven an admin of the group, or switch privacy"
    " mode off with @BotFather (/setprivacy), then remove Haven from the group and add it again"
)
_SWITCHED_OFF = (
    "privacy mode is off, so Haven can read groups that it was added to since: if no message of this group is read,"
    " remove Haven from it and add it again, or make it an admin"
)


async def told(client: HavenClient, space: str, actor: Account) -> str:
    """Return what `/doctor` says of a group to one of its admins, in HTML."""
    parts = client.parts
    policy, seen_at = parts.policies.of(space), await asyncio.to_thread(parts.records.seen_at, space)
    findings = [finding async for finding in examine(client.bot, space, policy, seen_at=seen_at)]
    findings += await asyncio.to_thread(lambda: [*inside(parts, space, NAME, uuid4().hex, actor)])
    fine = all(finding.fine for finding in findings)
    lines = ["<b>Everything is in order</b>" if fine else "<b>There is something to mend</b>"]
    lines += [f"{'✅' if one.fine else '🔧 To mend:'} {escape(one.text, quote=False)}" for one in findings]
    return "\n".join(lines)


async def examine(bot: Bot, space: str, policy: Policy, *, seen_at: float | None) -> AsyncIterator[Finding]:
    """Look at everything in a group that Haven needs there; `seen_at` is when a message was last read."""
    try:
        group, myself = await bot.get_chat(int(space)), await bot.get_chat_member(int(space), bot.id)
    except TelegramError:
        yield Finding("Haven is not in the group, or Telegram does not answer", fine=False)
        return
    yield Finding(f"Haven is in the group {group.title}")
    yield await _alerts(bot, policy)
    yield Finding(MODES[policy.mode])
    if policy.mode is Mode.ADVISE:
        yield Finding(ADVICE_BY[policy.advice_by])
    if is_admin(myself):
        yield Finding("Haven can read the group's messages")
    elif not (await bot.get_me()).can_read_all_group_messages:
        yield Finding(_HIDDEN, fine=False)
    else:
        yield Finding(_SWITCHED_OFF, fine=seen_at is not None)
    missing = [name for right, name in _RIGHTS.items() if not holds(myself, right)]
    if missing:
        step = "make Haven an admin with them, or do without those buttons"
        yield Finding(f"buttons under alerts lack the rights {', '.join(missing)}: {step}", fine=False)
    else:
        yield Finding("every button under an alert works")
    yield last_read(seen_at)


async def _alerts(bot: Bot, policy: Policy) -> Finding:
    if policy.alert_channel is None:
        return Finding("no moderators' chat is linked: an admin types /setup in the group", fine=False)
    try:
        chat = await bot.get_chat(int(policy.alert_channel))
    except TelegramError:
        return Finding("Haven is not in the moderators' chat: add it there, or link another with /setup", fine=False)
    if chat.username or chat.active_usernames:
        return Finding("anybody can read the moderators' chat: make it private, or link another", fine=False)
    myself = await bot.get_chat_member(chat.id, bot.id)
    closed = chat.permissions is not None and not chat.permissions.can_send_messages
    if getattr(myself, "can_send_messages", True) is False or (myself.status == ChatMemberStatus.MEMBER and closed):
        return Finding("Haven may not write in the moderators' chat: let it, or make it an admin there", fine=False)
    return Finding(f"alerts come in {chat.title}, which is private")
