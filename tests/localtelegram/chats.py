"""The methods about chats and their members, files, callbacks and Business connections."""

from __future__ import annotations

from typing import Any

from localtelegram.api import Api, Call, bad
from localtelegram.entities import JSON
from localtelegram.messages import in_chat, own_place
from localtelegram.rights import PERMISSIONS, SENDING, Member
from localtelegram.state import Chat, User
from localtelegram.world import World

_GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
_IMPLIED = SENDING[: SENDING.index("can_send_polls")]


class Chats:
    """What the bot asks about chats and does to members."""

    def __init__(self, world: World, api: Api) -> None:
        self.world = world
        api.add(getMe=self.me, getChat=self.chat, getChatMember=self.member, getChatAdministrators=self.admins)
        api.add(getChatMemberCount=self.count, leaveChat=self.leave, getFile=self.file)
        api.add(restrictChatMember=self.restrict, banChatMember=self.ban, unbanChatMember=self.unban)

    async def me(self, call: Call) -> Any:
        """Answer with the bot's account and its switches."""
        switches = {"can_join_groups": True, "can_read_all_group_messages": not self.world.privacy}
        switches |= {"supports_guest_queries": False, "supports_inline_queries": False, "can_connect_to_business": True}
        switches |= {"has_main_web_app": False, "has_topics_enabled": False, "allows_users_to_create_topics": False}
        switches |= {"can_manage_bots": False, "supports_join_request_queries": False}
        return self.world.bot.payload() | switches

    def _seen(self, call: Call) -> Chat:
        chat = in_chat(self.world, call["chat_id"])
        if chat.user is None:
            own_place(chat)
        return chat

    async def chat(self, call: Call) -> Any:
        """Answer with everything about a chat."""
        chat = self._seen(call)
        made: JSON = chat.payload() | {"accent_color_id": 0, "max_reaction_count": 11}
        made["accepted_gift_types"] = dict.fromkeys(_GIFTS, chat.user is not None)
        if chat.username:
            made["active_usernames"] = [chat.username]
        if chat.is_group:
            made["permissions"] = chat.permissions
        if chat.linked:
            made["linked_chat_id"] = chat.linked.id
        return made

    def _user(self, chat: Chat, id: Any) -> User:
        user = self.world.users.get(int(id))
        if user is None:
            raise bad("invalid user_id specified")
        return user

    async def member(self, call: Call) -> Any:
        """Answer with somebody's membership; of strangers to the chat, it is `left`."""
        chat = self._seen(call)
        user = self._user(chat, call["user_id"])
        if chat.kind == "private":
            return Member(user).payload()
        if chat.kind == "channel" and not (chat.bot and chat.bot.is_admin) and user is not self.world.bot:
            raise bad("CHAT_ADMIN_REQUIRED")
        return chat.member(user).payload()

    async def admins(self, call: Call) -> Any:
        """Answer with the administrators, without other bots."""
        chat = self._seen(call)
        if chat.kind == "private":
            raise bad("there are no administrators in the private chat")
        found = [one for one in chat.members.values() if one.is_admin]
        return [one.payload() for one in found if not one.user.is_bot or one.user is self.world.bot]

    async def count(self, call: Call) -> Any:
        """Answer with the number of members."""
        return sum(one.inside for one in self._seen(call).members.values())

    async def leave(self, call: Call) -> Any:
        """Let the bot leave."""
        chat = in_chat(self.world, call["chat_id"])
        if chat.user:
            raise bad("chat member status can't be changed in private chats")
        place = own_place(chat)
        old = place.payload()
        place.status = "left"
        self.world.member_changed(chat, self.world.bot, old, place)
        if chat.is_group:
            self.world.service(chat, self.world.bot, left_chat_member=self.world.bot.payload())
        return True

    def _other(self, call: Call, right: str, wanted: str) -> tuple[Chat, Member]:
        chat = in_chat(self.world, call["chat_id"])
        if chat.user:
            raise bad("chat member status can't be changed in private chats")
        place, user = own_place(chat), self._user(chat, call["user_id"])
        if chat.kind == "group" and wanted == "restrict":
            raise bad("method is available only for supergroups")
        if not place.may(right):
            raise bad("not enough rights to restrict/unrestrict chat member")
        member = chat.members.get(user.id) or Member(user, "left")
        if member.status == "creator":
            raise bad("can't remove chat owner")
        if member.status == "administrator":
            raise bad("user is an administrator of the chat")
        if user is self.world.bot:
            raise bad("can't restrict self")
        chat.members[user.id] = member
        return chat, member

    async def restrict(self, call: Call) -> Any:
        """Take permissions from somebody, or give them back."""
        chat, member = self._other(call, "can_restrict_members", "restrict")
        given: JSON = dict(call["permissions"])
        if not call.get("use_independent_chat_permissions"):
            if given.get("can_send_other_messages") or given.get("can_add_web_page_previews"):
                given |= dict.fromkeys(_IMPLIED, True)
            given["can_send_messages"] = bool(given.get("can_send_messages") or given.get("can_send_polls"))
        old = member.payload()
        inside = member.inside
        member.permissions = {right: bool(given.get(right)) for right in PERMISSIONS}
        member.until = int(call.get("until_date", 0))
        full = all(member.permissions[right] or not chat.permissions.get(right) for right in PERMISSIONS)
        member.status = ("member" if inside else "left") if full else "restricted"
        member.is_member = inside
        self.world.member_changed(chat, self.world.bot, old, member)
        return True

    async def ban(self, call: Call) -> Any:
        """Remove somebody for good or for some time."""
        chat, member = self._other(call, "can_restrict_members", "ban")
        old, inside = member.payload(), member.inside
        member.status, member.until = "kicked", int(call.get("until_date", 0))
        if call.get("revoke_messages"):
            for id in [id for id, one in chat.messages.items() if one.author is member.user]:
                del chat.messages[id]
        self.world.member_changed(chat, self.world.bot, old, member)
        if inside:
            self.world.service(chat, self.world.bot, left_chat_member=member.user.payload())
        return True

    async def unban(self, call: Call) -> Any:
        """Let somebody come back; unless told otherwise, this removes a member."""
        chat, member = self._other(call, "can_restrict_members", "unban")
        old = member.payload()
        if member.status == "kicked" or not call.get("only_if_banned"):
            member.status = "left"
        self.world.member_changed(chat, self.world.bot, old, member)
        return True

    async def file(self, call: Call) -> Any:
        """Answer with where a file can be fetched."""
        file = self.world.files.get(str(call["file_id"]))
        if file is None:
            raise bad("invalid file_id")
        return file.payload(file_path=file.path)
