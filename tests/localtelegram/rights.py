"""What members of chats may do, and how Telegram shows a membership."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localtelegram.entities import JSON

if TYPE_CHECKING:
    from localtelegram.state import User

ADMIN = (
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
)
IN_GROUPS = ("can_pin_messages", "can_manage_topics")
IN_CHANNELS = ("can_post_messages", "can_edit_messages")
NOT_BY_DEFAULT = ("can_promote_members", "can_post_stories", "can_edit_stories", "can_delete_stories")
SENDING = (
    "can_send_messages",
    "can_send_audios",
    "can_send_documents",
    "can_send_photos",
    "can_send_videos",
    "can_send_video_notes",
    "can_send_voice_notes",
    "can_send_polls",
    "can_send_other_messages",
    "can_add_web_page_previews",
    "can_react_to_messages",
    "can_edit_tag",
)
PERMISSIONS = (*SENDING, "can_change_info", "can_invite_users", "can_pin_messages", "can_manage_topics")


def administrator(kind: str, given: dict[str, bool]) -> JSON:
    """Return the rights of an administrator, by default those that Telegram's apps offer."""
    known = (*ADMIN, *(IN_CHANNELS if kind == "channel" else IN_GROUPS))
    wrong = set(given) - set(known)
    assert not wrong, f"a {kind} has no {', '.join(sorted(wrong))}"
    made = {right: given.get(right, right not in NOT_BY_DEFAULT) for right in known}
    return made | {"can_manage_chat": True}


@dataclass
class Member:
    """Somebody's place in a chat."""

    user: User
    status: str = "member"
    rights: JSON = field(default_factory=dict)
    permissions: JSON = field(default_factory=dict)
    anonymous: bool = False
    until: int = 0
    title: str | None = None
    is_member: bool = True

    @property
    def inside(self) -> bool:
        """Whether the person is in the chat now."""
        return self.status in ("creator", "administrator", "member") or (self.status == "restricted" and self.is_member)

    @property
    def is_admin(self) -> bool:
        """Whether the person administers the chat."""
        return self.status in ("creator", "administrator")

    def may(self, right: str) -> bool:
        """Say whether an administrator has a right."""
        return self.status == "creator" or (self.status == "administrator" and bool(self.rights.get(right)))

    def payload(self, *, can_be_edited: bool = False) -> JSON:
        """Return the ChatMember object."""
        made: JSON = {"status": self.status, "user": self.user.payload()}
        if self.status == "creator":
            made["is_anonymous"] = self.anonymous
        elif self.status == "administrator":
            made |= {"can_be_edited": can_be_edited, "is_anonymous": self.anonymous} | self.rights
        elif self.status == "restricted":
            allowed = {right: bool(self.permissions.get(right)) for right in PERMISSIONS}
            made |= allowed | {"is_member": self.is_member, "until_date": self.until}
        elif self.status == "kicked":
            made["until_date"] = self.until
        if self.title and self.is_admin:
            made["custom_title"] = self.title
        return made
