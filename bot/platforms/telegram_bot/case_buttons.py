"""The buttons under an alert; each asks Telegram what its presser may do now, and leaves a line in the audit trail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from telegram import (
    CallbackQuery,
    ChatMember,
    ChatMemberRestricted,
    ChatPermissions,
    ForceReply,
    MaybeInaccessibleMessage,
)
from telegram.constants import ChatMemberStatus
from telegram.error import BadRequest, Forbidden, TelegramError

from bot import advice
from bot.archives.export import sound
from bot.case import Case
from bot.effects import Act, Ruling
from bot.moderation import RefusedError
from bot.platforms import acts
from bot.platforms.telegram_bot import answers, people, rights, setup
from bot.platforms.telegram_bot.reading import account
from bot.rulings import SENDABLE
from classifiers.conversation import Account

if TYPE_CHECKING:
    from bot.platforms.telegram_bot.client import HavenClient

RESTRICTED = timedelta(hours=24)
_AGAIN = 15.0  # seconds within which a second press means yes


class Presses:
    """The buttons that ask for a second press, with when somebody pressed one; in memory only."""

    def __init__(self) -> None:
        self._pressed: dict[tuple[int, str, str], float] = {}

    def is_second(self, query: CallbackQuery, act: str, case: Case) -> bool:
        """Return whether the same person pressed the same button a moment ago."""
        now, key = time.monotonic(), (query.from_user.id, act, case.id)
        self._pressed = {pressed: at for pressed, at in self._pressed.items() if now - at <= _AGAIN}
        if self._pressed.pop(key, None) is not None:
            return True
        self._pressed[key] = now
        return False


async def pressed(client: HavenClient, query: CallbackQuery) -> None:
    """Do what a button says; whatever happens, Telegram gets an answer."""
    await answers.attempt(_pressed_button(client, query), client.locale, query=query)


async def _pressed_button(client: HavenClient, query: CallbackQuery) -> None:
    act, _, of = sound(query.data or "").partition(":")
    if await people.pressed(client, query, act, of) or await setup.pressed(client, query, act, of):
        return
    handler = _HANDLERS.get(act)
    if handler is None or query.message is None:
        raise RefusedError("this button is from another version of Haven")
    case = await case_in(client, of, query.message, account(query.from_user))
    await handler(client, query, case)


async def case_in(
    client: HavenClient, id: str, message: MaybeInaccessibleMessage, actor: Account | None = None
) -> Case:
    """Return a case that is dealt with in the chat of a message, to an `actor` none that is about them."""
    case = await asyncio.to_thread(client.parts.store.case_of, id)
    if case is None or client.parts.policies.of(case.space).alert_channel != str(message.chat.id):
        raise RefusedError("there is no such case here")
    rights.check_closed(message.chat)
    return await asyncio.to_thread(client.parts.moderation.case, case.space, id, actor)


async def _confirm(client: HavenClient, query: CallbackQuery, case: Case) -> None:
    await _rule(client, query, case, Ruling.CONFIRMED)
    await answers.tell(query, acts.CONFIRMED, alert=True)


async def _dismiss(client: HavenClient, query: CallbackQuery, case: Case) -> None:
    await _rule(client, query, case, Ruling.NOT_SEXTORTION)
    await answers.tell(query, advice.on_alert(client.locale).dismissed, alert=True)


async def _confirm_all(client: HavenClient, query: CallbackQuery, case: Case) -> None:
    await _rule_all(client, query, case, Ruling.CONFIRMED)


async def _dismiss_all(client: HavenClient, query: CallbackQuery, case: Case) -> None:
    await _rule_all(client, query, case, Ruling.NOT_SEXTORTION)


async def _rule_all(client: HavenClient, query: CallbackQuery, case: Case, ruling: Ruling) -> None:
    actor = account(query.from_user)
    await rights.check_admin(client.bot, case.space, actor)
    done = await asyncio.to_thread(client.parts.moderation.rule_all, case.space, case.id, ruling, actor)
    client.parts.outbox.wake()
    await answers.tell(query, acts.ruled_all(done), alert=True)


async def _rule(client: HavenClient, query: CallbackQuery, case: Case, ruling: Ruling) -> None:
    actor = account(query.from_user)
    await rights.check_admin(client.bot, case.space, actor)
    await asyncio.to_thread(client.parts.moderation.rule, case.space, case.id, ruling, actor)
    client.parts.outbox.wake()


async def _advise(client: HavenClient, query: CallbackQuery, case: Case) -> None:
    actor = account(query.from_user)
    await rights.check_admin(client.bot, case.space, actor)
    targets = [target.account for target in case.targets if target.advice in SENDABLE]
    if not targets:
        if case.targets:
            raise RefusedError(acts.NOTHING_TO_SEND)
        if case.likely is None:
            raise RefusedError(f"Haven does not know whom: write /advise {case.id} and the number of their account")
        if not client.presses.is_second(query, "advise", case):
            raise RefusedError("Haven only guesses who is meant (“perhaps” in the alert). Press again to write to them")
        targets = [case.likely]
    await answers.tell(query, await send_advice(client, case, targets, actor), alert=True)


async def send_advice(client: HavenClient, case: Case, targets: list[Account], actor: Account) -> str:
    """Record that moderators want these people to be written to; return what to tell them."""
    said = await asyncio.to_thread(acts.send_advice, client.parts, case.space, case.id, targets, actor)
    client.parts.outbox.wake()
    return said


async def _note(client: HavenClient, query: CallbackQuery, case: Case) -> None:
    await rights.check_admin(client.bot, case.space, account(query.from_user))
    if query.message:
        text = f"Answer this message with the note for case <code>{case.id}</code>."
        await answers.say(query.message, text, ForceReply(selective=True))
    await answers.tell(query)


async def _restrict(client: HavenClient, query: CallbackQuery, case: Case) -> None:
    actor, offender, member = await _may_act(client, query, case)
    until = client.parts.clock() + RESTRICTED
    if member.status == ChatMemberStatus.BANNED:
        raise RefusedError("they are banned already")
    if isinstance(member, ChatMemberRestricted) and not member.can_send_messages and _is_longer(member, until):
        raise RefusedError("they are restricted for longer already")
    await asyncio.to_thread(client.parts.moderation.attempt, case.space, case.id, Act.TIMED_OUT, actor)
    with _told():
        await client.bot.restrict_chat_member(
            int(case.space), int(offender.id), ChatPermissions.no_permissions(), until_date=until
        )
    await _done(client, case, Act.TIMED_OUT, actor)
    await answers.tell(query, "They cannot write for 24 hours.")


async def _ban(client: HavenClient, query: CallbackQuery, case: Case) -> None:
    actor, offender, _ = await _may_act(client, query, case)
    if not client.presses.is_second(query, "ban", case):
        raise RefusedError(f"press Ban again to ban them. Save the evidence first, with /evidence {case.id}")
    await asyncio.to_thread(client.parts.moderation.attempt, case.space, case.id, Act.BANNED, actor)
    with _told():
        await client.bot.ban_chat_member(int(case.space), int(offender.id), revoke_messages=False)
    await _done(client, case, Act.BANNED, actor)
    await answers.tell(query, "They are banned.")


async def _delete(client: HavenClient, query: CallbackQuery, case: Case) -> None:
    actor = account(query.from_user)
    await rights.check_admin(client.bot, case.space, actor, "can_delete_messages")
    here = [seen for seen in case.evidence if seen.message_id and seen.channel.partition("/")[0] == case.space]
    messages = sorted({int(seen.message_id) for seen in here})  # others are from before the group moved
    if not messages:
        raise RefusedError("the alert shows no messages that could be deleted")
    if not client.presses.is_second(query, "delete", case):
        raise RefusedError(f"press again to delete these messages. Save the evidence first, with /evidence {case.id}")
    await asyncio.to_thread(client.parts.moderation.attempt, case.space, case.id, Act.DELETED_MESSAGES, actor)
    with _told():
        await client.bot.delete_messages(int(case.space), messages)
    await _done(client, case, Act.DELETED_MESSAGES, actor)
    await answers.tell(query, "The messages are deleted.")


async def _may_act(client: HavenClient, query: CallbackQuery, case: Case) -> tuple[Account, Account, ChatMember]:
    """Return presser and offender, and the offender's standing, where the one may act against the other."""
    actor = account(query.from_user)
    await rights.check_admin(client.bot, case.space, actor, "can_restrict_members")
    offender = acts.offender(case)
    if not offender.id.isdecimal():
        raise RefusedError("they wrote as a channel, which Haven cannot act against: ban it where they wrote")
    member = await rights.member_of(client.bot, case.space, offender)
    if rights.is_admin(member):
        raise RefusedError("they are an admin of the group: only its owner can act against them")
    return actor, offender, member


def _is_longer(member: ChatMemberRestricted, until: datetime) -> bool:
    """Return whether a restriction ends later, or never, which Telegram writes as the year 1970."""
    return member.until_date.timestamp() == 0 or member.until_date > until


async def _done(client: HavenClient, case: Case, act: Act, actor: Account) -> None:
    await asyncio.to_thread(client.parts.moderation.act, case.space, case.id, act, actor)
    client.parts.outbox.wake()


@contextmanager
def _told() -> Iterator[None]:
    """Let the moderator know when Telegram did not do what it was asked."""
    try:
        yield
    except (BadRequest, Forbidden) as error:
        hint = ": does Haven have that admin right?" if "right" in error.message or "can't" in error.message else ""
        raise RefusedError(f"Telegram refused ({error.message}), so it was not done{hint}") from None
    except TelegramError as error:
        name = type(error).__name__
        raise RefusedError(f"Telegram had a fault ({name}): see if it was done, or press again") from None


_HANDLERS: dict[str, Callable[[HavenClient, CallbackQuery, Case], Awaitable[None]]] = {
    "confirm": _confirm,
    "dismiss": _dismiss,
    "confirm_all": _confirm_all,
    "dismiss_all": _dismiss_all,
    "advise": _advise,
    "note": _note,
    "timeout": _restrict,
    "ban": _ban,
    "delete": _delete,
}
