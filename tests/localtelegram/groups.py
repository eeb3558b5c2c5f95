"""Groups and channels, and what people do in them: joining, leaving, becoming administrators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localtelegram.rights import PERMISSIONS, Member, administrator
from localtelegram.state import Chat, User


@dataclass(eq=False)
class Group(Chat):
    """A group, supergroup or channel; every change is told to the bot as Telegram would."""

    @property
    def owner(self) -> User:
        """Whoever made it."""
        return next(one.user for one in self.members.values() if one.status == "creator")

    def _change(self, user: User, status: str, by: User | None, **fields: object) -> Member:
        member = self.members.get(user.id) or Member(user, "left")
        old = member.payload()
        member.status = status
        for name, value in fields.items():
            setattr(member, name, value)
        self.members[user.id] = member
        self.world.member_changed(self, by or self.owner, old, member)
        return member

    def join(self, *users: User, by: User | None = None) -> None:
        """Let people join, by themselves or added by somebody."""
        for user in users:
            assert user is not self.world.bot, "add_bot adds the bot"
            member = self.member(user)
            assert not member.inside, f"{user.name} is in {self.title}"
            assert by or member.status != "kicked", f"{user.name} is banned from {self.title}"
            self._change(user, "member", by or user)
            if self.is_group:
                self.world.service(self, by or user, new_chat_members=[user.payload()])

    def leave(self, user: User) -> None:
        """Let somebody leave."""
        assert self.member(user).inside, f"{user.name} is not in {self.title}"
        self._change(user, "left", user)
        if self.is_group:
            self.world.service(self, user, left_chat_member=user.payload())

    def kick(self, user: User, by: User | None = None) -> None:
        """Remove and ban somebody."""
        assert self.member(user).inside, f"{user.name} is not in {self.title}"
        self._change(user, "kicked", by, until=0)
        if self.is_group:
            self.world.service(self, by or self.owner, left_chat_member=user.payload())

    def admin(self, user: User, *, anonymous: bool = False, title: str | None = None, **rights: bool) -> None:
        """Make somebody an administrator, with the usual rights but for those given."""
        if not self.member(user).inside:
            self.join(user, by=self.owner)
        given = administrator(self.kind, rights)
        self._change(user, "administrator", self.owner, rights=given, anonymous=anonymous, title=title)

    def demote(self, user: User) -> None:
        """Make an administrator an ordinary member."""
        assert self.member(user).status == "administrator", f"{user.name} does not administer {self.title}"
        self._change(user, "member", self.owner, rights={})

    def mute(self, user: User, until: int = 0) -> None:
        """Take the permission to write from somebody, the bot included."""
        permissions = dict.fromkeys(PERMISSIONS, False)
        self._change(user, "restricted", self.owner, permissions=permissions, until=until, is_member=True)

    def add_bot(self, by: User | None = None) -> None:
        """Add the bot, under the privacy mode that is set now."""
        self.privacy = self.world.privacy
        self._change(self.world.bot, "member", by)
        if self.is_group:
            self.world.service(self, by or self.owner, new_chat_members=[self.world.bot.payload()])

    def remove_bot(self, by: User | None = None) -> None:
        """Remove the bot; the service message of that is the last thing that it gets."""
        self._change(self.world.bot, "kicked", by, rights={})
        if self.is_group:
            self.world.service(self, by or self.owner, left_chat_member=self.world.bot.payload())

    def promote_bot(self, **rights: bool) -> None:
        """Make the bot an administrator, or change its rights."""
        assert self.bot is not None, "the bot was never there"
        assert self.bot.inside, "the bot is not there"
        given = administrator(self.kind, rights)
        self._change(self.world.bot, "administrator", self.owner, rights=given)

    def demote_bot(self) -> None:
        """Make the bot an ordinary member; privacy mode counts again."""
        self._change(self.world.bot, "member", self.owner, rights={})

    def topic(self, name: str, by: User | None = None) -> int:
        """Open a topic and return its thread id."""
        assert self.forum, f"{self.title} has no topics"
        id = self.last_id + 1
        self.topics[id] = name
        made = {"name": name, "icon_color": 7322096}
        more: dict[str, Any] = {"message_thread_id": id, "is_topic_message": True, "forum_topic_created": made}
        self.world.service(self, by or self.owner, **more)
        return id
