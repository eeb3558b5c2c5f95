"""Telegram's published Bot API lets through what is right, and names each mistake that is made on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from localtelegram.server import LocalTelegram
from localtelegram.spec import Spec, load_spec, shape

there = pytest.mark.skipif(load_spec() is None, reason="Telegram's Bot API is not beside this checkout")

USER = {"id": 5_000_000_001, "is_bot": False, "first_name": "Ana", "username": "ana_ana", "language_code": "en"}
BOT = {"id": 7_000_000_001, "is_bot": True, "first_name": "Haven", "username": "haven_test_bot"}
CHAT = {"id": -1_001_000_000_001, "type": "supergroup", "title": "Den"}
MESSAGE = {
    "message_id": 7,
    "date": 1_790_000_000,
    "chat": CHAT,
    "from": USER,
    "text": "hello @ana_ana",
    "entities": [{"type": "mention", "offset": 6, "length": 8}],
    "reply_markup": {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]},
    "forward_origin": {"type": "hidden_user", "date": 1_790_000_000, "sender_user_name": "Somebody"},
}
UPDATE = {"update_id": 1, "message": MESSAGE}
SEND = {"chat_id": CHAT["id"], "text": "hello", "parse_mode": "HTML"}


@pytest.fixture
def spec() -> Spec:
    """The check, which has seen nothing yet."""
    found = load_spec()
    assert found
    return found


def changed(value: Mapping[str, Any], path: str, new: Any = None) -> dict[str, Any]:
    """Return a copy with one thing changed, or taken away."""
    made = deepcopy(dict(value))
    *parents, name = path.split(".")
    at: Any = made
    for step in parents:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if new is None:
        del at[name]
    else:
        at[int(name) if isinstance(at, list) else name] = new
    return made


def test_there_is_no_check_without_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAVEN_SPECS", str(tmp_path))
    assert load_spec() is None


def test_the_shape_is_what_the_check_depends_on() -> None:
    assert shape(MESSAGE) == shape(changed(MESSAGE, "text", "something else"))
    assert shape(MESSAGE) != shape(changed(MESSAGE, "text", 5))
    assert shape(MESSAGE) != shape(changed(MESSAGE, "chat.type", "private"))
    assert shape(MESSAGE) != shape(changed(MESSAGE, "from.username"))


@there
def test_what_is_right_is_let_through(spec: Spec) -> None:
    assert spec.version.startswith("Bot API")
    assert spec.update(UPDATE) == []
    assert spec.request("sendMessage", SEND, set()) == []
    assert spec.request("sendDocument", {"chat_id": "1"}, {"document"}) == []
    assert spec.request("sendDocument", {"chat_id": "1", "document": "attach://a"}, {"a"}) == []
    assert spec.result("sendMessage", MESSAGE) == []
    assert spec.result("editMessageText", True) == []
    assert spec.result("getUpdates", [UPDATE, UPDATE]) == []


@there
@pytest.mark.parametrize(
    ("path", "new", "word"),
    [
        ("message.chat", None, "message.chat is missing in Message"),
        ("message.date", "today", "message.date is no Integer: 'today'"),
        ("message.invented", 1, "message.invented is unknown to Message"),
        ("message.entities.0.length", None, "entities[0].length is missing in MessageEntity"),
        ("message.reply_markup.inline_keyboard.0", "row", "inline_keyboard[0] is no list"),
        ("message.forward_origin.sender_user_name", None, "sender_user_name is missing in MessageOriginHiddenUser"),
        ("message.from.is_bot", 0, "message.from.is_bot is no Boolean"),
        ("update_id", None, "update.update_id is missing in Update"),
        ("new_kind", {}, "update.new_kind is unknown to Update"),
    ],
)
def test_each_mistake_in_an_update_is_named_once(spec: Spec, path: str, new: Any, word: str) -> None:
    wrong = changed(UPDATE, path, new)
    assert any(word in problem for problem in spec.update(wrong))
    assert spec.update(wrong) == []


@there
@pytest.mark.parametrize(
    ("params", "files", "word"),
    [
        (changed(SEND, "text"), set(), "text is missing"),
        (changed(SEND, "chat_id", [1]), set(), "chat_id is no"),
        (changed(SEND, "color", "red"), set(), "there is no parameter color"),
        (changed(SEND, "reply_markup", {"inline_keyboard": [[{"text": "x", "data": "y"}]]}), set(), "data is unknown"),
        (changed(SEND, "reply_parameters", {}), set(), "message_id is missing in ReplyParameters"),
        (changed(SEND, "disable_notification", "perhaps"), set(), "disable_notification is no Boolean"),
        (SEND, {"extra"}, "the file extra belongs nowhere"),
    ],
)
def test_each_mistake_in_a_request_is_named(spec: Spec, params: Mapping[str, Any], files: set[str], word: str) -> None:
    assert any(word in problem for problem in spec.request("sendMessage", params, files))


@there
def test_results_are_those_of_their_method(spec: Spec) -> None:
    assert any("is no Message" in problem for problem in spec.result("sendMessage", True))
    assert spec.result("getMe", BOT) == []
    assert any("is_bot is missing" in problem for problem in spec.result("getMe", changed(BOT, "is_bot")))
    member = {"status": "member", "user": USER}
    assert spec.result("getChatMember", member) == []
    unknown = spec.result("getChatMember", changed(member, "status", "administrator"))
    assert any("can_be_edited is missing in ChatMemberAdministrator" in problem for problem in unknown)
    assert spec.request("makeTea", {}, set()) == ["there is no method makeTea"]


@there
def test_aiogram_reads_what_is_sent_by_itself(spec: Spec) -> None:
    pytest.importorskip("aiogram")
    lenient = Spec({"types": {}, "methods": {"sendMessage": {"name": "sendMessage", "returns": []}}}, spec.aiogram)
    assert lenient.result("sendMessage", MESSAGE) == []
    wrong = lenient.result("sendMessage", changed(MESSAGE, "chat"))
    assert wrong == ["aiogram does not read chat: Field required"]
    assert lenient.result("sendMessage", changed(MESSAGE, "chat.invented", 1)) == []
    assert lenient.notes == ["aiogram does not know Chat.invented"]


@there
async def test_the_local_telegram_complains_of_what_is_not_to_the_specification() -> None:
    async with LocalTelegram() as telegram, aiohttp.ClientSession() as session:
        ana = telegram.user("Ana")
        await telegram.write(ana.private, ana, "/start")
        data = {"chat_id": str(ana.id), "text": "hello", "colour": "red"}
        async with session.post(f"{telegram.base_url}{telegram.token}/sendMessage", data=data) as answer:
            assert answer.status == 200
        assert telegram.complaints == [
            "sendMessage: the request is not to the specification: there is no parameter colour"
        ]
        telegram.world.emit("message", {"text": "nowhere"})
        assert any("message is not to the specification" in one for one in telegram.complaints)
