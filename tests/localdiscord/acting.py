"""What people do on this Discord through the bot's commands and components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localdiscord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Answer
from localdiscord.invoking import Invoking, Resolved
from localdiscord.messages import Message
from localdiscord.permissions import Permission
from localdiscord.state import JSON, Channel, User
from localdiscord.world import World


class Acting:
    """Commands, buttons, menus and modals, each answered by the bot."""

    people: Invoking
    owner: User

    def __init__(self, world: World) -> None:
        self.world = world

    def _place(self, user: User, where: Channel | str | None) -> Channel:
        if isinstance(where, Channel):
            return where
        assert where in (None, "private", "group"), where
        return self.world.group(user, self.owner) if where == "group" else self.world.dm(user)

    async def slash(
        self,
        user: User,
        name: str,
        options: Mapping[str, Any] | None = None,
        where: Channel | str | None = None,
        *,
        final: bool = True,
    ) -> Answer:
        """Use a slash command, `"protect on"` for a subcommand; values may be users, roles and channels."""
        command, *path = name.split()
        channel = self._place(user, where)
        found = self.people.command(1, command, channel, user)
        data = self.people.command_data(found, path, options or {}, Resolved(channel, user))
        return await self.people.send(self.people.new(COMMAND, user, channel, data), final=final)

    async def complete(
        self, user: User, name: str, option: str, typed: str, where: Channel | str | None = None
    ) -> Answer:
        """Type into an option with autocompletion; the answer has `choices`."""
        channel = self._place(user, where)
        found = self.people.command(1, name, channel, user)
        focused = {"name": option, "type": 3, "value": typed, "focused": True}
        data = {"id": found["id"], "name": name, "type": 1, "options": [focused]}
        return await self.people.send(self.people.new(AUTOCOMPLETE, user, channel, data))

    async def menu(
        self, user: User, name: str, target: Message | User, where: Channel | str | None = None, *, final: bool = True
    ) -> Answer:
        """Use a command of the context menu of a message or an account."""
        channel = target.channel if isinstance(target, Message) and where is None else self._place(user, where)
        found = self.people.command(3 if isinstance(target, Message) else 2, name, channel, user)
        resolved = Resolved(channel, user)
        data: JSON = {"id": found["id"], "name": name, "type": found["type"], "target_id": resolved.add(target)}
        data["resolved"] = resolved.found
        return await self.people.send(self.people.new(COMMAND, user, channel, data), final=final)

    async def press(self, user: User, where: Message | Answer, button: str, *, final: bool = True) -> Answer:
        """Press a button, named by its label or custom id."""
        message, component = self.people.find(where, button, (2,))
        return await self._use(user, where, message, component, {}, final)

    async def choose(
        self, user: User, where: Message | Answer, menu: str, values: Sequence[Any], *, final: bool = True
    ) -> Answer:
        """Choose in a select menu, named by its custom id or placeholder."""
        message, component = self.people.find(where, menu, (3, 5, 6, 7, 8))
        resolved = Resolved(message.channel, user)
        data: JSON = {"values": self.people.chosen(component, values, resolved)}
        if resolved.found:
            data["resolved"] = resolved.found
        return await self._use(user, where, message, component, data, final)

    async def _use(
        self, user: User, where: Message | Answer, message: Message, component: JSON, data: JSON, final: bool
    ) -> Answer:
        if isinstance(where, Answer) and message.ephemeral:
            assert where.user is user, f"{user.name} does not see this message"
        guild = message.channel.guild
        if guild and not message.ephemeral:
            member = guild.members.get(user.id)
            seen = member and member.permissions(message.channel) & Permission.VIEW_CHANNEL
            assert seen, f"{user.name} does not see this message"
        data |= {"custom_id": component["custom_id"], "component_type": component["type"], "id": component["id"]}
        interaction = self.people.new(COMPONENT, user, message.channel, data, message)
        return await self.people.send(interaction, final=final)

    async def submit(self, user: User, answer: Answer, filled: Mapping[str, Any], *, final: bool = True) -> Answer:
        """Fill in a modal, its fields named by label or custom id, and send it."""
        assert answer.user is user, f"{user.name} does not see this modal"
        before = answer.interaction
        source = before.source if before else None
        data = self.people.submission(answer, filled)
        interaction = self.people.new(MODAL, user, answer.channel, data, source)
        interaction.triggered_by = before.metadata() if before else None
        return await self.people.send(interaction, final=final)
