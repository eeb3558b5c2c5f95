"""`/setup` in the private chat of a group's admin, and `/link` in the chat where moderators will read alerts."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import TYPE_CHECKING

from telegram import CallbackQuery, ForceReply, InlineKeyboardMarkup, Message
from telegram.constants import ChatType, ParseMode
from telegram.error import BadRequest, TelegramError

from bot.moderation import RefusedError
from bot.platforms.checkup import ADVICE_BY, MODES, SHARED, rulings
from bot.platforms.telegram_bot import answers, doctor, rights
from bot.platforms.telegram_bot.pages import keyboard
from bot.platforms.telegram_bot.reading import account
from bot.policy import AdviceBy, Mode
from classifiers.assessment import Sensitivity
from classifiers.conversation import Account

if TYPE_CHECKING:
    from bot.platforms.telegram_bot.client import HavenClient

HOW = "Type /setup in the group that I should protect, as one of its admins. I answer here."
_MINUTES = 10
_DAYS = re.compile(r"Answer with the number of days, from 1 to 90 \(group (-\d+)\)")
_GROUP = re.compile(r"-[1-9][0-9]{0,19}")
_RULE = (
    "Telegram's rules forbid bots to write to people who did not ask for it. So you decide whether Haven may write to"
    " members first, once for an incident: please tell them. It can only reach those who have opened a chat with it,"
    " and everybody can say /protect off."
)
_VALUES = {
    "mode": ("observe", "alert", "advise"),
    "advice_by": ("automatic", "moderator", "opted-in"),
    "sensitivity": ("low", "normal", "high"),
}


@dataclass(frozen=True, slots=True)
class _Code:
    space: str
    actor: Account
    until: datetime


class Codes:
    """One-time codes that link a moderators' chat, each for ten minutes; in memory only."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._codes: dict[str, _Code] = {}

    def new(self, space: str, actor: Account) -> str:
        """Return a code for a group, asked for by one of its admins."""
        now = self._clock()
        self._codes = {code: held for code, held in self._codes.items() if held.until > now}
        code = secrets.token_hex(4)
        self._codes[code] = _Code(space, actor, now + timedelta(minutes=_MINUTES))
        return code

    def group(self, code: str, actor: Account) -> str:
        """Return the group that a code is for; RefusedError for one that this person did not get now."""
        held = self._codes.get(code)
        if held is None or held.actor != actor or held.until <= self._clock():
            raise RefusedError("this code is not valid (any more): press “Link the moderators' chat” in /setup again")
        return held.space

    def take(self, code: str, actor: Account) -> str:
        """Return the group that a code is for and end it; RefusedError as before."""
        space = self.group(code, actor)
        del self._codes[code]
        return space


def is_group(space: str) -> bool:
    """Return whether this is how Telegram numbers a group."""
    return _GROUP.fullmatch(space) is not None


async def show(client: HavenClient, message: Message, space: str) -> None:
    """Show the settings of a group to one of its admins."""
    await _check(client, message, space)
    await answers.say(message, await _text(client, space), _buttons(client, space))


async def examine(client: HavenClient, message: Message, space: str) -> None:
    """Tell one of its admins what is in order in a group and what is to mend."""
    actor = await _check(client, message, space)
    await answers.say(message, await doctor.told(client, space, actor))


async def _check(client: HavenClient, message: Message, space: str) -> Account:
    if not is_group(space) or message.from_user is None:
        raise RefusedError("this link is not one of Haven's")
    actor = account(message.from_user)
    await rights.check_admin(client.bot, space, actor)
    return actor


async def pressed(client: HavenClient, query: CallbackQuery, act: str, of: str) -> bool:
    """Answer the press of a button of the settings; False for any other."""
    message = query.message
    if act != "set" or message is None or message.chat.type != ChatType.PRIVATE:
        return False
    key, value, space = [*of.split(":"), "", ""][:3]
    if not is_group(space):
        raise RefusedError("this button is from another version of Haven")
    actor = account(query.from_user)
    await rights.check_admin(client.bot, space, actor, "can_change_info")
    if key == "link":
        await answers.say(
            message,
            f"Add me to the moderators' chat, a private group. Then write there, within {_MINUTES} minutes:\n"
            f"<code>/link {client.codes.new(space, actor)}</code>",
        )
        await answers.tell(query)
        return True
    if key == "days":
        await answers.say(message, f"Answer with the number of days, from 1 to 90 (group {space})", ForceReply())
        await answers.tell(query)
        return True
    changes: dict[str, object] = {}
    if key == "call":
        changes = {"page_role": actor.id if value == "on" else ""}
    elif key == "share":
        changes = {"share_campaigns": value == "on"}
    elif key == "anew":
        await asyncio.to_thread(client.parts.start_anew, space, actor)
    elif value in _VALUES.get(key, ()):
        changes = {key: value}
    else:
        raise RefusedError("this button is from another version of Haven")
    if changes:
        await _choose(client, space, actor, changes)
    await answers.tell(query, "Kept.")
    with suppress(BadRequest):  # nothing to show that was not shown before
        await client.bot.edit_message_text(
            await _text(client, space),
            message.chat.id,
            message.message_id,
            parse_mode=ParseMode.HTML,
            reply_markup=_buttons(client, space),
        )
    return True


async def link(client: HavenClient, message: Message, code: str) -> None:
    """Make the chat of a message the one where the moderators of a group read."""
    if message.from_user is None or message.sender_chat:
        raise RefusedError("write as yourself, not as the group")
    actor, chat, code = account(message.from_user), str(message.chat.id), code.strip()
    if message.chat.username:
        raise RefusedError("anybody can read this chat: link a private group")
    space = client.codes.group(code, actor)
    if space == chat or client.parts.policies.of(chat).alert_channel:
        raise RefusedError("alerts cannot come in a group that is protected: link another, private one")
    if client.parts.policies.alerted_in(space):
        raise RefusedError(
            "alerts of another group come in the group, so it is not read: let them come elsewhere first"
        )
    for group in (space, chat):
        await rights.check_admin(client.bot, group, actor, "can_change_info")
    client.codes.take(code, actor)
    before = client.parts.policies.of(space).alert_channel
    await _choose(client, space, actor, {"alert_channel": chat})
    if before and before != chat:
        await _tell_of_another(client, before, space, actor)
    await answers.say(message, "Done: Haven now protects the group, and alerts come here. /doctor looks at everything.")


async def _tell_of_another(client: HavenClient, before: str, space: str, actor: Account) -> None:
    """Let those who read alerts until now know that they come elsewhere, so that nobody takes them away unseen."""
    told = f"Alerts of {await title(client, space)} come in another chat from now on. Account {actor.id} linked it."
    with suppress(TelegramError):  # Haven may have been removed there
        if not await rights.is_open(client.bot, int(before)):
            await client.bot.send_message(int(before), told)


def is_days(message: Message) -> bool:
    """Return whether a message answers the question for how long cases are kept."""
    asked = message.reply_to_message
    return bool(asked and asked.from_user and asked.from_user.is_bot and _DAYS.search(asked.text or ""))


async def keep_days(client: HavenClient, message: Message) -> None:
    """Keep for how many days cases are kept."""
    found = _DAYS.search((message.reply_to_message and message.reply_to_message.text) or "")
    if found is None or message.from_user is None:
        return
    actor, space = account(message.from_user), found[1]
    await rights.check_admin(client.bot, space, actor, "can_change_info")
    written = (message.text or "").strip()
    if not (written.isascii() and written.isdigit() and 1 <= int(written) <= 90):
        raise RefusedError("write a whole number of days from 1 to 90")
    await _choose(client, space, actor, {"retention_days": int(written)})
    await show(client, message, space)


async def _choose(client: HavenClient, space: str, actor: Account, changes: Mapping[str, object]) -> None:
    await asyncio.to_thread(client.parts.set_up, space, actor, changes)
    client.parts.outbox.wake()


async def _text(client: HavenClient, space: str) -> str:
    policy = client.parts.policies.wanted(space)
    linked = "none yet"
    if policy.alert_channel:
        linked = await title(client, policy.alert_channel)
    step = "Done: Haven now protects this group."
    if policy.alert_channel is None:
        step = "Haven only observes until a moderators' chat is linked."
    elif policy.mode is Mode.OBSERVE:
        step = "Haven only observes. Choose another mode when ready."
    lines = [
        f"<b>Haven in {escape(await title(client, space), quote=False)}</b>",
        f"<b>{escape(step)}</b>",
        "",
        f"<b>Moderators' chat:</b> {escape(linked, quote=False)}",
        f"<b>Mode:</b> {MODES[policy.mode]}.",
        f"<b>Private warnings:</b> {ADVICE_BY[policy.advice_by]}.",
        f"<b>Sensitivity:</b> {policy.sensitivity}",
        f"<b>Called when it cannot wait:</b> {'one moderator' if policy.page else 'nobody'}",
        f"<b>Cases are erased</b> {policy.retention.days} days after they were last seen.",
        f"<b>Campaigns:</b> {SHARED[policy.share_campaigns]}.",
        f"<b>Confirm and Not sextortion:</b> {rulings(policy)}.",
        f"<b>Language of the advice:</b> {policy.locale}",
        "",
        escape(_RULE),
    ]
    return "\n".join(lines)


def _buttons(client: HavenClient, space: str) -> InlineKeyboardMarkup | None:
    policy = client.parts.policies.wanted(space)
    calls = policy.page is not None
    share = "off" if policy.share_campaigns else "on"
    moved = any(policy.shift.values())

    def row(key: str, labels: dict[str, str], chosen: str) -> list[tuple[str, str]]:
        return [
            (f"{'● ' if value == chosen else ''}{label}", f"set:{key}:{value}:{space}")
            for value, label in labels.items()
        ]

    modes = {"observe": "Observe", "alert": "Alert", "advise": "Alert and warn"}
    ways = {
        AdviceBy.AUTOMATIC: "Haven warns",
        AdviceBy.MODERATOR: "Moderator warns",
        AdviceBy.OPTED_IN: "Only who said yes",
    }
    levels = {Sensitivity.LOW: "Low", Sensitivity.NORMAL: "Normal", Sensitivity.HIGH: "High"}
    return keyboard(
        [
            [("Link the moderators' chat", f"set:link::{space}")],
            row("mode", modes, policy.mode.name.lower()),
            row("advice_by", {str(way): label for way, label in ways.items()}, policy.advice_by),
            row("sensitivity", {str(level): label for level, label in levels.items()}, policy.sensitivity),
            [
                (
                    "Call nobody" if calls else "Call me when it cannot wait",
                    f"set:call:{'off' if calls else 'on'}:{space}",
                )
            ],
            [("Days that cases are kept", f"set:days::{space}")],
            [(f"Compare with other communities: {share}", f"set:share:{share}:{space}")],
            *([[("Forget what rulings moved", f"set:anew::{space}")]] if moved else []),
        ]
    )


async def title(client: HavenClient, chat: str) -> str:
    """Return what a chat is called now."""
    try:
        return (await client.bot.get_chat(int(chat))).title or chat
    except TelegramError:
        return chat
