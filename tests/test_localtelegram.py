"""The local Telegram that the bot's tests talk to: to an unmodified python-telegram-bot it is like the real one."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from localtelegram.server import Group, LocalTelegram, Message, User, until
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    ChatPermissions,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    MenuButtonCommands,
    ReplyParameters,
    Update,
)
from telegram import Message as Received
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.ext import AIORateLimiter, Application, TypeHandler

App = Application[Any, Any, Any, Any, Any, Any]
Answer = Callable[[Update, Bot], Awaitable[object]]
GO = InlineKeyboardMarkup([[InlineKeyboardButton("Go", callback_data="go")]])
EVERYTHING = Update.ALL_TYPES


class Running:
    """An application that polls and keeps what it gets."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.bot: Bot = app.bot
        self.updates: list[Update] = []
        self.errors: list[TelegramError] = []

    async def next(self, count: int = 1) -> list[Update]:
        """Wait for the next updates and take them."""
        await until(lambda: len(self.updates) >= count, 5, f"{count} updates")
        taken, self.updates[:] = self.updates[:count], self.updates[count:]
        return taken

    async def message(self) -> Received:
        """Wait for the next message and take it."""
        (update,) = await self.next()
        assert update.effective_message, update
        return update.effective_message


def build(telegram: LocalTelegram, retries: int = 2, token: str | None = None) -> App:
    """Return an application as the program makes it, that asks this Telegram."""
    limiter = AIORateLimiter(overall_max_rate=0, group_max_rate=0, max_retries=retries)
    builder = Application.builder().token(token or telegram.token).rate_limiter(limiter)
    return builder.base_url(telegram.base_url).base_file_url(telegram.base_file_url).build()


@asynccontextmanager
async def running(
    telegram: LocalTelegram, answer: Answer | None = None, *, retries: int = 2, allowed: list[str] | None = EVERYTHING
) -> AsyncIterator[Running]:
    """Run an application with long polling."""
    app = build(telegram, retries)
    made = Running(app)

    async def keep(update: Update, context: object) -> None:
        made.updates.append(update)
        if answer:
            await answer(update, app.bot)

    app.add_handler(TypeHandler(Update, keep))
    assert app.updater
    async with app:
        await app.start()
        await app.updater.start_polling(allowed_updates=allowed, error_callback=made.errors.append)
        try:
            await telegram.polled()
            yield made
        finally:
            await app.updater.stop()
            await app.stop()


@pytest.fixture(autouse=True)
def new_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client give periods as it will in future; without this, it warns whenever it is to wait."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")


@pytest.fixture
async def telegram() -> AsyncIterator[LocalTelegram]:
    """A Telegram that has nothing to complain of in the end, unless the test takes its complaints."""
    async with LocalTelegram() as made:
        yield made
        assert made.complaints == []


@pytest.fixture
async def bot(telegram: LocalTelegram) -> AsyncIterator[Bot]:
    """A bot that only asks."""
    async with build(telegram, retries=0).bot as made:
        yield made


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


@pytest.fixture
def alice(telegram: LocalTelegram) -> User:
    """Somebody who has pressed start."""
    made = telegram.user("Alice Ash", "alice_ash")
    made.started = True
    return made


def complained(telegram: LocalTelegram, *words: str) -> None:
    """Take the complaints: they say these words, in this order, and nothing else."""
    assert len(telegram.complaints) == len(words), telegram.complaints
    for complaint, word in zip(telegram.complaints, words, strict=True):
        assert word in complaint
    telegram.complaints.clear()


async def asked(telegram: LocalTelegram, method: str, **params: Any) -> dict[str, Any]:
    """Ask without a client."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{telegram.base_url}{telegram.token}/{method}", json=params) as answer,
    ):
        body: dict[str, Any] = await answer.json()
        assert body.get("error_code", 200) == answer.status
        return body


async def test_a_person_writes_and_is_answered(telegram: LocalTelegram) -> None:
    async def answer(update: Update, bot: Bot) -> None:
        if update.callback_query:
            await update.callback_query.answer("done", show_alert=True)
            await update.callback_query.edit_message_text("<i>gone</i>", parse_mode=ParseMode.HTML)
        elif update.message:
            await update.message.reply_html("<b>hi</b> &amp; you 🙂 <u>x</u>", reply_markup=GO)

    ben = telegram.user("Ben")
    async with running(telegram, answer) as run:
        await telegram.write(ben.private, ben, "/start from-a-link")
        message = await run.message()
        assert message.text == "/start from-a-link"
        assert message.from_user
        assert (message.from_user.id, message.from_user.language_code, message.chat.type) == (ben.id, "en", "private")
        await until(lambda: telegram.privates(ben), 5, "an answer")
        (sent,) = telegram.privates(ben)
        assert (sent.text, sent.labels) == ("hi & you 🙂 x", ["Go"])
        assert sent.entities == [
            {"type": "bold", "offset": 0, "length": 2},
            {"type": "underline", "offset": 12, "length": 1},
        ]
        pressed = await telegram.press(ben, sent, "Go")
        assert (pressed.text, pressed.alert) == ("done", True)
        await until(lambda: sent.text == "gone", 5, "the edit")
        assert sent.labels == []
    asked = [(one.method, one.status) for one in telegram.requests if one.method.endswith(("Message", "Text", "Query"))]
    assert asked == [("sendMessage", 200), ("answerCallbackQuery", 200), ("editMessageText", 200)]


async def test_updates_are_confirmed_by_their_offset(telegram: LocalTelegram, alice: User) -> None:
    for text in ("one", "two", "three"):
        await telegram.write(alice.private, alice, text)
    first = (await asked(telegram, "getUpdates", limit=2))["result"]
    assert [one["message"]["text"] for one in first] == ["one", "two"]
    assert (await asked(telegram, "getUpdates", limit=2))["result"] == first
    rest = (await asked(telegram, "getUpdates", offset=first[-1]["update_id"] + 1))["result"]
    assert [one["message"]["text"] for one in rest] == ["three"]
    assert not (await asked(telegram, "getUpdates", offset=rest[-1]["update_id"] + 1))["result"]
    waiting = asyncio.create_task(asked(telegram, "getUpdates", timeout=5))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await telegram.write(alice.private, alice, "four")
    (update,) = (await waiting)["result"]
    assert update["message"]["text"] == "four"
    assert time.monotonic() - began < 1


async def test_allowed_updates_are_remembered_and_some_are_not_sent_unasked(telegram: LocalTelegram) -> None:
    den, ben = telegram.group("Den", privacy=False), telegram.user("Ben")
    den.promote_bot()
    den.join(ben)
    found = (await asked(telegram, "getUpdates"))["result"]
    assert [[*one][1] for one in found] == ["my_chat_member", "message"]
    last = found[-1]["update_id"] + 1
    await asked(telegram, "getUpdates", offset=last, allowed_updates=["chat_member"])
    den.kick(ben)
    (update,) = (await asked(telegram, "getUpdates", offset=last))["result"]
    assert update["chat_member"]["new_chat_member"]["status"] == "kicked"


async def test_a_second_poller_ends_the_first_ones_request(telegram: LocalTelegram, alice: User) -> None:
    async with running(telegram) as run:
        assert not (await asked(telegram, "getUpdates", timeout=1))["result"]
        await until(lambda: run.errors, 5, "the conflict")
        (error,) = run.errors
        assert isinstance(error, Conflict)
        assert "terminated by other getUpdates request" in str(error)
        await telegram.write(alice.private, alice, "still there?")
        assert (await run.message()).text == "still there?"
    assert [one.status for one in telegram.asked("getUpdates")].count(409) == 1


class Hook:
    """The bot's side of a webhook."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.secrets: list[str | None] = []
        self.statuses: list[int] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Answer as told, and 200 after that."""
        self.got.append(await request.json())
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """A server for a webhook."""
    made, app = Hook(), web.Application()
    app.router.add_post("/hook", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield made
    await runner.cleanup()


async def test_a_webhook_gets_updates_with_the_secret_until_it_accepts_them(
    telegram: LocalTelegram, bot: Bot, hook: Hook, alice: User
) -> None:
    hook.statuses = [500, 403]
    await telegram.write(alice.private, alice, "before")
    await bot.set_webhook(hook.url, secret_token="a-secret_1", allowed_updates=["message"])  # noqa: S106
    await telegram.polled()
    await telegram.write(alice.private, alice, "after")
    await telegram.polled()
    assert [one["message"]["text"] for one in hook.got] == ["before", "before", "before", "after"]
    assert set(hook.secrets) == {"a-secret_1"}
    assert len({one["update_id"] for one in hook.got}) == 2
    info = await bot.get_webhook_info()
    assert (info.url, info.allowed_updates) == (hook.url, ("message",))
    assert info.last_error_message == "Wrong response from the webhook: 403 Forbidden"
    with pytest.raises(Conflict, match="webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook()
    await telegram.write(alice.private, alice, "polled")
    (update,) = await bot.get_updates()
    assert update.message
    assert update.message.text == "polled"
    with pytest.raises(BadRequest, match=r"(?i)https"):
        await bot.set_webhook("http://example.org/hook")
    complained(telegram, "HTTPS")


async def test_the_clients_own_webhook_server_gets_updates(
    telegram: LocalTelegram, alice: User, unused_port: int
) -> None:
    pytest.importorskip("tornado")
    app = build(telegram)
    got: list[object] = []

    async def keep(update: Update, context: object) -> None:
        got.append(update.message and update.message.text)

    app.add_handler(TypeHandler(Update, keep))
    assert app.updater
    async with app:
        await app.start()
        url = f"http://127.0.0.1:{unused_port}/hook"
        await app.updater.start_webhook("127.0.0.1", unused_port, "hook", webhook_url=url, secret_token="s")  # noqa: S106
        await telegram.write(alice.private, alice, "hello")
        await until(lambda: got == ["hello"], 5, "the update")
        await app.bot.set_webhook(url, secret_token="wrong")  # noqa: S106
        await telegram.write(alice.private, alice, "forged")
        await until(lambda: telegram.updates.error, 5, "a refusal")
        assert got == ["hello"]
        await app.bot.delete_webhook(drop_pending_updates=True)
        await app.updater.stop()
        await app.stop()


async def test_a_request_to_wait_is_obeyed(telegram: LocalTelegram, alice: User) -> None:
    telegram.fail("sendMessage", status=429, retry_after=1)
    async with running(telegram) as run:
        began = time.monotonic()
        await run.bot.send_message(alice.id, "patient")
        assert time.monotonic() - began >= 1
    assert [one.status for one in telegram.asked("sendMessage")] == [429, 200]
    assert [one.text for one in telegram.privates(alice)] == ["patient"]


async def test_the_flood_limits_are_telegrams(telegram: LocalTelegram, bot: Bot, alice: User) -> None:
    telegram.flood_limits = True
    await bot.send_message(alice.id, "one")
    with pytest.raises(RetryAfter, match="Retry in 0:00:01"):
        await bot.send_message(alice.id, "two")
    den = telegram.group("Den")
    telegram.api.flood.per_chat = (1000, 1.0)
    for count in range(20):
        await bot.send_message(den.id, f"{count}")
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(den.id, "too much")
    assert isinstance(caught.value.retry_after, timedelta)
    assert 55 < caught.value.retry_after.total_seconds() <= 60


async def refusals(telegram: LocalTelegram) -> dict[str, int]:
    """Return a chat for every reason that the bot may not write."""
    never, blocked, gone = (telegram.user(name) for name in ("Never", "Blocked", "Gone"))
    for one in (blocked, gone):
        await telegram.write(one.private, one, "/start")
    telegram.block(blocked)
    telegram.deactivate(gone)
    kicked, small, muted = telegram.group("Kicked"), telegram.group("Small", "group"), telegram.group("Muted")
    kicked.remove_bot()
    small.remove_bot()
    muted.mute(telegram.bot)
    return {
        "bot can't initiate conversation with a user": never.id,
        "bot was blocked by the user": blocked.id,
        "user is deactivated": gone.id,
        "bot was kicked from the supergroup chat": kicked.id,
        "bot was kicked from the group chat": small.id,
        "bot is not a member of the supergroup chat": telegram.group("Other", bot=False).id,
        "bot can't send messages to bots": telegram.user("Robot", bot=True).id,
        "!chat not found": 987654321,
        "!not enough rights to send text messages to the chat": muted.id,
    }


async def test_where_the_bot_may_not_write_it_is_told_why(telegram: LocalTelegram, bot: Bot) -> None:
    for reason, chat in (await refusals(telegram)).items():
        kind = BadRequest if reason.startswith("!") else Forbidden
        with pytest.raises(kind, match=f"(?i){reason.removeprefix('!')}"):
            await bot.send_message(chat, "hello")
    updates = await bot.get_updates()
    changes = [one.my_chat_member for one in updates if one.my_chat_member]
    assert [(one.chat.type, one.new_chat_member.status) for one in changes] == [
        ("private", "kicked"),
        ("supergroup", "kicked"),
        ("group", "kicked"),
        ("supergroup", "restricted"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<b>open", 'Can\'t find end tag corresponding to start tag "b"'),
        ("é <x>what</x>", 'Unsupported start tag "x" at byte offset 3'),
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ("<b>crossed<i></b></i>", 'Unmatched end tag at byte offset 13, expected "</i>", found "</b>"'),
        ("nothing</b>", "Unexpected end tag at byte offset 7"),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<span>plain</span>", 'Tag "span" must have class "tg-spoiler"'),
    ],
)
async def test_html_that_is_wrong_is_refused(
    telegram: LocalTelegram, bot: Bot, alice: User, text: str, reason: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        await bot.send_message(alice.id, text, parse_mode=ParseMode.HTML)
    assert reason.lower() in str(caught.value).lower()
    complained(telegram, f"sendMessage: Bad Request: can't parse entities: {reason}")


async def test_html_becomes_text_and_entities(telegram: LocalTelegram, bot: Bot, alice: User) -> None:
    source = (
        "🙂<b>bold <i>both</i></b> &lt;tag&gt; &amp; AT&T <a href='https://example.org/?a=1&amp;b=2'>link</a> "
        f"<a href='tg://user?id={alice.id}'>Al</a> <blockquote expandable>quoted</blockquote>"
        '<pre><code class="language-python">x</code></pre> <code>y</code> <tg-spoiler>z</tg-spoiler> @alice_ash /help'
    )
    message = await bot.send_message(alice.id, source, parse_mode=ParseMode.HTML)
    assert message.text == "🙂bold both <tag> & AT&T link Al quotedx y z @alice_ash /help"
    found = message.parse_entities()
    assert [(one.type, text) for one, text in found.items()] == [
        ("bold", "bold both"),
        ("italic", "both"),
        ("text_link", "link"),
        ("text_mention", "Al"),
        ("expandable_blockquote", "quoted"),
        ("pre", "x"),
        ("code", "y"),
        ("spoiler", "z"),
        ("mention", "@alice_ash"),
        ("bot_command", "/help"),
    ]
    shown = {one.type: one for one in found}
    assert shown["text_link"].url == "https://example.org/?a=1&b=2"
    assert shown["pre"].language == "python"
    user = shown["text_mention"].user
    assert user
    assert user.id == alice.id


async def test_texts_have_limits_after_parsing(telegram: LocalTelegram, bot: Bot, alice: User) -> None:
    await bot.send_message(alice.id, f"<b>{'x' * 4096}</b>", parse_mode=ParseMode.HTML)
    with pytest.raises(BadRequest, match=r"(?i)too long"):
        await bot.send_message(alice.id, "x" * 4097)
    with pytest.raises(BadRequest, match=r"(?i)too long"):
        await bot.send_message(alice.id, "🙂" * 2049)
    for empty in ("", " \n ", "<b></b>"):
        with pytest.raises(BadRequest, match=r"(?i)message text is empty"):
            await bot.send_message(alice.id, empty, parse_mode=ParseMode.HTML)
    complained(telegram, "too long", "too long", "empty", "empty", "empty")


def keyboard(*buttons: InlineKeyboardButton) -> InlineKeyboardMarkup:
    """Return a keyboard with a button a row."""
    return InlineKeyboardMarkup([[button] for button in buttons])


async def test_keyboards_have_limits(telegram: LocalTelegram, bot: Bot, alice: User) -> None:
    link = InlineKeyboardButton("Privately", url=f"https://t.me/{telegram.bot.username}?start=abc-1")
    await bot.send_message(alice.id, "fine", reply_markup=keyboard(link))
    (sent,) = telegram.privates(alice)
    started = await telegram.follow(alice, sent, "Privately")
    assert started.text == "/start abc-1"
    wrong = {
        "BUTTON_DATA_INVALID": keyboard(InlineKeyboardButton("x", callback_data="é" * 33)),
        "Wrong HTTP URL": keyboard(InlineKeyboardButton("x", url="nowhere")),
        "reply markup is too long": keyboard(*[InlineKeyboardButton("x", callback_data="x")] * 101),
        "unallowed": keyboard(InlineKeyboardButton("x")),
    }
    for reason, markup in wrong.items():
        with pytest.raises(BadRequest, match=f"(?i){reason}"):
            await bot.send_message(alice.id, "x", reply_markup=markup)
    complained(telegram, *wrong)
    bad = InlineKeyboardButton("x", url="https://t.me/haven_test_bot?start=no%20blanks")
    await bot.send_message(alice.id, "x", reply_markup=keyboard(bad))
    complained(telegram, "the payload of a deep link")


async def test_edits_and_deletions(telegram: LocalTelegram, bot: Bot, alice: User) -> None:
    sent = await bot.send_message(alice.id, "first", reply_markup=GO)
    await bot.edit_message_text("second", alice.id, sent.message_id, reply_markup=GO)
    with pytest.raises(BadRequest, match="not modified"):
        await bot.edit_message_text("second", alice.id, sent.message_id, reply_markup=GO)
    await bot.edit_message_reply_markup(alice.id, sent.message_id)
    with pytest.raises(BadRequest, match="not modified"):
        await bot.edit_message_reply_markup(alice.id, sent.message_id, reply_markup=None)
    (kept,) = telegram.privates(alice)
    assert (kept.text, kept.labels, bool(kept.edited)) == ("second", [], True)
    hers = await telegram.write(alice.private, alice, "mine")
    with pytest.raises(BadRequest, match="can't be edited"):
        await bot.edit_message_text("yours", alice.id, hers.id)
    await bot.delete_message(alice.id, sent.message_id)
    await bot.delete_messages(alice.id, [sent.message_id, hers.id])
    assert telegram.messages(alice.private) == []
    with pytest.raises(BadRequest, match=r"[Mm]essage to delete not found"):
        await bot.delete_message(alice.id, sent.message_id)
    with pytest.raises(BadRequest, match=r"[Mm]essage to edit not found"):
        await bot.edit_message_text("third", alice.id, sent.message_id)
    with pytest.raises(BadRequest, match=r"[Mm]essage to be replied not found"):
        await bot.send_message(alice.id, "re", reply_parameters=ReplyParameters(sent.message_id))
    await bot.send_message(
        alice.id,
        "re",
        reply_parameters=ReplyParameters(sent.message_id, allow_sending_without_reply=True),
        link_preview_options=LinkPreviewOptions(is_disabled=True),
    )


async def test_deleting_in_groups_needs_the_right(telegram: LocalTelegram, bot: Bot) -> None:
    den, ben = telegram.group("Den"), telegram.user("Ben")
    den.join(ben)
    message = await telegram.write(den, ben, "hello")
    with pytest.raises(BadRequest, match="can't be deleted"):
        await bot.delete_message(den.id, message.id)
    with pytest.raises(BadRequest, match=r"(?i)not enough rights to restrict"):
        await bot.restrict_chat_member(den.id, ben.id, ChatPermissions.no_permissions())
    den.promote_bot()
    await bot.delete_message(den.id, message.id)
    await bot.restrict_chat_member(den.id, ben.id, ChatPermissions.no_permissions())
    member = await bot.get_chat_member(den.id, ben.id)
    assert member.status == "restricted"
    with pytest.raises(AssertionError, match="may not write"):
        await telegram.write(den, ben, "hello?")
    await bot.restrict_chat_member(den.id, ben.id, ChatPermissions.all_permissions())
    assert (await bot.get_chat_member(den.id, ben.id)).status == "member"
    await bot.ban_chat_member(den.id, ben.id)
    assert (await bot.get_chat_member(den.id, ben.id)).status == "kicked"
    boss = telegram.user("Boss")
    den.admin(boss, title="boss", can_promote_members=True)
    assert {one.user.id for one in await bot.get_chat_administrators(den.id)} == {
        den.owner.id,
        telegram.bot.id,
        boss.id,
    }
    for user, reason in ((boss, "is an administrator"), (den.owner, "can't remove chat owner")):
        with pytest.raises(BadRequest, match=f"(?i){reason}"):
            await bot.ban_chat_member(den.id, user.id)
    chat = await bot.get_chat(den.id)
    assert (chat.title, chat.type) == ("Den", "supergroup")
    await bot.leave_chat(den.id)
    with pytest.raises(Forbidden, match="not a member"):
        await bot.get_chat(den.id)


async def test_a_migration_is_told_in_both_chats_and_to_whoever_writes_to_the_old_one(telegram: LocalTelegram) -> None:
    den = telegram.group("Den", "group")
    den.promote_bot()
    async with running(telegram) as run:
        await run.next()
        new = await telegram.upgrade(den)
        moved, there, here = await run.next(3)
        assert moved.my_chat_member
        assert (moved.my_chat_member.chat.id, moved.my_chat_member.new_chat_member.status) == (new.id, "administrator")
        assert there.message
        assert here.message
        assert (there.message.chat.id, there.message.migrate_to_chat_id) == (den.id, new.id)
        assert (here.message.chat.id, here.message.migrate_from_chat_id) == (new.id, den.id)
        assert here.message.sender_chat == here.message.chat
        with pytest.raises(ChatMigrated) as caught:
            await run.bot.send_message(den.id, "hello")
        assert caught.value.new_chat_id == new.id
        await run.bot.send_message(new.id, "hello")
    assert [one.text for one in telegram.sent(new)] == ["hello"]


async def test_privacy_mode_lets_through_only_what_is_meant_for_the_bot(telegram: LocalTelegram) -> None:
    den, ben, cat = telegram.group("Den"), telegram.user("Ben"), telegram.user("Cat", bot=True)
    for one in (ben, cat):
        den.join(one)
    async with running(telegram) as run:
        await run.next(2)
        await telegram.write(den, ben, "hello all")
        await telegram.write(den, ben, "/help")
        await telegram.write(den, ben, "/help@another_bot")
        await telegram.write(den, ben, "@haven_test_bot look")
        sent = await run.bot.send_message(den.id, "yes?")
        question = await telegram.write(den, ben, "this", reply_to=den.messages[sent.message_id])
        await telegram.edit(question, "that")
        await telegram.write(den, cat, "beep")
        heard = [
            (one.effective_message.text, bool(one.edited_message)) for one in await run.next(4) if one.effective_message
        ]
        assert heard == [("/help", False), ("@haven_test_bot look", False), ("this", False), ("that", True)]
        assert (await run.bot.get_me()).can_read_all_group_messages is False
        telegram.privacy = False
        assert (await run.bot.get_me()).can_read_all_group_messages is True
        await telegram.write(den, ben, "still hidden")
        den.promote_bot()
        await telegram.write(den, ben, "to an administrator")
        den.demote_bot()
        await telegram.write(den, ben, "hidden again")
        den.remove_bot()
        den.add_bot()
        await telegram.write(den, ben, "seen after adding it again")
        await telegram.write(den, cat, "beep")
        changes = await run.next(8)
        texts = [one.message.text for one in changes if one.message and one.message.text]
        assert texts == ["to an administrator", "seen after adding it again"]
        assert [bool(one.message and one.message.left_chat_member) for one in changes].index(True) == 4
        await telegram.polled()
        assert run.updates == []


async def test_who_speaks_in_a_group_and_with_what(telegram: LocalTelegram) -> None:
    den = telegram.group("Den", privacy=False)
    ben, cat = telegram.user("Ben"), telegram.user("Cat", "cat_cat")
    den.join(ben, cat)
    den.admin(cat, anonymous=True)
    news = telegram.channel("News", linked=den)
    async with running(telegram) as run:
        await run.next(2)
        first = await telegram.write(den, ben, "🙂 hi Ben and @cat_cat", mentions=[ben, cat])
        message = await run.message()
        assert {text: one.type for one, text in message.parse_entities().items()} == {
            "Ben": "text_mention",
            "@cat_cat": "mention",
        }
        await telegram.write(den, cat, "anonymously")
        message = await run.message()
        assert message.from_user
        assert message.sender_chat
        assert (message.from_user.username, message.sender_chat.id) == ("GroupAnonymousBot", den.id)
        await telegram.write(den, None, "as a channel", as_chat=telegram.channel("Else", bot=False))
        message = await run.message()
        assert message.sender_chat
        assert message.sender_chat.title == "Else"
        await telegram.write(news, None, "a post")
        post, copy = await run.next(2)
        assert post.channel_post
        assert post.channel_post.sender_chat
        assert copy.message
        assert (copy.message.is_automatic_forward, copy.message.forward_origin) != (None, None)
        await telegram.write(den, ben, "answer", reply_to=first, quote="hi Ben")
        message = await run.message()
        assert message.quote
        assert message.reply_to_message
        assert (message.quote.text, message.quote.position) == ("hi Ben", 3)
        assert (message.message_thread_id, message.is_topic_message) == (first.id, None)
        await telegram.write(den, ben, "look there", reply_to=news.messages[1])
        message = await run.message()
        assert message.external_reply
        assert message.external_reply.chat
        assert message.reply_to_message is None
        await telegram.write(den, ben, photo_caption="a picture")
        message = await run.message()
        assert (message.text, message.caption, len(message.photo)) == (None, "a picture", 2)
        file = await message.photo[-1].get_file()
        assert bytes(await file.download_as_bytearray()).startswith(b"\xff\xd8")
        await telegram.write(den, ben, "<blockquote>he said</blockquote>\nso", html=True)
        message = await run.message()
        assert [one.type for one in message.entities] == ["blockquote"]
        origins = []
        for source in ("Somebody Hidden", cat, den, news, first):
            await telegram.write(den, ben, "passed on", forward_of=source)
            message = await run.message()
            assert message.forward_origin
            origins.append(message.forward_origin.type)
        assert origins == ["hidden_user", "user", "chat", "channel", "user"]


async def test_other_kinds_of_messages(telegram: LocalTelegram) -> None:
    den, ben, cat = telegram.group("Den", privacy=False), telegram.user("Ben"), telegram.user("Cat", bot=True)
    den.join(ben, cat)
    news = telegram.channel("News")
    async with running(telegram) as run:
        await run.next(2)
        sticker = {"file_id": "a", "file_unique_id": "b", "type": "regular", "width": 512, "height": 512}
        await telegram.write(den, ben, extra={"sticker": sticker | {"is_animated": False, "is_video": False}})
        message = await run.message()
        assert message.sticker
        assert message.text is None
        await telegram.announce(den, den.owner, new_chat_title="Lair")
        assert (await run.message()).new_chat_title == "Lair"
        post = await telegram.write(news, None, "a pots")
        await telegram.edit(post, "a post")
        _, edited = await run.next(2)
        assert edited.edited_channel_post
        assert edited.edited_channel_post.text == "a post"
        await telegram.write(den, cat, "unheard")
        telegram.world.bots_hear_bots = True
        await telegram.write(den, cat, "heard")
        message = await run.message()
        assert message.from_user
        assert (message.text, message.from_user.is_bot) == ("heard", True)
        asked = await telegram.write(den, ben, "one two three")
        quoted = ReplyParameters(asked.id, quote="two")
        answer = await run.bot.send_message(den.id, "<b>2</b>", parse_mode="HTML", reply_parameters=quoted)
        assert answer.reply_to_message
        assert answer.quote
        assert (answer.reply_to_message.message_id, answer.quote.position) == (asked.id, 4)


async def test_what_was_not_confirmed_comes_again_after_a_restart(telegram: LocalTelegram, alice: User) -> None:
    await telegram.write(alice.private, alice, "one")
    assert len((await asked(telegram, "getUpdates"))["result"]) == 1
    async with running(telegram) as run:
        assert (await run.message()).text == "one"
    await telegram.write(alice.private, alice, "two")
    async with running(telegram) as run:
        assert [one.message.text for one in await run.next() if one.message] == ["two"]


async def test_a_poller_that_was_killed_waits_no_longer(telegram: LocalTelegram, alice: User) -> None:
    waiting = asyncio.create_task(asked(telegram, "getUpdates", timeout=30))
    await telegram.polled()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: not telegram.updates.idle, 1, "the end of the request")
    await telegram.write(alice.private, alice, "not lost")
    assert len((await asked(telegram, "getUpdates", timeout=1))["result"]) == 1


async def test_topics(telegram: LocalTelegram) -> None:
    den, ben = telegram.group("Den", forum=True, privacy=False), telegram.user("Ben")
    den.join(ben)
    async with running(telegram) as run:
        await run.next()
        topic = den.topic("Games")
        await telegram.write(den, ben, "in the topic", topic=topic)
        await telegram.write(den, ben, "in General")
        opened, inside, general = [one.message for one in await run.next(3)]
        assert opened
        assert inside
        assert general
        assert opened.forum_topic_created
        assert (inside.message_thread_id, inside.is_topic_message, general.message_thread_id) == (topic, True, None)
        assert inside.reply_to_message
        assert inside.reply_to_message.forum_topic_created
        await run.bot.send_message(den.id, "here", message_thread_id=topic)
        with pytest.raises(BadRequest, match=r"[Mm]essage thread not found"):
            await run.bot.send_message(den.id, "here", message_thread_id=999)
    assert telegram.sent(den)[0].topic == topic


async def test_updates_come_twice_and_out_of_order(telegram: LocalTelegram, alice: User) -> None:
    async with running(telegram) as run:
        with telegram.reordered():
            message = await telegram.write(alice.private, alice, "first")
            await telegram.edit(message, "second")
        edited, original = await run.next(2)
        assert edited.edited_message
        assert original.message
        assert (edited.edited_message.text, original.message.text) == ("second", "first")
        telegram.duplicate(2)
        again = await run.next(2)
        assert [one.update_id for one in again] == [edited.update_id, original.update_id]
        await telegram.polled()


async def test_cut_connections_are_made_again(telegram: LocalTelegram, alice: User) -> None:
    async with running(telegram) as run:
        await telegram.cut()
        await telegram.write(alice.private, alice, "meanwhile")
        assert (await run.message()).text == "meanwhile"
        assert [type(one) for one in run.errors] == [NetworkError]


@pytest.mark.parametrize(("status", "after"), [(500, False), (502, True), (0, False), (0, True)])
async def test_requests_fail_before_or_after_they_are_done(
    telegram: LocalTelegram, bot: Bot, alice: User, status: int, after: bool
) -> None:
    telegram.fail("sendMessage", status=status, after=after, chat=alice.private)
    with pytest.raises(NetworkError):
        await bot.send_message(alice.id, "hello")
    assert len(telegram.privates(alice)) == after
    assert [one.status for one in telegram.asked("sendMessage", alice.private)] == [status]
    await bot.send_message(alice.id, "hello")


async def test_a_press_has_to_be_answered_once_and_soon(telegram: LocalTelegram, bot: Bot, alice: User) -> None:
    telegram.patience = 0.05
    await bot.send_message(alice.id, "press", reply_markup=GO)
    (sent,) = telegram.privates(alice)
    with pytest.raises(AssertionError, match="an answer to 'go'"):
        await telegram.press(alice, sent, "go")
    with pytest.raises(AssertionError, match="no button 'stop'"):
        await telegram.press(alice, sent, "stop")
    pressed = await telegram.press(alice, sent, "Go", final=False)
    await bot.answer_callback_query(pressed.query)
    assert pressed.answered
    telegram.query_age = 0
    late = await telegram.press(alice, sent, "Go", final=False, inaccessible=True)
    for query in (pressed.query, late.query, "12"):
        with pytest.raises(BadRequest, match=r"(?i)query is too old"):
            await bot.answer_callback_query(query)
    *_, update = await bot.get_updates()
    assert update.callback_query
    assert update.callback_query.message
    assert not update.callback_query.message.is_accessible


async def test_business_connections(telegram: LocalTelegram, alice: User) -> None:
    stranger, friend = telegram.user("Stranger"), telegram.user("Friend")
    async with running(telegram) as run:
        connection = await telegram.connect_business(alice, chats=[stranger])
        (update,) = await run.next()
        made = update.business_connection
        assert made
        assert made.rights
        assert (made.user.id, made.user_chat_id, made.rights.can_reply) == (alice.id, alice.id, True)
        message = await telegram.business_write(connection, stranger, "hello you")
        await telegram.business_write(connection, friend, "unseen")
        await telegram.business_write(connection, stranger, "who are you?", mine=True, reply_to=message)
        await telegram.business_edit(message, "hello dear")
        await telegram.business_delete(message)
        first, second, third, fourth = await run.next(4)
        assert first.business_message
        assert first.business_message.from_user
        assert (first.business_message.chat.id, first.business_message.from_user.id) == (stranger.id, stranger.id)
        assert first.business_message.business_connection_id == connection.id
        assert second.business_message
        assert second.business_message.from_user
        assert (second.business_message.chat.id, second.business_message.from_user.id) == (stranger.id, alice.id)
        assert third.edited_business_message
        assert third.edited_business_message.text == "hello dear"
        assert fourth.deleted_business_messages
        assert fourth.deleted_business_messages.message_ids == (message.id,)
        known = await run.bot.get_business_connection(connection.id)
        assert known.is_enabled
        sent = await run.bot.send_message(stranger.id, "not I", business_connection_id=connection.id)
        assert sent.sender_business_bot
        await telegram.change_business(connection, can_reply=False)
        with pytest.raises(BadRequest, match=r"(?i)not enough rights"):
            await run.bot.send_message(stranger.id, "not I", business_connection_id=connection.id)
        await telegram.disconnect_business(connection)
        changed, ended = await run.next(2)
        assert changed.business_connection
        assert ended.business_connection
        assert (changed.business_connection.is_enabled, ended.business_connection.is_enabled) == (True, False)
        await telegram.business_write(connection, stranger, "unread")
        await telegram.polled()
        assert run.updates == []


async def test_documents_keep_their_bytes(telegram: LocalTelegram, bot: Bot, alice: User) -> None:
    data = bytes(range(256)) * 100
    sent = await bot.send_document(
        alice.id, data, filename="evidence.zip", caption="<b>here</b>", parse_mode="HTML", reply_markup=GO
    )
    (kept,) = telegram.privates(alice)
    assert (kept.data, kept.text, kept.labels) == (data, "here", ["Go"])
    assert telegram.asked("sendDocument")[0].files == {"document": data}
    assert sent.document
    assert (sent.document.file_name, sent.document.file_size) == ("evidence.zip", len(data))
    file = await sent.document.get_file()
    assert bytes(await file.download_as_bytearray()) == data
    await bot.send_document(alice.id, sent.document.file_id)
    assert [one.data for one in telegram.privates(alice)] == [data, data]
    await bot.edit_message_caption(alice.id, sent.message_id, caption="there")
    assert kept.text == "there"
    with pytest.raises(BadRequest, match=r"(?i)invalid file_id"):
        await bot.get_file("made-up")


async def test_what_the_bot_says_about_itself(telegram: LocalTelegram, bot: Bot) -> None:
    den = telegram.group("Den")
    help = BotCommand("help", "What to do")
    private = BotCommandScopeAllPrivateChats()
    await bot.set_my_commands([help, ("check", "Check a text")], scope=private)
    await bot.set_my_commands([help], scope=BotCommandScopeChat(den.id), language_code="de")
    assert [one.command for one in await bot.get_my_commands(private)] == ["help", "check"]
    assert await bot.get_my_commands() == ()
    assert [*telegram.commands] == [("all_private_chats", None, None, ""), ("chat", den.id, None, "de")]
    await bot.delete_my_commands(private)
    assert len(telegram.commands) == 1
    await bot.set_chat_menu_button(menu_button=MenuButtonCommands())
    await bot.set_my_description("Notices sextortion.")
    await bot.set_my_short_description("Safety", language_code="de")
    await bot.set_my_name("Haven")
    assert (await bot.get_my_description("fr")).description == "Notices sextortion."
    assert telegram.settings.texts["short_description", "de"] == "Safety"
    with pytest.raises(BadRequest, match=r"(?i)bot_command_invalid"):
        await bot.set_my_commands([("No-Command", "x")])
    complained(telegram, "BOT_COMMAND_INVALID")


async def test_wrong_tokens_and_methods(telegram: LocalTelegram, bot: Bot) -> None:
    with pytest.raises(InvalidToken):
        async with build(telegram, token="123:wrong").bot:  # noqa: S106
            pass
    assert (await asked(telegram, "getmE"))["result"]["id"] == telegram.bot.id
    async with aiohttp.ClientSession() as session:
        url = f"{telegram.base_url}{telegram.token}/getChat?chat_id={telegram.bot.id}"
        async with session.get(url) as answer:
            assert answer.status == 200
    assert (await asked(telegram, "makeTea"))["description"] == "Not Found: method not found"
    complained(telegram, "makeTea")


async def spoken(telegram: LocalTelegram, group: Group, people: list[User], count: int) -> Message:
    """Let people write many messages, some of them answers, and return the last."""
    last: Message | None = None
    for number in range(count):
        author = people[number % len(people)]
        last = await telegram.write(group, author, f"message {number}", reply_to=last if number % 7 == 0 else None)
    assert last
    return last


async def test_an_evening_of_messages_takes_seconds(telegram: LocalTelegram) -> None:
    den = telegram.group("Den", privacy=False)
    people = [telegram.user(f"Person{number}") for number in range(30)]
    den.join(*people)
    async with running(telegram) as run:
        began = time.monotonic()
        await run.next(30)
        await spoken(telegram, den, people, 2000)
        got = await run.next(2000)
        assert time.monotonic() - began < 10
    texts = [one.message.text for one in got if one.message]
    assert texts == [f"message {number}" for number in range(2000)]
