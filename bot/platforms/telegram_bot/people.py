"""What anybody may ask in the private chat with Haven: a check, the advice, a choice, their data, moderators' help."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from collections import deque
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from telegram import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    CallbackQuery,
    ForceReply,
    InputFile,
    Message,
)
from telegram.constants import ChatType

from bot import advice
from bot.advice import Finding
from bot.archives.export import sound
from bot.moderation import RefusedError
from bot.people import NotSetUpError, TooManyReportsError
from bot.platforms.telegram_bot import answers, rights, setup
from bot.platforms.telegram_bot.pages import help_rows, html_of, keyboard
from bot.platforms.telegram_bot.reading import account, command_of, origin, parted
from classifiers.conversation import Account

if TYPE_CHECKING:
    from bot.platforms.telegram_bot.client import HavenClient

log = logging.getLogger(__name__)
_IN_A_ROW = 1.2  # seconds within which forwards belong together
_MOST = 64  # of them, the latest
_GRAVITY = (Finding.NOTHING, Finding.SIGNS, Finding.TOLD, Finding.BLACKMAIL)
_REPORT = re.compile(r"\(community (-\d+)\)")
_COMMANDS = (
    ("help", "What to do if someone threatens you with private pictures"),
    ("check", "Ask whether a message looks like blackmail"),
    ("protect", "on, off or status: whether Haven may write to you first"),
    ("privacy", "What Haven keeps about you, to see or to delete"),
    ("language", "The language of the advice"),
    ("setup", "For admins: protect your group"),
)
_GROUP_COMMANDS = (
    ("help", "Private help from Haven"),
    ("report", "Tell the admins in private"),
    ("setup", "For admins: settings, in private"),
)


@dataclass(slots=True)
class _Shown:
    """What somebody shows in one go."""

    message: Message
    lines: deque[tuple[str, str, Account | None]] = field(default_factory=lambda: deque(maxlen=_MOST))
    task: asyncio.Task[None] | None = None


class Forwards:
    """Messages that somebody shows in a row, which are read as one conversation and answered once."""

    def __init__(self, client: HavenClient) -> None:
        self._client = client
        self._shown: dict[int, _Shown] = {}

    async def add(self, message: Message, text: str) -> None:
        """Take in one message; the answer follows when no more come."""
        shown = self._shown.setdefault(message.chat.id, _Shown(message))
        shown.lines.append((str(message.message_id), text.strip(), origin(message)))
        if shown.task:
            shown.task.cancel()
        shown.task = asyncio.create_task(self._later(message.chat.id))

    async def finish(self) -> None:
        """Answer what was shown until now."""
        for chat in list(self._shown):
            await self._answer(chat)

    async def _later(self, chat: int) -> None:
        await asyncio.sleep(_IN_A_ROW)
        self._client.work(lambda: self._answer(chat), chat)

    async def _answer(self, chat: int) -> None:
        shown = self._shown.pop(chat, None)
        if shown is None:
            return
        if shown.task and shown.task is not asyncio.current_task():
            shown.task.cancel()
        await answers.attempt(self._judge(shown), self._client.locale, message=shown.message)

    async def _judge(self, shown: _Shown) -> None:
        client, locale = self._client, self._client.locale
        person = Account("telegram", str(shown.message.chat.id))
        verdicts = [
            await asyncio.to_thread(client.parts.people.check, person, text, key, author)
            for key, text, author in shown.lines
            if text
        ]
        if not verdicts:
            said = escape(advice.says(locale).nothing_to_check, quote=False)
            await answers.say(shown.message, said, keyboard(help_rows(locale)))
            return
        gravest = max(reversed(verdicts), key=lambda verdict: _GRAVITY.index(verdict.finding))
        crisis = any(verdict.crisis for verdict in verdicts)
        page = advice.checked(locale, gravest.finding, gravest.evidence, crisis=crisis)
        await answers.say(shown.message, html_of(page), keyboard(help_rows(locale)))


async def private(client: HavenClient, message: Message) -> None:
    """Answer what somebody writes to Haven in private, and then send what waited until they did."""
    user = message.from_user
    if user is None or user.is_bot:
        return
    person = account(user)
    try:
        await _answer(client, message, person)
    finally:
        await asyncio.to_thread(client.parts.people.started, person)
        client.parts.outbox.wake()


async def _answer(client: HavenClient, message: Message, person: Account) -> None:
    locale = client.locale
    says = advice.says(locale)
    match command_of(message, message.entities, client.me.username or ""):
        case None:
            if await _reported(client, message, person):
                return
            if setup.is_days(message):
                await setup.keep_days(client, message)
                return
            if message.text or message.effective_attachment:  # the rest is Telegram's own, such as a pinned message
                await client.forwards.add(message, _readable(message))
        case ("start", payload) if payload.startswith("setup_"):
            await setup.show(client, message, payload.removeprefix("setup_"))
        case ("start", payload) if payload.startswith("doctor_"):
            await setup.examine(client, message, payload.removeprefix("doctor_"))
        case ("start", payload) if payload.startswith("report_"):
            await _ask_for_report(client, message, person, payload.removeprefix("report_"))
        case ("start" | "help", _):
            await answers.say(message, html_of(advice.front_page(locale)), keyboard(help_rows(locale)))
        case ("check", text) if text:
            await client.forwards.add(message, text)
        case ("check", _):
            await answers.say(message, escape(says.check_how))
        case ("protect", "on" | "off" as choice):
            await asyncio.to_thread(client.parts.people.protect, person, on=choice == "on")
            await answers.say(message, escape(says.protect_on if choice == "on" else says.protect_off))
        case ("protect", _):
            chosen = await asyncio.to_thread(client.parts.people.protected, person)
            said = {None: says.protect_unset, True: says.protect_on, False: says.protect_off}
            await answers.say(message, escape(said[chosen]))
        case ("privacy", _):
            days = client.parts.policies.of(str(message.chat.id)).retention.days
            rows = [[(says.export_button, "export")], [(says.delete_button, "delete_mine")]]
            await answers.say(message, escape(says.privacy.format(days=days)), keyboard(rows))
        case ("language", _):
            await answers.say(message, escape(says.languages))
        case ("setup", _):
            await answers.say(message, escape(setup.HOW))
        case _:
            await answers.say(message, html_of(advice.front_page(locale)), keyboard(help_rows(locale)))


async def _ask_for_report(client: HavenClient, message: Message, person: Account, space: str) -> None:
    """Ask for the words of a report by a message that says which group it is for, where somebody will read it."""
    if not re.fullmatch(r"-[0-9]{1,20}", space):
        raise RefusedError("this link is not one of Haven's")
    await rights.check_member(client.bot, space, person)
    says = advice.says(client.locale)
    if client.parts.policies.reaches_moderators(space):
        await message.chat.send_message(f"{says.report_how} (community {space})", reply_markup=ForceReply())
    else:
        await _say_above_help(client, message, says.report_not_set_up)


async def _reported(client: HavenClient, message: Message, person: Account) -> bool:
    """Take what answers the request for a report; False for any other message."""
    asked = message.reply_to_message
    found = _REPORT.search(asked.text or "") if asked and asked.from_user == client.me else None
    if found is None:
        return False
    says, space = advice.says(client.locale), found[1]
    await rights.check_member(client.bot, space, person)
    key = f"{message.chat.id}/{message.message_id}"
    try:
        await asyncio.to_thread(
            client.parts.people.report, person, parted(message)[0], None, space=space, channel=space, key=key
        )
        said = says.reported
    except NotSetUpError:
        said = says.report_not_set_up
    except TooManyReportsError:
        said = says.report_too_many
    client.parts.outbox.wake()
    await _say_above_help(client, message, said)
    return True


async def _say_above_help(client: HavenClient, message: Message, said: str) -> None:
    page = html_of(advice.front_page(client.locale))
    await answers.say(message, f"{escape(said, quote=False)}\n\n{page}", keyboard(help_rows(client.locale)))


def _readable(message: Message) -> str:
    """Return the words that somebody shows: theirs, those in quotes, and those answered to from another chat."""
    if not (message.text or message.caption or message.quote):
        return ""
    own, quoted = parted(message)
    answered = sound(message.quote.text) if message.quote and message.external_reply else ""
    return "\n".join(filter(None, [answered, quoted, own]))


async def pressed(client: HavenClient, query: CallbackQuery, act: str, of: str) -> bool:
    """Answer the press of a button in a private chat; False for one that is not a person's."""
    message = query.message
    if message is None or message.chat.type != ChatType.PRIVATE:
        return False
    person, locale, people = account(query.from_user), client.locale, client.parts.people
    says = advice.says(locale)
    match act:
        case "help":
            if of not in advice.situations(locale):
                raise RefusedError("this button is from another version of Haven: type /help for the advice")
            await answers.say(message, html_of(advice.situation(locale, of)))
            await answers.tell(query)
        case "not_me":
            await asyncio.to_thread(people.disclaim, person, of)
            client.parts.outbox.wake()
            await answers.tell(query, says.not_me, alert=True)
        case "stop":
            await asyncio.to_thread(people.protect, person, on=False)
            await answers.tell(query, says.stop, alert=True)
        case "export":
            held = await asyncio.to_thread(people.export, person)
            await message.chat.send_document(InputFile(io.BytesIO(held), "haven-about-me.json"), caption=says.exported)
            await answers.tell(query)
        case "delete_mine":
            rows = [[(says.delete_sure_button, "delete_mine_yes")]]
            await answers.say(message, escape(says.delete_sure, quote=False), keyboard(rows))
            await answers.tell(query)
        case "delete_mine_yes":
            await asyncio.to_thread(people.delete, person)
            client.parts.outbox.wake()
            await answers.tell(query, says.deleted, alert=True)
        case _:
            return False
    return True


async def publish(client: HavenClient) -> None:
    """Tell Telegram the commands of private chats and of groups."""
    for commands, scope in (
        (_COMMANDS, BotCommandScopeAllPrivateChats()),
        (_GROUP_COMMANDS, BotCommandScopeAllGroupChats()),
    ):
        await client.bot.set_my_commands([BotCommand(name, what) for name, what in commands], scope=scope)
