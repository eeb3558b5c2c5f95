"""Telegram as a platform: performs effects through the client, and says how each ended."""

from __future__ import annotations

import asyncio
from html import escape
from typing import assert_never

import httpx
from telegram import ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter

from bot import advice
from bot.config import TelegramSettings
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
from bot.parts import Parts
from bot.platforms.sheet import call
from bot.platforms.telegram_bot import alert as alerts
from bot.platforms.telegram_bot.client import HavenClient, seconds
from bot.platforms.telegram_bot.pages import html_of, keyboard, warning_rows
from bot.platforms.telegram_bot.reading import NAME
from bot.platforms.telegram_bot.rights import is_open

_CHAT_SECONDS = 300.0
_OPEN = Delivery(Outcome.RETRY, detail="anybody can read the moderators' chat", retry_after=_CHAT_SECONDS)
_NOT_MODIFIED, _GONE = "message is not modified", ("message to edit not found", "message_id_invalid")
_UNSTARTED = ("can't initiate conversation", "chat not found")
_DEACTIVATED = "user is deactivated"


class TelegramPlatform:
    """Writes to targets in their private chat with Haven and to moderators in the chat they linked, nowhere else."""

    name = NAME
    remembers = 0.0  # Telegram knows no keys

    def __init__(self, settings: TelegramSettings, token: str) -> None:
        self._settings = settings
        self._token = token
        self._client: HavenClient | None = None
        self._made = asyncio.Event()

    async def read(self, parts: Parts) -> None:
        """Connect and hand over what is written until cancelled; InputError for what only an administrator can mend."""
        self._client = HavenClient(self._settings, self._token, parts)
        self._made.set()
        await self._client.serve()

    @property
    def connected(self) -> bool:
        """Whether what is written there reaches Haven now."""
        return self._client is not None and self._client.connected

    async def close(self) -> None:
        """Close the connections."""
        if self._client:
            await self._client.close()

    async def ready(self) -> None:
        """Return once the client is connected."""
        await self._made.wait()
        if self._client:
            await self._client.ready()

    async def perform(self, effect: Effect, key: str) -> Delivery:
        """Do it once; Telegram knows no keys, so an attempt whose answer was lost may be repeated."""
        client = self._client
        if client is None:
            return Delivery(Outcome.RETRY, detail="not connected yet")
        try:
            match effect:
                case AdviseTarget():
                    return await self._advise(client, effect)
                case AlertModerators(alert=alert):
                    return await self._alert(client, alert)
                case UpdateAlert(alert=alert, reference=reference):
                    return await self._update(client, alert, reference)
                case PageModerators():
                    return await self._page(client, effect)
                case _:
                    assert_never(effect)
        except NetworkError as error:
            if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
                return Delivery(Outcome.RETRY, detail="Telegram cannot be reached")
            raise
        except RetryAfter as error:
            return Delivery(Outcome.RETRY, detail="rate limited", retry_after=seconds(error))
        except ChatMigrated as error:
            await client.move(str(_chat(client, effect)), str(error.new_chat_id))
            return Delivery(Outcome.RETRY, detail="the chat became a supergroup")

    async def _advise(self, client: HavenClient, effect: AdviseTarget) -> Delivery:
        if not effect.target.id.isdecimal():  # a channel, where others read, or somebody unknown
            return Delivery(Outcome.UNREACHABLE, detail="is no known person's account")
        page = advice.warning(effect.locale, kind=effect.kind, crisis=effect.crisis, private=effect.private)
        try:
            await client.bot.send_message(
                int(effect.target.id),
                html_of(page),
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard(warning_rows(effect.locale, effect.case)),
                protect_content=False,
            )
        except (Forbidden, BadRequest) as error:
            reason = error.message.lower()
            if any(words in reason for words in _UNSTARTED):
                return Delivery(Outcome.UNSTARTED, detail="never opened a chat with Haven")
            if _DEACTIVATED in reason:
                return Delivery(Outcome.UNREACHABLE, detail="the account is deactivated")
            if isinstance(error, Forbidden):
                return Delivery(Outcome.REFUSED, detail="has blocked Haven")
            return Delivery(Outcome.FAILED, detail="refused by Telegram")
        return Delivery(Outcome.DELIVERED)

    async def _alert(self, client: HavenClient, alert: Alert) -> Delivery:
        chat = client.parts.policies.of(alert.space).alert_channel
        if chat is None:
            return Delivery(Outcome.RETRY, detail="no moderators' chat is linked (/setup)")
        try:
            if await is_open(client.bot, int(chat)):
                return _OPEN
            message = await client.bot.send_message(
                int(chat),
                await _with_call(client, alert),
                parse_mode=ParseMode.HTML,
                reply_markup=alerts.buttons(alert),
            )
        except (Forbidden, BadRequest) as error:
            return Delivery(Outcome.RETRY, detail=type(error).__name__, retry_after=_CHAT_SECONDS)
        return Delivery(Outcome.DELIVERED, reference=f"{chat}/{message.message_id}")

    async def _update(self, client: HavenClient, alert: Alert, reference: str) -> Delivery:
        chat, _, message = reference.partition("/")
        if chat != client.parts.policies.of(alert.space).alert_channel:
            return Delivery(Outcome.GONE, detail="another moderators' chat is linked")
        try:
            if await is_open(client.bot, int(chat)):
                return _OPEN
            await client.bot.edit_message_text(
                await _with_call(client, alert),
                int(chat),
                int(message),
                parse_mode=ParseMode.HTML,
                reply_markup=alerts.buttons(alert),
            )
        except BadRequest as error:
            reason = error.message.lower()
            if any(words in reason for words in _GONE):
                return Delivery(Outcome.GONE, detail="the alert was deleted")
            if _NOT_MODIFIED not in reason:
                return Delivery(Outcome.RETRY, detail="BadRequest", retry_after=_CHAT_SECONDS)
        except Forbidden:
            return Delivery(Outcome.RETRY, detail="Forbidden", retry_after=_CHAT_SECONDS)
        return Delivery(Outcome.DELIVERED, reference=reference)

    async def _page(self, client: HavenClient, effect: PageModerators) -> Delivery:
        chat = client.parts.policies.of(effect.space).alert_channel
        if chat is None:
            return Delivery(Outcome.RETRY, detail="no moderators' chat is linked (/setup)")
        posted_in, _, message = effect.reference.partition("/")
        about = ReplyParameters(int(message), allow_sending_without_reply=True) if posted_in == chat else None
        try:
            if await is_open(client.bot, int(chat)):
                return _OPEN
            await client.bot.send_message(
                int(chat),
                f"{_call(effect.role) if effect.role else ''} {call(effect.why)} (case {effect.case})".strip(),
                parse_mode=ParseMode.HTML,
                reply_parameters=about,
            )
        except (Forbidden, BadRequest) as error:
            return Delivery(Outcome.RETRY, detail=type(error).__name__, retry_after=_CHAT_SECONDS)
        return Delivery(Outcome.DELIVERED)


async def _with_call(client: HavenClient, alert: Alert) -> str:
    """Return the alert below the call to a moderator, which an edit would otherwise take away again."""
    text = await alerts.text(client.bot, alert)
    return f"{_call(alert.page)}\n{text}" if alert.page else text


def _call(id: str) -> str:
    """Return a mention that calls one moderator, who asked for it in /setup."""
    return f'<a href="tg://user?id={escape(id)}">Moderator</a>:'


def _chat(client: HavenClient, effect: Effect) -> str | None:
    space = effect.alert.space if isinstance(effect, AlertModerators | UpdateAlert) else effect.space
    return client.parts.policies.of(space).alert_channel
