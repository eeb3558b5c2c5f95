"""The connection to Telegram: messages go to the inbox, requests to those who answer them."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from telegram import Bot, ChatMemberUpdated, LinkPreviewOptions, Message, Update, User
from telegram.constants import ChatMemberStatus, ChatType, UpdateType
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError
from telegram.ext import AIORateLimiter, Application, ApplicationBuilder, ContextTypes, Defaults, TypeHandler, Updater
from tornado.httpserver import HTTPServer

from bot.config import TOKEN_VARIABLES, TelegramSettings
from bot.parts import Parts
from bot.platforms.checkup import Seen
from bot.platforms.telegram_bot import answers, business, case_buttons, groups, leaving, people, setup
from bot.platforms.telegram_bot.polling import Polling
from bot.platforms.telegram_bot.reading import NAME, Usernames, command_of, to_message
from classifiers.errors import InputError

os.environ.setdefault("PTB_TIMEDELTA", "1")  # waiting times as timedelta, which the library asks its users to choose
for _noisy in ("telegram.request.BaseRequest", "telegram.ext.AIORateLimiter"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)  # they log answers that they cannot read, and what is raised
log = logging.getLogger(__name__)

UPDATES = (
    UpdateType.MESSAGE,
    UpdateType.EDITED_MESSAGE,
    UpdateType.CALLBACK_QUERY,
    UpdateType.MY_CHAT_MEMBER,
    UpdateType.BUSINESS_CONNECTION,
    UpdateType.BUSINESS_MESSAGE,
    UpdateType.EDITED_BUSINESS_MESSAGE,
    UpdateType.DELETED_BUSINESS_MESSAGES,
)
REFUSED = f"telegram: the token was refused: put the bot's token (from @BotFather) into {TOKEN_VARIABLES[NAME]}"
_TOKEN = re.compile(r"\d+:[\w-]+", re.ASCII)
_TELEGRAM = "https://api.telegram.org"
_WEBHOOK = {"max_buffer_size": 1 << 20, "body_timeout": 30.0, "idle_connection_timeout": 60.0}
"""What somebody may send who has not shown yet that they are Telegram."""
_KNOWN = 10_000
_QUESTIONS = ("getMe", "getChat", "getChatMember", "getBusinessConnection", "answerCallbackQuery")
_LOOK_EVERY, _END_SECONDS = 60.0, 60.0
_AHEAD = 100  # updates that are fetched and not looked at
_MOST_ASKED = 1_000  # requests of one person that wait
_SHORT = 5.0  # seconds
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 300.0
_GONE = (ChatMemberStatus.LEFT, ChatMemberStatus.BANNED)


class HavenClient:
    """python-telegram-bot's application with one handler, which hands each update to whom it is for."""

    def __init__(self, settings: TelegramSettings, token: str, parts: Parts) -> None:
        self.settings = settings
        self.parts = parts
        self.usernames = Usernames()
        self.connections = business.Connections(self)
        self.codes = setup.Codes(parts.clock)
        self.forwards = people.Forwards(self)
        self.presses = case_buttons.Presses()
        self._known: OrderedDict[object, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._asked: Counter[int] = Counter()
        self._disputed = False
        self._tidied = -leaving.EVERY
        self._edited: OrderedDict[tuple[str | None, int, int], datetime] = OrderedDict()
        self.seen = Seen(parts)
        self._connected = asyncio.Event()
        self._polling = Polling(self._left_out)
        self._application = _application(settings, token, self._polling)
        self._application.add_handler(TypeHandler(Update, self._take))
        self._application.add_error_handler(self._failed)
        self._broken: asyncio.Future[InputError] = asyncio.get_running_loop().create_future()

    @property
    def bot(self) -> Bot:
        """The bot's account, through which everything is asked."""
        bot: Bot = self._application.bot
        return bot

    @property
    def me(self) -> User:
        """Who the bot is."""
        return self.bot.bot

    @property
    def locale(self) -> str:
        """The locale of private answers."""
        return self.parts.policies.of(NAME).locale

    def deep_link(self, payload: str) -> str:
        """Return the address that opens the private chat with Haven and says what for."""
        return f"https://t.me/{self.me.username}?start={payload}"

    def work(self, answer: Callable[[], Coroutine[Any, Any, None]], person: int) -> None:
        """Let somebody be answered beside the reading of messages.

        To one person one thing is said after the other, so that nobody who floods Haven with requests holds up warnings
        and alerts, which Telegram counts with all that is written; of more than a thousand the rest is not answered.
        """
        if self._asked[person] >= _MOST_ASKED:
            return
        self._asked[person] += 1
        task = asyncio.create_task(self._in_turn(answer, person))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_turn(self, answer: Callable[[], Coroutine[Any, Any, None]], person: int) -> None:
        turn = self._turns.setdefault(person, asyncio.Lock())
        try:
            async with turn:
                await answer()
        finally:
            self._asked[person] -= 1
            if not self._asked[person]:
                del self._asked[person]

    async def ready(self) -> None:
        """Return once Telegram knows the token."""
        await self._connected.wait()

    @property
    def connected(self) -> bool:
        """Whether Telegram answered when it was last asked for updates; by a webhook it is Telegram that asks."""
        return self._connected.is_set() and (bool(self.settings.webhook_url) or self._polling.answered)

    async def serve(self) -> None:
        """Stay connected until cancelled; InputError for a refused token."""
        updater = self._application.updater
        if updater is None:
            raise RuntimeError("the application was built without an updater")
        if not _TOKEN.fullmatch(self.bot.token):
            raise InputError(REFUSED)
        await self._log_in()
        await self._application.start()
        try:
            if self.settings.webhook_url:
                HTTPServer.configure(None, **_WEBHOOK)
                await updater.start_webhook(
                    listen=self.settings.webhook_listen,
                    port=self.settings.webhook_port,
                    webhook_url=self.settings.webhook_url,
                    secret_token=secrets.token_urlsafe(32),
                    allowed_updates=UPDATES,
                    bootstrap_retries=-1,
                )
            else:
                await updater.start_polling(
                    allowed_updates=UPDATES, error_callback=self._polling_failed, bootstrap_retries=-1
                )
            self._connected.set()
            log.info("telegram: connected as @%s", self.me.username)
            while True:
                await asyncio.wait((self._broken,), timeout=_LOOK_EVERY)
                if self._broken.done():
                    raise self._broken.result()
                await self._look()
        except InvalidToken:
            raise InputError(REFUSED) from None
        except OSError as error:
            where = f"{self.settings.webhook_listen}:{self.settings.webhook_port}"
            raise InputError(f"telegram: cannot listen on {where}: {error.strerror}") from None
        finally:
            await self._end(updater)

    async def _failed(self, _update: object, context: ContextTypes.DEFAULT_TYPE) -> None:
        """Log one line, with nothing of what was being read in it; a database that breaks ends Haven."""
        if isinstance(context.error, InputError):
            if not self._broken.done():
                self._broken.set_result(context.error)
            return
        log.error("telegram: an update was not handled (%s)", type(context.error).__name__)

    def _left_out(self) -> None:
        """Count an update that nobody can read."""
        self.parts.inbox.left_out[NAME, "unreadable"] += 1
        log.error("telegram: an update could not be read and was left out: is there a newer Haven?")

    async def _look(self) -> None:
        """InvalidToken once the token is revoked; the library would then ask for no more updates and say nothing."""
        try:
            await self.bot.get_me()
        except InvalidToken:
            raise
        except TelegramError:
            return
        if time.monotonic() - self._tidied >= leaving.EVERY:
            self._tidied = time.monotonic()
            await leaving.leave_groups(self)

    async def _end(self, updater: Updater) -> None:
        """Hand over what was fetched and answer what was asked, while somebody takes it."""
        try:
            async with asyncio.timeout(_END_SECONDS):
                if updater.running:
                    with suppress(InvalidToken):
                        await updater.stop()
                await self._application.stop()
                await self.forwards.finish()
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            log.error("telegram: some of what was fetched was not read before the end")

    async def close(self) -> None:
        """Close the connections."""
        await self._application.shutdown()

    async def _take(self, update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
        if not self._is_new(("update", update.update_id)):
            return
        if update.callback_query:
            query = update.callback_query
            self.work(lambda: case_buttons.pressed(self, query), query.from_user.id)
        elif update.my_chat_member:
            await self._standing(update.my_chat_member)
        elif update.business_connection:
            await self.connections.changed(update.business_connection)
        elif update.business_message or update.edited_business_message:
            await self.connections.read(update.business_message or update.edited_business_message)
        elif update.deleted_business_messages:
            return  # what was read stands: nobody can unsay a threat
        elif message := update.message or update.edited_message:
            await self._read(message)

    async def _read(self, message: Message) -> None:
        edited = message.edit_date is not None
        if not self.is_newest(message):
            return
        if message.chat.type == ChatType.PRIVATE:
            if not edited:
                self.work(lambda: self._answer(people.private(self, message), message), message.chat.id)
        elif message.chat.type in (ChatType.GROUP, ChatType.SUPERGROUP):
            await self._read_group(message, edited=edited)

    async def _read_group(self, message: Message, *, edited: bool) -> None:
        space = str(message.chat.id)
        if message.migrate_to_chat_id:
            await self.parts.inbox.caught_up()  # what was written before the move belongs to what moves
            await self.move(space, str(message.migrate_to_chat_id))
            return
        command = command_of(message, message.entities, self.me.username or "")
        person = message.from_user.id if message.from_user else message.chat.id
        policies = self.parts.policies
        if policies.alerted_in(space) and not policies.of(space).alert_channel:  # moderators may quote what they please
            if not edited and (command or groups.is_note(message)):
                self.work(
                    lambda: self._answer(
                        groups.asked(self, message, *command) if command else groups.noted(self, message), message
                    ),
                    person,
                )
            return
        if command and groups.is_for_haven(*command):
            if not edited:  # where everybody reads, a fault is told to nobody
                self.work(lambda: self._answer(groups.asked(self, message, *command)), person)
            return
        translated = to_message(message, self.usernames)
        skipped = policies.of(space).skipped
        if translated is None or not {space, translated.channel}.isdisjoint(skipped):
            return
        await self.parts.inbox.put(translated)
        await self.seen.note(space)

    async def _answer(self, work: Coroutine[Any, Any, None], message: Message | None = None) -> None:
        await answers.attempt(work, self.locale, message=message)

    async def move(self, space: str, to: str) -> None:
        """Follow a group that became a supergroup, with its cases and settings, or as a moderators' chat."""
        await asyncio.to_thread(self.parts.guard.move, space, to)
        await asyncio.to_thread(self.parts.policies.move, space, to)
        log.info("telegram: group %s is supergroup %s now", space, to)

    async def _standing(self, change: ChatMemberUpdated) -> None:
        """Notice being added, removed, promoted and demoted, and being blocked by somebody."""
        if change.chat.type == ChatType.PRIVATE:
            return
        status = change.new_chat_member.status
        if status in _GONE:
            log.info("telegram: removed from group %d", change.chat.id)
            return
        if change.old_chat_member.status in _GONE:
            log.info(
                "telegram: added to group %d; it is only observed until /setup links a moderators' chat", change.chat.id
            )
        else:
            log.info("telegram: %s in group %d", status, change.chat.id)
        for space in self.parts.policies.alerting(str(change.chat.id)):  # what waited for Haven to be back
            await asyncio.to_thread(self.parts.store.hasten, space, self.parts.clock().timestamp())
            self.parts.outbox.wake()

    async def _log_in(self) -> None:
        """Log in, as often as it takes while Telegram cannot be reached."""
        wait = _FIRST_WAIT
        while True:
            try:
                await self._application.initialize()
            except InvalidToken:
                raise InputError(REFUSED) from None
            except TelegramError as error:
                log.warning("telegram: cannot log in (%s), again in %.0f s", type(error).__name__, wait)
                await asyncio.sleep(wait)
                wait = min(_LONGEST_WAIT, wait * 2)
            else:
                break
        try:
            await people.publish(self)
        except TelegramError as error:
            log.warning("telegram: the commands were not published (%s)", type(error).__name__)

    def _polling_failed(self, error: TelegramError) -> None:
        if isinstance(error, Conflict):
            if not self._disputed:  # said once, until something is read again
                log.error("telegram: another program reads with this token: stop it, or Haven misses messages")
            self._disputed = True
        else:
            log.warning("telegram: connection lost (%s), trying again", type(error).__name__)

    def _is_new(self, what: object) -> bool:
        """Return whether something is met for the first time, of the last 10,000."""
        if what in self._known:
            return False
        self._known[what] = None
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return True

    def is_newest(self, message: Message) -> bool:
        """Return whether no later edit of a message was read before; Telegram counts in seconds."""
        key = (message.business_connection_id, message.chat.id, message.message_id)
        at, known = message.edit_date or message.date, self._edited.get(key)
        if known and (at < known or not message.edit_date):
            return False
        if message.edit_date:
            self._edited[key] = at
            self._edited.move_to_end(key)
            if len(self._edited) > _KNOWN:
                self._edited.popitem(last=False)
        return True


class _Limiter(AIORateLimiter):
    """Keeps to Telegram's limits of writing; questions are not counted by them.

    A short wait that Telegram asks for is kept here, a long one by whoever wanted to write.
    """

    async def process_request(
        self, callback: Any, args: Any, kwargs: Any, endpoint: str, *rest: Any, **more: Any
    ) -> Any:
        """Ask at once, and write when it is allowed."""
        if endpoint in _QUESTIONS:
            return await callback(*args, **kwargs)
        try:
            return await super().process_request(callback, args, kwargs, endpoint, *rest, **more)
        except RetryAfter as error:
            if (wait := seconds(error)) > _SHORT:
                raise
            await asyncio.sleep(wait)
            return await super().process_request(callback, args, kwargs, endpoint, *rest, **more)


def seconds(error: RetryAfter) -> float:
    """Return how long Telegram wants to be left alone."""
    wait = error.retry_after  # a timedelta, as is chosen above
    return wait.total_seconds() if isinstance(wait, timedelta) else wait


def _application(settings: TelegramSettings, token: str, polling: Polling) -> Application[Any, Any, Any, Any, Any, Any]:
    no_previews = Defaults(link_preview_options=LinkPreviewOptions(is_disabled=True))
    builder = ApplicationBuilder().token(token).defaults(no_previews).rate_limiter(_Limiter())
    builder = builder.update_queue(asyncio.Queue(_AHEAD)).get_updates_request(polling)
    base, files = addresses(settings)
    return builder.base_url(base).base_file_url(files).build()


def addresses(settings: TelegramSettings) -> tuple[str, str]:
    """Return where methods and files of the Bot API are, as the library wants them."""
    base, files = (own.rstrip("/") or _TELEGRAM for own in (settings.api_url, settings.file_url))
    return f"{base}/bot", f"{files}/file/bot"
