"""Commands in groups: members are led to the private chat without a word; moderators have a chat of their own."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, InputFile, Message
from telegram.constants import ChatAction
from telegram.error import BadRequest, Forbidden, TelegramError

from bot.archives.export import sound
from bot.case import view
from bot.effects import Act
from bot.evidence import Origin, happened
from bot.moderation import RefusedError
from bot.platforms.checkup import take
from bot.platforms.telegram_bot import alert, answers, case_buttons, doctor, rights, setup
from bot.platforms.telegram_bot.markup import disarmed, jump, latest
from bot.platforms.telegram_bot.reading import NAME, account
from classifiers.conversation import Account

if TYPE_CHECKING:
    from bot.platforms.telegram_bot.client import HavenClient

log = logging.getLogger(__name__)
_NOTE = re.compile(r"Answer this message with the note for case ([0-9a-f]{10})\.")
_WITH_TEXT = ("check", "report")
_FOR_PEOPLE = (*_WITH_TEXT, "help", "protect", "privacy", "language", "start", "setup", "doctor", "link")
_OF_THE_GROUP = ("report", "setup", "doctor")
_LISTED = 10
_POLICE = "Give this file to the police as it is: in the UK call 101, or 999 if life is at risk."
_NEUTRAL = "I answer in private:"
_ORIGIN = Origin(
    "Telegram",
    lambda space, channel, message: jump(space, channel, message) or "no address: a basic group",
    """\
Telegram numbers every account and every group, and the messages of a group one after the other. Numbers stay the same
when names change. A member can open the links above while the messages are there; anybody in a chat may delete them.
The police can ask Telegram for what it holds by legal process; see its privacy policy at https://telegram.org/privacy""",
)


async def asked(client: HavenClient, message: Message, command: str, rest: str) -> None:
    """Answer a command in a group."""
    chat = str(message.chat.id)
    if command == "link":
        await _link(client, message, rest)
    elif client.parts.policies.alerted_in(chat):
        await _moderate(client, message, command, rest)
    else:
        payload = f"{command}_{chat}" if command in _OF_THE_GROUP else "help"
        button = InlineKeyboardButton("Open", url=client.deep_link(payload))
        with suppress(TelegramError):  # where Haven may not delete, the command stays
            await message.delete()
        try:
            await answers.say(message, _NEUTRAL, InlineKeyboardMarkup([[button]]))
        except (BadRequest, Forbidden):
            log.warning("telegram: Haven may not write in group %s", chat)


def is_for_haven(command: str, rest: str) -> bool:
    """Return whether members ask something of Haven; what only begins like that is read like any message."""
    return command in _WITH_TEXT or (command in _FOR_PEOPLE and len(rest.split()) <= 1)


async def _link(client: HavenClient, message: Message, code: str) -> None:
    """Link the chat; why not is told in private, because everybody may read here."""
    try:
        await setup.link(client, message, code)
    except RefusedError as refused:
        if message.from_user and not message.sender_chat:
            await client.bot.send_message(message.from_user.id, answers.sentence(refused))


def is_note(message: Message) -> bool:
    """Return whether a message answers the request for a note."""
    asked = message.reply_to_message
    return bool(asked and asked.from_user and asked.from_user.is_bot and _NOTE.search(asked.text or ""))


async def noted(client: HavenClient, message: Message) -> None:
    """Keep the note that a moderator answered with."""
    asked = message.reply_to_message
    found = _NOTE.search((asked and asked.text) or "")
    if found is None or asked is None or asked.from_user != client.me:
        return
    actor = _author(message)
    case = await case_buttons.case_in(client, found[1], message, actor)
    await rights.check_admin(client.bot, case.space, actor)
    if not message.text:
        raise RefusedError("a note has to be text")
    await asyncio.to_thread(client.parts.moderation.act, case.space, case.id, Act.NOTED, actor, sound(message.text))
    client.parts.outbox.wake()
    await answers.say(message, f"Kept. /case {case.id} shows it.")


async def _moderate(client: HavenClient, message: Message, command: str, rest: str) -> None:
    """Answer a command in the chat where moderators read alerts."""
    match command, rest.split():
        case "cases", _:
            await _cases(client, message, open_only=rest != "recent")
        case "case", [id]:
            await _case(client, message, id)
        case "evidence", [id]:
            await _evidence(client, message, id)
        case "advise", [id, whom] if whom.isascii() and whom.isdigit():
            await _advise(client, message, id, Account(NAME, whom))
        case "doctor", _:
            for space in await _groups_of(client, message):
                await answers.say(message, await doctor.told(client, space, _author(message)))
        case (("help" | "start" | "setup" | "case" | "evidence" | "advise"), _):
            await answers.say(message, escape("/cases [recent], /case ID, /evidence ID, /advise ID ACCOUNT, /doctor"))
        case _:
            return


def _author(message: Message) -> Account:
    """Return who wrote a message; RefusedError for an admin who hides behind the group."""
    if message.from_user is None or message.sender_chat:
        raise RefusedError("write as yourself, not as the group")
    return account(message.from_user)


async def _groups_of(client: HavenClient, message: Message) -> list[str]:
    """Return the groups, of those whose moderators read in this chat, that the author of a message runs."""
    actor, found = _author(message), []
    rights.check_closed(message.chat)
    refusal = RefusedError("only admins of the group may do this")
    for space in client.parts.policies.alerting(str(message.chat.id)):
        try:
            await rights.check_admin(client.bot, space, actor)
            found.append(space)
        except RefusedError as refused:
            refusal = refused
    if not found:
        raise refusal
    return found


async def _cases(client: HavenClient, message: Message, *, open_only: bool) -> None:
    for space in await _groups_of(client, message):
        found = await asyncio.to_thread(
            client.parts.moderation.cases, space, open_only=open_only, actor=_author(message)
        )
        lines = [f"<b>{escape(await setup.title(client, space), quote=False)}</b>"]
        for case in found[:_LISTED]:
            ruling = case.ruling.replace("_", " ") if case.ruling else "open"
            kind = "report" if case.reported else str(case.kind)
            lines.append(
                f"<code>{case.id}</code> {case.level.name.lower()}, {kind}, {case.seen_at:%d %b %H:%M} UTC, {ruling}"
            )
        if not found:
            lines.append("None is open." if open_only else "There is none.")
        await answers.say(message, "\n".join(lines))


async def _advise(client: HavenClient, message: Message, id: str, whom: Account) -> None:
    actor = _author(message)
    case = await case_buttons.case_in(client, id, message, actor)
    await rights.check_admin(client.bot, case.space, actor)
    member = await rights.member_of(client.bot, case.space, whom)
    if member.user.is_bot or not rights.is_inside(member):
        raise RefusedError("that is not the number of a member of the group")
    await answers.say(message, await case_buttons.send_advice(client, case, [whom], actor))


async def _case(client: HavenClient, message: Message, id: str) -> None:
    actor = _author(message)
    case = await case_buttons.case_in(client, id, message, actor)
    await rights.check_admin(client.bot, case.space, actor)
    history = await asyncio.to_thread(client.parts.moderation.history, case.space, id)
    shown = view(case)
    await answers.say(message, await alert.text(client.bot, shown), alert.buttons(shown))
    lines = [
        f"{event.at:%d %b %H:%M} UTC  {escape(happened(event))}"
        + (f" by {event.actor.id}" if event.actor else "")
        + (f": {disarmed(event.note)}" if event.note else "")
        for event in history
    ]
    await answers.say(message, latest(lines))


async def _evidence(client: HavenClient, message: Message, id: str) -> None:
    """Send the sealed sheet of a case to the moderator in private; the audit trail says who took it."""
    actor = _author(message)
    case = await case_buttons.case_in(client, id, message, actor)
    await rights.check_admin(client.bot, case.space, actor)
    try:
        await client.bot.send_chat_action(int(actor.id), ChatAction.UPLOAD_DOCUMENT)
    except (Forbidden, BadRequest):
        link = client.deep_link("help")
        raise RefusedError(f"Haven cannot write to you in private: press Start at {link} and try again") from None
    content = await asyncio.to_thread(take, client.parts, case.space, id, actor, _ORIGIN)
    client.parts.outbox.wake()
    file = InputFile(io.BytesIO(content), f"haven-evidence-{id}.txt")
    await client.bot.send_document(int(actor.id), file, caption=_POLICE)
    await answers.say(message, "Sent to you in private.")
