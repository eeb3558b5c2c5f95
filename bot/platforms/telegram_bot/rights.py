"""What somebody may do in a group at this moment, as Telegram says when asked."""

from __future__ import annotations

from telegram import Bot, Chat, ChatMember, ChatMemberAdministrator, ChatMemberOwner, ChatMemberRestricted
from telegram.constants import ChatMemberStatus
from telegram.error import BadRequest, ChatMigrated, Forbidden, TelegramError

from bot.moderation import RefusedError
from classifiers.conversation import Account

_NAMES = {
    "can_restrict_members": "Ban users",
    "can_delete_messages": "Delete messages",
    "can_change_info": "Change group info",
}


async def check_admin(bot: Bot, space: str, actor: Account, right: str | None = None) -> None:
    """RefusedError unless somebody is an admin of the group now, with the right."""
    member = await member_of(bot, space, actor)
    if not is_admin(member):
        raise RefusedError("only admins of the group may do this")
    if right and not holds(member, right):
        raise RefusedError(f"you need the admin right “{_NAMES[right]}” for this")


async def check_member(bot: Bot, space: str, account: Account) -> None:
    """RefusedError unless somebody is in the group now."""
    if not is_inside(await member_of(bot, space, account)):
        raise RefusedError("you are not in that group")


async def member_of(bot: Bot, space: str, account: Account) -> ChatMember:
    """Return somebody's standing in a group; RefusedError where Telegram does not tell Haven."""
    try:
        return await bot.get_chat_member(int(space), int(account.id))
    except (BadRequest, Forbidden):
        raise RefusedError("Telegram does not tell Haven who is in the group: is Haven still there?") from None
    except ChatMigrated:
        raise RefusedError("the group is a supergroup now: type the command there again") from None
    except TelegramError:
        raise RefusedError("Telegram does not answer: try again") from None


def check_closed(chat: Chat) -> None:
    """RefusedError where anybody can read."""
    if chat.username:
        raise RefusedError("anybody can read this chat: make it private, or link another with /setup")


async def is_open(bot: Bot, chat: int) -> bool:
    """Return whether anybody can read a chat now."""
    found = await bot.get_chat(chat)
    return bool(found.username or found.active_usernames)


def is_inside(member: ChatMember) -> bool:
    """Return whether somebody is in the group, however restricted."""
    gone = member.status in (ChatMemberStatus.LEFT, ChatMemberStatus.BANNED)
    return not gone and (not isinstance(member, ChatMemberRestricted) or member.is_member)


def is_admin(member: ChatMember) -> bool:
    """Return whether somebody runs the group."""
    return isinstance(member, ChatMemberAdministrator | ChatMemberOwner)


def holds(member: ChatMember, right: str) -> bool:
    """Return whether an admin has a right; the owner has all."""
    return isinstance(member, ChatMemberOwner) or bool(getattr(member, right, False))
