"""Private chats that their owner lets Haven read: the owner alone is warned, and nobody else ever hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from localtelegram.server import Connection, Message, User
from telegram_life import account
from telegram_storm import THREAT, Den, Living, den, hurry, until

from bot.app import open_classifier
from bot.config import Config, PolicySettings
from bot.database import Database
from bot.policies import Policies
from bot.policy import AdviceBy, Mode, private_space
from bot.records import Records
from bot.sealing import one_time_seal
from bot.store import Store
from classifiers.classifier import Classifier
from classifiers.conversation import Account

CONTENT = ("cases", "targets", "outbox", "recipients")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The model that came with Haven."""
    return open_classifier(Config(), Path())


@pytest.fixture
def haven(
    tmp_path: Path, classifier: Classifier, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Living:
    """Haven in a group; Sam is the owner of private chats, in which Eve is a stranger."""
    hurry(monkeypatch)
    return lambda **settings: den(tmp_path, classifier, caplog, **settings)


async def threatened(
    there: Den, connection: Connection, lines: Sequence[str] = THREAT, *, mine: bool = False, answers: bool = True
) -> list[Message]:
    """Let Eve threaten the owner, who answers; `mine`: the other way round."""
    written = []
    for line in lines:
        written.append(await there.telegram.business_write(connection, there.eve, line, mine=mine))
        if answers:
            written.append(await there.telegram.business_write(connection, there.eve, "what is this", mine=not mine))
    return written


def quiet(there: Den, *warned: User) -> None:
    """Check that nobody but those `warned` heard anything, each once, and nothing was done in anybody's name."""
    for user in list(there.telegram.world.users.values()):
        assert len(there.telegram.privates(user)) == (user in warned), user
    assert not there.posted()
    for connection in there.telegram.connections.values():
        assert not [m for chat in connection.everything() for m in chat.messages.values() if m.by_bot]
    assert not [one for one in there.telegram.requests if one.method == "readBusinessMessage"]
    assert {str(one.chat_id) for one in there.telegram.requests if one.chat_id} == {str(user.id) for user in warned}


def stored(there: Den) -> dict[str, int]:
    """Return how many rows the tables have in which something about people is."""
    return {
        name: int(there.parts.store.query(f"SELECT count(*) FROM {name}")[0][0])  # noqa: S608 (their own names)
        for name in CONTENT
    }


def held(folder: Path) -> bytes:
    """Return all bytes of the database."""
    return b"".join(file.read_bytes() for file in folder.glob("haven.db*"))


@pytest.mark.parametrize("answers", [True, False])
async def test_the_owner_is_warned_once_and_nobody_else_hears_of_it(haven: Living, answers: bool) -> None:
    async with haven() as there:
        connection = await there.telegram.connect_business(there.sam)
        await threatened(there, connection, answers=answers)
        await there.calm()
        quiet(there, there.sam)
        await threatened(there, connection, answers=answers)
        await there.calm()
        quiet(there, there.sam)
        assert len(there.cases()) == 1
        (warning,) = there.telegram.privates(there.sam)
        assert not [line for line in THREAT if line in warning.text]


async def test_edits_are_read_and_what_was_deleted_was_said(haven: Living) -> None:
    async with haven() as there:
        connection = await there.telegram.connect_business(there.sam)
        for line in THREAT:
            message = await there.telegram.business_write(connection, there.eve, "hello")
            await there.telegram.business_edit(message, line)
            await there.calm()
            await there.telegram.business_delete(message)
        await there.calm()
        quiet(there, there.sam)


async def test_of_edits_in_disorder_the_latest_stands(haven: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    async with haven() as there:
        connection = await there.telegram.connect_business(there.sam)
        await there.calm()
        now = there.telegram.world.now()
        with there.telegram.reordered():
            for line in THREAT:
                monkeypatch.setattr(there.telegram.world, "now", lambda: now)
                message = await there.telegram.business_write(connection, there.eve, "hello")
                await there.telegram.business_edit(message, line)
                monkeypatch.setattr(there.telegram.world, "now", lambda: now + 1)
                await there.telegram.business_edit(message, "see you")
        await there.calm()
        quiet(there)
        assert not there.cases()


async def test_an_owner_who_threatens_leads_to_nothing_at_all(haven: Living) -> None:
    async with haven() as there:
        there.eve.started = True
        connection = await there.telegram.connect_business(there.sam)
        await threatened(there, connection, mine=True)
        await threatened(there, connection, mine=True, answers=False)
        await there.calm()
        quiet(there)
        assert stored(there) == dict.fromkeys(CONTENT, 0)


@pytest.mark.parametrize("mine", [True, False])
async def test_what_somebody_tells_in_private_stays_there(haven: Living, mine: bool) -> None:
    async with haven() as there:
        there.eve.started = True
        connection = await there.telegram.connect_business(there.sam)
        for line in (
            "i dont know what to do. a guy has my nudes and wants 500 or he sends them to my family",
            "he recorded me on video call and threatens to send it to all my followers",
            "i already paid him 200, i cant sleep, i dont want to live anymore",
        ):
            await there.telegram.business_write(connection, there.eve, line, mine=mine)
        await there.calm()
        if mine:  # they are told what helps, and whom to call
            assert there.warned() == 2
            assert not there.posted()
            assert there.warned(there.eve) == 0
        else:
            quiet(there)
            assert not there.cases()


async def test_a_forward_is_nobodys_threat(haven: Living) -> None:
    async with haven() as there:
        connection = await there.telegram.connect_business(there.sam)
        for line in THREAT:
            await there.telegram.business_write(connection, there.eve, line, forward_of="Somebody")
        await there.calm()
        quiet(there)
        assert not there.cases()


async def test_each_owner_is_warned_for_themselves(haven: Living) -> None:
    async with haven() as there:
        tom = there.member("Tom")
        for owner in (there.sam, tom):
            await threatened(there, await there.telegram.connect_business(owner))
            await there.calm()
        quiet(there, there.sam, tom)
        assert len(there.cases()) == 2


async def test_after_a_restart_the_connection_is_looked_up_anew(haven: Living) -> None:
    async with haven() as there:
        connection = await there.telegram.connect_business(there.sam)
        await there.calm()
        assert there.count("getBusinessConnection") == 0
        await there.restart()
        there.telegram.fail("getBusinessConnection", 1, 502)
        there.telegram.fail("getBusinessConnection", 1, 0)
        await threatened(there, connection)
        await until(there.warned)
        await there.calm()
        assert there.count("getBusinessConnection") == 3  # until it was answered, and never again
        quiet(there, there.sam)


async def test_a_warning_from_before_a_restart_is_not_given_again(haven: Living) -> None:
    async with haven() as there:
        connection = await there.telegram.connect_business(there.sam)
        await threatened(there, connection)
        await there.calm()
        await there.restart()
        await threatened(there, connection)
        await there.calm()
        quiet(there, there.sam)
        assert len(there.cases()) == 1


async def test_a_connection_that_nobody_knows_is_not_read(haven: Living) -> None:
    async with haven() as there:
        connection = await there.telegram.connect_business(there.sam)
        await there.calm()
        await there.restart()
        del there.telegram.connections[connection.id]
        await threatened(there, connection)
        await there.calm()
        quiet(there)
        assert stored(there) == dict.fromkeys(CONTENT, 0)
        there.telegram.connections[connection.id] = connection


@pytest.mark.parametrize("at_once", [True, False])
async def test_disconnecting_stops_the_reading_and_forgets(haven: Living, tmp_path: Path, at_once: bool) -> None:
    async with haven() as there:
        connection = await there.telegram.connect_business(there.sam)
        place = there.parts.store.placed(private_space(account(there.sam)))
        await threatened(there, connection)
        if not at_once:
            await there.calm()
            assert stored(there) == {"cases": 1, "targets": 1, "outbox": 1, "recipients": 1}
            assert place.encode() in held(tmp_path)
        await there.telegram.disconnect_business(connection)
        await there.calm()
        assert stored(there) == dict.fromkeys(CONTENT, 0)
        connection.enabled = True  # some of what was written before comes after
        await threatened(there, connection)
        await there.calm()
        connection.enabled = False
        assert stored(there) == dict.fromkeys(CONTENT, 0)
        assert there.warned() <= 1
        await there.stop()
        content = held(tmp_path)
        for secret in (str(there.sam.id), str(there.eve.id), connection.id, place):
            assert secret.encode() not in content


async def test_a_connection_that_is_disabled_is_not_read(haven: Living) -> None:
    async with haven() as there:
        connection = await there.telegram.connect_business(there.sam)
        await there.stop()
        await there.telegram.disconnect_business(connection)
        there.telegram.updates.pending.clear()  # Telegram keeps them for a day
        await there.restart()
        connection.enabled = True
        with there.telegram.reordered():
            await threatened(there, connection)
            connection.enabled = False
        await there.calm()
        assert there.count("getBusinessConnection") == 1
        quiet(there)
        assert stored(there) == dict.fromkeys(CONTENT, 0)


async def test_who_connects_again_is_read_again(haven: Living) -> None:
    async with haven() as there:
        connection = await there.telegram.connect_business(there.sam)
        await threatened(there, connection, THREAT[:1])
        await there.telegram.disconnect_business(connection)
        await there.calm()
        await threatened(there, await there.telegram.connect_business(there.sam))
        await there.calm()
        quiet(there, there.sam)


async def test_an_owner_who_wants_no_messages_gets_none(haven: Living) -> None:
    async with haven() as there:
        there.parts.people.protect(account(there.sam), on=False)
        await threatened(there, await there.telegram.connect_business(there.sam))
        await there.calm()
        quiet(there)


async def test_an_owner_who_has_not_pressed_start_is_warned_when_they_do(haven: Living) -> None:
    async with haven() as there:
        there.sam.started = False
        await threatened(there, await there.telegram.connect_business(there.sam))
        await there.calm()
        assert there.warned() == 0
        await there.telegram.write(there.sam.private, there.sam, "/start")
        await there.calm()
        await there.telegram.write(there.sam.private, there.sam, "/start")
        await there.calm()
        warnings = [one for one in there.telegram.privates(there.sam) if "not_me" in str(one.keyboard)]
        assert len(warnings) == 1
        assert not there.posted()


async def test_chats_that_the_owner_did_not_choose_are_not_read(haven: Living) -> None:
    async with haven() as there:
        friend = there.telegram.user("Friend")
        await threatened(there, await there.telegram.connect_business(there.sam, chats=[friend]))
        await there.calm()
        quiet(there)
        assert not there.cases()


async def test_a_group_and_a_private_chat_know_nothing_of_each_other(haven: Living) -> None:
    async with haven() as there:
        await threatened(there, await there.telegram.connect_business(there.sam))
        await there.calm()
        tom = there.member("Tom")
        await there.threaten(there.eve, tom)
        await there.calm()
        assert there.warned() == there.warned(tom) == 1
        assert f"{there.sam.name}:" not in there.alert().text
        assert len(there.cases()) == 2


def test_no_moderator_has_a_say_in_private_chats() -> None:
    settings = PolicySettings(mode="observe", advice_by="moderator", alert_channel="-1001", page_role="1")
    database: Database = Store(None, one_time_seal())
    policy = Policies(Config(policy=settings), Records(database)).of(private_space(Account("telegram", "1")))
    database.close()
    assert (policy.mode, policy.advice_by, policy.protects) == (
        Mode.ADVISE,
        AdviceBy.AUTOMATIC,
        Account("telegram", "1"),
    )
