"""What people do with the bot's commands, buttons, menus and modals, as interactions on the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from localdiscord.gateway import Gateway
from localdiscord.interactions import Answer, Interaction, Interactions
from localdiscord.messages import Message, nested
from localdiscord.permissions import PRIVATE, Permission, guild_permissions
from localdiscord.state import JSON, Channel, Member, Role, User
from localdiscord.world import World

_KINDS: dict[int, tuple[type, ...]] = {
    3: (str,),
    4: (int,),
    5: (bool,),
    6: (User, Member),
    7: (Channel,),
    8: (Role,),
    9: (User, Member, Role),
    10: (int, float),
}
_RESOLVING = {5: (User, Member), 6: (Role,), 7: (User, Member, Role), 8: (Channel,)}


class Resolved:
    """The objects that ids in an interaction stand for."""

    def __init__(self, channel: Channel, user: User) -> None:
        self.channel, self.user = channel, user
        self.found: dict[str, JSON] = {}

    def add(self, thing: object) -> str:
        """Add an object, and return its id."""
        guild = self.channel.guild
        if isinstance(thing, Member):
            thing = thing.user
        if isinstance(thing, User):
            self.found.setdefault("users", {})[thing.id] = thing.payload()
            member = guild.members.get(thing.id) if guild else None
            if member:
                rights = {"permissions": str(member.permissions(self.channel))}
                self.found.setdefault("members", {})[thing.id] = member.payload(user=False) | rights
            return thing.id
        if isinstance(thing, Role):
            self.found.setdefault("roles", {})[thing.id] = thing.payload()
            return thing.id
        if isinstance(thing, Channel):
            self.found.setdefault("channels", {})[thing.id] = partial_channel(thing, self.user)
            return thing.id
        if isinstance(thing, Message):
            self.found.setdefault("messages", {})[thing.id] = thing.payload()
            return thing.id
        raise AssertionError(f"{thing!r} cannot be chosen")


def rights_of(user: User, channel: Channel) -> int:
    """Return what somebody may do in a channel of any kind."""
    member = channel.guild.members.get(user.id) if channel.guild else None
    return member.permissions(channel) if member else PRIVATE if channel.guild is None else 0


def partial_channel(channel: Channel, user: User) -> JSON:
    """Return a channel as interactions have it."""
    made = {key: value for key, value in channel.payload().items() if key != "permission_overwrites"}
    return made | {"permissions": str(rights_of(user, channel))} if channel.guild else made


class Invoking:
    """Builds and sends interactions and waits for what the bot answers."""

    def __init__(
        self, world: World, gateway: Gateway, interactions: Interactions, commands: dict[str | None, list[JSON]]
    ) -> None:
        self.world, self.gateway, self.interactions, self.commands = world, gateway, interactions, commands
        self.patience = 10.0

    def command(self, kind: int, name: str, channel: Channel, user: User) -> JSON:
        """Return the registered command that somebody is offered in a channel."""
        guild_id = channel.guild.id if channel.guild else None
        of_guild = self.commands.get(guild_id, []) if guild_id else []
        found = [one for one in [*of_guild, *self.commands[None]] if (one["type"], one["name"]) == (kind, name)]
        known = [one["name"] for one in self.commands[None] if one["type"] == kind]
        assert found, f"no command {name!r} is registered; there are {known}"
        command = found[0]
        context = 0 if channel.guild else 1 if channel.with_bot else 2
        contexts = command["contexts"]
        offered = context in contexts if contexts is not None else context == 0 or bool(command["dm_permission"])
        if context == 2 or (channel.guild and not channel.guild.bot):
            offered = offered and 1 in command["integration_types"]
        assert offered, f"Discord does not offer {name!r} in context {context}: contexts are {contexts}"
        if channel.guild:
            self._allowed(command, channel, user)
        return command

    @staticmethod
    def _allowed(command: JSON, channel: Channel, user: User) -> None:
        member = channel.guild.members.get(user.id) if channel.guild else None
        assert member, f"{user.name} is not in the guild"
        here = member.permissions(channel)
        assert here & Permission.VIEW_CHANNEL, f"{user.name} does not see {channel.name!r}"
        assert here & Permission.USE_APPLICATION_COMMANDS, f"{user.name} may not use commands in {channel.name!r}"
        needed = command["default_member_permissions"]
        if needed is not None:
            lacking = int(needed) & ~guild_permissions(member) if int(needed) else ~guild_permissions(member) & 8
            assert not lacking, f"Discord does not offer {command['name']!r} to {user.name}: it is for moderators"

    def options(self, offered: Sequence[JSON], given: Mapping[str, Any], resolved: Resolved) -> list[JSON]:
        """Return the options of a command that somebody filled in."""
        names = {option["name"] for option in offered}
        assert set(given) <= names, f"there are only the options {sorted(names)}"
        made = []
        for option in offered:
            name, kind = option["name"], option["type"]
            if name not in given:
                assert not option.get("required"), f"Discord asks for the option {name!r}"
                continue
            value = given[name]
            fits = isinstance(value, _KINDS[kind]) and (kind == 5 or not isinstance(value, bool))
            assert fits, f"the option {name!r} does not take {value!r}"
            if option.get("choices"):
                choices = {choice["value"]: choice["name"] for choice in option["choices"]}
                value = next((key for key, shown in choices.items() if value in (key, shown)), None)
                assert value is not None, f"the option {name!r} offers {choices}"
            if kind == 3:
                most = option.get("max_length", 6000)
                assert option.get("min_length", 0) <= len(value) <= most, f"{name!r} is too short or too long"
            made.append({"name": name, "type": kind, "value": resolved.add(value) if kind in (6, 7, 8, 9) else value})
        return made

    def command_data(self, command: JSON, path: Sequence[str], given: Mapping[str, Any], resolved: Resolved) -> JSON:
        """Return the data of a slash command, with the subcommands on the way."""
        offered: list[JSON] = command.get("options", [])
        subcommands: list[JSON] = []
        for name in path:
            found = [option for option in offered if option["type"] in (1, 2) and option["name"] == name]
            assert found, f"/{command['name']} has no subcommand {name!r}"
            subcommands.append({"name": name, "type": found[0]["type"]})
            offered = found[0].get("options", [])
        assert not any(option["type"] in (1, 2) for option in offered), f"/{command['name']} needs a subcommand"
        options = self.options(offered, given, resolved)
        for subcommand in reversed(subcommands):
            options = [subcommand | {"options": options}]
        data: JSON = {"id": command["id"], "name": command["name"], "type": 1, "options": options}
        if resolved.found:
            data["resolved"] = resolved.found
        return data | {"guild_id": command["guild_id"]} if "guild_id" in command else data

    def find(self, where: Message | Answer, wanted: str, kinds: Iterable[int]) -> tuple[Message, JSON]:
        """Return the component with a custom id, a label or a placeholder, and the message it is in."""
        messages = [where] if isinstance(where, Message) else list(reversed(where.shown))
        seen: list[str] = []
        for message in messages:
            assert not message.deleted, "the message was deleted"
            for one in nested(message.components):
                if one["type"] not in kinds:
                    continue
                names = [one.get(key) for key in ("custom_id", "label", "placeholder")]
                if wanted in names:
                    assert not one.get("disabled"), f"{wanted!r} is disabled"
                    assert one.get("style") != 5, f"{wanted!r} is a link"
                    return message, one
                seen.append(str(one.get("label") or one.get("custom_id")))
        raise AssertionError(f"there is no {wanted!r} among {seen}")

    def chosen(self, component: JSON, values: Sequence[Any], resolved: Resolved) -> list[str]:
        """Return the values that somebody chose in a select menu."""
        least, most = component["min_values"], component["max_values"]
        assert least <= len(values) <= most, f"the menu takes {least} to {most} values"
        if component["type"] == 3:
            offered = {option["value"]: option["label"] for option in component["options"]}
            found = [next((key for key, label in offered.items() if value in (key, label)), None) for value in values]
            assert None not in found, f"the menu offers {offered}"
            return [str(value) for value in found]
        for value in values:
            assert isinstance(value, _RESOLVING[component["type"]]), f"the menu does not take {value!r}"
            kinds = component.get("channel_types")
            assert not kinds or getattr(value, "kind", None) in kinds, f"the menu takes channels of the kinds {kinds}"
        return [resolved.add(value) for value in values]

    def payload(self, interaction: Interaction) -> JSON:
        """Return the object of INTERACTION_CREATE."""
        world, channel, user, guild = self.world, interaction.channel, interaction.user, interaction.channel.guild
        made: JSON = {"id": interaction.id, "application_id": world.app_id, "type": interaction.kind, "version": 1}
        made |= {"data": interaction.data, "token": interaction.token, "locale": "en-US", "entitlements": []}
        made |= {"channel": partial_channel(channel, user), "channel_id": channel.id, "entitlement_sku_ids": []}
        made |= {"attachment_size_limit": 10485760, "authorizing_integration_owners": interaction.owners}
        if interaction.source:
            made["message"] = interaction.source.payload()
        if guild is None:
            made |= {"user": user.payload(), "app_permissions": str(PRIVATE)}
            return made | {"context": 1 if channel.with_bot else 2}
        member = guild.members[user.id]
        made |= {"guild_id": guild.id, "guild": {"id": guild.id, "locale": guild.locale, "features": []}}
        made["member"] = member.payload() | {"permissions": str(member.permissions(channel))}
        rights = world.bot_permissions(channel) if guild.bot else rights_of(user, channel)
        return made | {"app_permissions": str(rights), "guild_locale": guild.locale, "context": 0}

    async def send(self, interaction: Interaction, *, final: bool = True) -> Answer:
        """Send an interaction and wait for the answer: the final one, or only that it was acknowledged."""
        channel = interaction.channel
        guild = channel.guild if channel.guild and channel.guild.bot else None
        owner = guild.id if guild else "0" if channel.with_bot else None
        interaction.owners = {"0": owner} if owner else {"1": interaction.user.id}
        assert any(one.serves(guild) for one in self.gateway.sessions.values()), "no bot is connected"
        self.interactions.keep(interaction)
        before = len(self.world.complaints)
        self.gateway.emit("INTERACTION_CREATE", 0, guild, lambda session: self.payload(interaction))
        event = interaction.settled if final else interaction.acknowledged
        try:
            await asyncio.wait_for(event.wait(), self.patience)
        except TimeoutError:
            got = "was acknowledged, but never answered" if interaction.callback else "was not answered"
            new = self.world.complaints[before:]
            raise AssertionError(f"the interaction {got} within {self.patience} s; complaints: {new}") from None
        return interaction.answer

    def new(self, kind: int, user: User, channel: Channel, data: JSON, source: Message | None = None) -> Interaction:
        """Make an interaction, not yet sent."""
        return Interaction(self.world, kind, user, channel, data, source)

    def submission(self, answer: Answer, filled: Mapping[str, Any]) -> JSON:
        """Return the data of a modal that somebody filled in and sent."""
        modal = answer.modal
        assert modal, "the answer is not a modal"
        left, components = dict(filled), []
        resolved = Resolved(answer.channel, answer.user)
        for number, one in enumerate(modal["components"], 1):
            if one["type"] == 18:
                inside = self._filled(one["component"], one["label"], left, resolved) | {"id": 100 + number}
                components.append({"type": 18, "id": number, "component": inside})
            elif one["type"] == 1:
                inner = one["components"][0]
                inside = self._filled(inner, inner["label"], left, resolved) | {"id": 100 + number}
                components.append({"type": 1, "id": number, "components": [inside]})
            else:
                components.append({"type": 10, "id": number})
        assert not left, f"the modal has no {sorted(left)}"
        data: JSON = {"custom_id": modal["custom_id"], "components": components}
        return data | {"resolved": resolved.found} if resolved.found else data

    def _filled(self, component: JSON, label: str, left: dict[str, Any], resolved: Resolved) -> JSON:
        id, required = component["custom_id"], component.get("required", True)
        given = left.pop(label, left.pop(id, None))
        made: JSON = {"type": component["type"], "custom_id": id}
        if component["type"] != 4:
            whole = {"min_values": 1 if required else 0, "max_values": 1} | component
            return made | {"values": self.chosen(whole, given or [], resolved)}
        value = given if given is not None else component.get("value") or ""
        assert value or not required, f"Discord asks for {label!r}"
        least, most = component.get("min_length") or 0, component.get("max_length") or 4000
        assert not value or least <= len(value) <= most, f"{label!r} takes {least} to {most} characters"
        return made | {"value": value}
