"""Interactions: what became of each, the callback and the webhook that answer them, and the answer as people see it."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

from localdiscord.channels import apply, check, invalid
from localdiscord.messages import COMPONENTS_V2, EPHEMERAL, LOADING, Message
from localdiscord.rest import Call, Refusal, Rest
from localdiscord.rules import check_modal
from localdiscord.state import JSON, Channel, User
from localdiscord.world import World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
_ANSWER_WITHIN, _VALID_FOR = 3.0, 900.0


class Answer:
    """What the bot answered to an interaction, as the person sees it now; later edits and follow-ups change it."""

    def __init__(self, user: User, channel: Channel) -> None:
        self.user, self.channel = user, channel
        self.messages: list[Message] = []
        self.modal: JSON | None = None
        self.choices: list[JSON] = []
        self.deferred = False
        self.updated = False
        self.ack_seconds: float | None = None
        self.interaction: Interaction | None = None

    def __repr__(self) -> str:
        return f"<Answer {self.text!r} ephemeral={self.ephemeral} modal={self.modal and self.modal.get('title')}>"

    @property
    def shown(self) -> list[Message]:
        """The messages of this answer that are still there."""
        return [message for message in self.messages if not message.deleted]

    @property
    def message(self) -> Message:
        """The newest message of this answer."""
        return self.shown[-1]

    @property
    def ephemeral(self) -> bool:
        """Whether only the person sees it: all messages of it."""
        return bool(self.messages) and all(message.ephemeral for message in self.messages)

    @property
    def content(self) -> str:
        """The contents of its messages."""
        return "\n".join(message.content for message in self.shown if message.content)

    @property
    def embeds(self) -> list[JSON]:
        """The embeds of its messages."""
        return [embed for message in self.shown for embed in message.embeds]

    @property
    def components(self) -> list[JSON]:
        """The components of its messages."""
        return [component for message in self.shown for component in message.components]

    @property
    def files(self) -> dict[str, bytes]:
        """The files of its messages by name."""
        return {name: data for message in self.shown for name, data in message.files.items()}

    @property
    def buttons(self) -> list[str]:
        """The labels of its buttons."""
        return [label for message in self.shown for label in message.buttons]

    @property
    def text(self) -> str:
        """All visible words of its messages."""
        return "\n".join(message.text for message in self.shown if message.text)


class Interaction:
    """One interaction from being sent to the end of its token."""

    def __init__(
        self, world: World, kind: int, user: User, channel: Channel, data: JSON, source: Message | None, name: str = ""
    ) -> None:
        self.id, self.token = world.new_id(), secrets.token_urlsafe(60)
        self.world, self.kind, self.user, self.channel, self.data = world, kind, user, channel, data
        self.source, self.name = source, name
        self.sent_at = time.monotonic()
        self.callback: int | None = None
        self.original: Message | None = None
        self.followups: dict[str, Message] = {}
        self.answer = Answer(user, channel)
        self.answer.interaction = self
        self.settled = asyncio.Event()
        self.acknowledged = asyncio.Event()
        self.owners: JSON = {}
        self.triggered_by: JSON | None = None

    def metadata(self) -> JSON:
        """Return what a message says about the interaction that it answers."""
        made: JSON = {"id": self.id, "type": self.kind, "user": self.user.payload()}
        made["authorizing_integration_owners"] = self.owners
        if self.kind == COMPONENT and self.source:
            made["interacted_message_id"] = self.source.id
        elif self.kind == MODAL and self.triggered_by:
            made["triggering_interaction_metadata"] = self.triggered_by
        elif self.kind == COMMAND and self.data.get("type") == 3:
            made["target_message_id"] = self.data["target_id"]
        elif self.kind == COMMAND and self.data.get("type") == 2:
            made["target_user"] = self.world.users[self.data["target_id"]].payload()
        return made

    def new_message(self, flags: int) -> Message:
        """Make a message of the bot that answers this interaction, not yet sent."""
        world = self.world
        made = Message(world.new_id(), self.channel, world.bot, "", world.now(), flags=flags)
        made.webhook_id, made.interaction = world.app_id, self.metadata()
        if self.kind == COMMAND:
            made.type = 20 if self.data.get("type", 1) == 1 else 23
        elif self.kind == COMPONENT and self.source and not self.source.ephemeral:
            made.type, made.reply_to = 19, self.source
        return made

    def show(self, message: Message) -> None:
        """Put a new message where people see it."""
        if not message.ephemeral:
            self.channel.messages[message.id] = message
        self.answer.messages.append(message)
        message.tell("MESSAGE_CREATE")


class Interactions:
    """The routes of callbacks and of the webhooks that follow."""

    def __init__(self, world: World, rest: Rest) -> None:
        self.world = world
        self.all: dict[str, Interaction] = {}
        self.tokens: dict[str, Interaction] = {}
        one = "/webhooks/{webhook_id}/{webhook_token}"
        rest.add("POST", "/interactions/{interaction_id}/{interaction_token}/callback", self.callback, open=True)
        rest.add("POST", one, self.follow_up, open=True)
        for path in (one + "/messages/@original", one + "/messages/{message_id}"):
            rest.add("GET", path, self.get, open=True)
            rest.add("PATCH", path, self.edit, open=True)
            rest.add("DELETE", path, self.delete, open=True)

    def keep(self, interaction: Interaction) -> None:
        """Take note of an interaction that is about to be sent."""
        self.all[interaction.id] = self.tokens[interaction.token] = interaction

    async def callback(self, call: Call) -> Any:
        """Take the first answer to an interaction."""
        interaction, kind = self.all.get(call["interaction_id"]), call.body.get("type")
        if interaction is None or interaction.token != call["interaction_token"]:
            raise Refusal(404, 10062, "Unknown interaction")
        took = time.monotonic() - interaction.sent_at
        if took > _ANSWER_WITHIN:
            self.world.complain(f"an interaction was answered after {took:.1f} s; Discord waits for 3 s")
            raise Refusal(404, 10062, "Unknown interaction")
        if interaction.callback is not None:
            raise Refusal(400, 40060, "Interaction has already been acknowledged.")
        data: JSON = call.body.get("data") or {}
        self._check(interaction, kind, data, call)
        interaction.callback = kind
        interaction.answer.ack_seconds = took
        self._perform(interaction, int(kind or 0), data, call)
        interaction.acknowledged.set()
        if kind not in (5, 6):
            interaction.settled.set()
        if call.query.get("with_response", "false").lower() not in ("1", "true"):
            return None
        return self._response(interaction, int(kind or 0))

    def _check(self, interaction: Interaction, kind: int | None, data: JSON, call: Call) -> None:
        on_message = interaction.kind == COMPONENT or (interaction.kind == MODAL and interaction.source)
        allowed = [4, 5, 6, 7] if on_message else [4, 5]
        if interaction.kind != MODAL:
            allowed.append(9)
        if interaction.kind == AUTOCOMPLETE:
            allowed = [8]
        if kind not in allowed:
            raise invalid([("type", "BASE_TYPE_CHOICES", f"Value must be one of {allowed}.")])
        if kind == 4:
            check(data, call.files, 0)
        elif kind == 7 and interaction.source:
            check(data, call.files, interaction.source.flags, interaction.source)
        elif kind == 9:
            problems = check_modal(data)
            if problems:
                raise invalid(problems)
        elif kind == 8 and len(data.get("choices") or []) > 25:
            raise invalid([("data.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")])

    def _perform(self, interaction: Interaction, kind: int, data: JSON, call: Call) -> None:
        answer = interaction.answer
        flags = int(data.get("flags") or 0) & (EPHEMERAL | COMPONENTS_V2)
        if kind in (4, 5):
            interaction.original = interaction.new_message(flags | (LOADING if kind == 5 else 0))
            answer.deferred = kind == 5
            if kind == 4:
                apply(interaction.original, {"content": ""} | data, call.files)
            interaction.show(interaction.original)
        elif kind in (6, 7):
            interaction.original = interaction.source
            answer.deferred = kind == 6
            if kind == 7 and interaction.source:
                self._change(interaction, interaction.source, data, call)
        elif kind == 9:
            answer.modal = data
        elif kind == 8:
            answer.choices = list(data.get("choices") or [])

    def _change(self, interaction: Interaction, message: Message, body: JSON, call: Call) -> None:
        was_loading = bool(message.flags & LOADING)
        message.flags &= ~LOADING
        apply(message, body, call.files)
        if not was_loading:
            message.edited = self.world.now()
        if message is interaction.source:
            interaction.answer.updated = True
        if message not in interaction.answer.messages:
            interaction.answer.messages.append(message)
        message.tell("MESSAGE_UPDATE")
        interaction.settled.set()

    def _response(self, interaction: Interaction, kind: int) -> JSON:
        about: JSON = {"id": interaction.id, "type": interaction.kind}
        message = interaction.original
        if message is None:
            return {"interaction": about}
        about |= {"response_message_id": message.id, "response_message_ephemeral": message.ephemeral}
        about["response_message_loading"] = bool(message.flags & LOADING)
        if kind in (5, 6):
            return {"interaction": about}
        return {"interaction": about, "resource": {"type": kind, "message": message.payload()}}

    def _of_token(self, call: Call) -> Interaction:
        interaction = self.tokens.get(call["webhook_token"])
        if interaction is None or call["webhook_id"] != self.world.app_id:
            raise Refusal(404, 10015, "Unknown Webhook")
        if time.monotonic() - interaction.sent_at > _VALID_FOR:
            raise Refusal(401, 50027, "Invalid Webhook Token")
        if interaction.callback is None:
            raise Refusal(404, 10015, "Unknown Webhook")
        return interaction

    def _message(self, call: Call) -> tuple[Interaction, Message]:
        interaction, id = self._of_token(call), call.params.get("message_id", "@original")
        original = interaction.original
        message = original if original and id in ("@original", original.id) else interaction.followups.get(id)
        if message is None or message.deleted:
            raise Refusal(404, 10008, "Unknown Message")
        return interaction, message

    async def follow_up(self, call: Call) -> Any:
        """Take a further answer, or the one that was deferred."""
        interaction = self._of_token(call)
        original = interaction.original
        if original and original.flags & LOADING and not original.deleted:
            check(call.body, call.files, original.flags)
            self._change(interaction, original, {"content": ""} | call.body, call)
            return original.payload()
        check(call.body, call.files, 0)
        made = interaction.new_message(int(call.body.get("flags") or 0) & (EPHEMERAL | COMPONENTS_V2))
        if original:
            made.type, made.reply_to = 19, original
        apply(made, {"content": ""} | call.body, call.files)
        interaction.followups[made.id] = made
        interaction.show(made)
        interaction.settled.set()
        return made.payload()

    async def get(self, call: Call) -> Any:
        """Answer with one of the messages that answered."""
        return self._message(call)[1].payload()

    async def edit(self, call: Call) -> Any:
        """Edit one of the messages that answered."""
        interaction, message = self._message(call)
        check(call.body, call.files, message.flags, message)
        self._change(interaction, message, call.body, call)
        return message.payload()

    async def delete(self, call: Call) -> None:
        """Delete one of the messages that answered."""
        interaction, message = self._message(call)
        message.delete()
        interaction.settled.set()
