"""Answers to requests in private chats and to presses of buttons."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from telegram import CallbackQuery, ForceReply, InlineKeyboardMarkup, MaybeInaccessibleMessage, Message
from telegram.constants import ParseMode
from telegram.error import BadRequest, TelegramError

from bot import advice
from bot.moderation import RefusedError
from bot.platforms.telegram_bot.reading import topic_of

log = logging.getLogger(__name__)
_CALLBACK = 200


async def say(
    message: MaybeInaccessibleMessage, html: str, markup: InlineKeyboardMarkup | ForceReply | None = None
) -> None:
    """Answer in the chat of a message; only call this where nobody else reads, or for what anybody may read."""
    topic = topic_of(message) if isinstance(message, Message) else None
    await message.chat.send_message(html, parse_mode=ParseMode.HTML, reply_markup=markup, message_thread_id=topic)


async def tell(query: CallbackQuery, text: str = "", *, alert: bool = False) -> None:
    """Answer the press of a button, unless it is too old; with `alert` in a window that has to be closed."""
    try:
        await query.answer(text[:_CALLBACK], show_alert=alert)
    except BadRequest:
        log.info("telegram: a button was answered too late")


async def attempt(
    work: Awaitable[None], locale: str, *, message: Message | None = None, query: CallbackQuery | None = None
) -> None:
    """Do what was asked; whatever goes wrong, the person gets an answer, where a message or query is given."""
    try:
        await work
    except RefusedError as refused:
        text = sentence(refused)
    except Exception as error:  # noqa: BLE001 (nobody else would answer)
        text = advice.says(locale).failed
        log.error("telegram: a request failed (%s)", type(error).__name__)
    else:
        return
    try:
        if query:
            await tell(query, text, alert=True)
        elif message:
            await message.chat.send_message(text, message_thread_id=topic_of(message))
    except TelegramError as error:
        log.warning("telegram: an answer was not delivered (%s)", type(error).__name__)


def sentence(refused: RefusedError) -> str:
    """Return why something was refused as a sentence."""
    text = str(refused)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('?') else '.'}"
