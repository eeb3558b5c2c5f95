"""The buttons that carry their purpose in their id, so that they work after a restart."""

from __future__ import annotations

import re
from typing import Any, Self

import discord

from bot.moderation import RefusedError
from bot.platforms.discord_bot import answers, case_buttons, people, setup
from bot.platforms.discord_bot.answers import Interaction
from bot.platforms.discord_bot.forms import FORM
from bot.platforms.discord_bot.markup import BUTTON


async def _unknown(_interaction: Interaction, _of: str) -> None:
    raise RefusedError("this button is from another version of Haven")


_HANDLERS = people.BUTTONS | case_buttons.BUTTONS | setup.BUTTONS
_List = discord.ui.Select[Any] | discord.ui.RoleSelect[Any] | discord.ui.ChannelSelect[Any]


_FORMS = {"note": case_buttons.keep_note, "days": setup.keep_days}


async def submitted(interaction: Interaction) -> None:
    """Take what was written into a form of Haven's."""
    data: dict[str, Any] = dict(interaction.data or {})
    found = FORM.fullmatch(str(data.get("custom_id")))
    handler = _FORMS.get(found["act"], _unknown) if found else _unknown
    await answers.attempt(interaction, handler(interaction, (found and found["of"]) or ""))


class HavenButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"haven:.*"):
    """Any button of Haven's; one with an id that this version does not write is answered, too."""

    def __init__(self, button: discord.ui.Button[Any], act: str, of: str) -> None:
        super().__init__(button)
        self._act = act
        self._of = of

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Return the button that was pressed."""
        if not isinstance(item, discord.ui.Button):
            raise TypeError("only buttons have such an id")
        known = BUTTON.fullmatch(match.string)
        return cls(item, known["act"] if known else "", (known and known["of"]) or "")

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do what the button says."""
        handler = _HANDLERS.get(self._act, _unknown)
        await answers.attempt(interaction, handler(interaction, self._of))


class HavenSelect(discord.ui.DynamicItem[discord.ui.UserSelect[Any]], template=case_buttons.WHOM):
    """The list of members out of which a moderator picks whom to write to."""

    def __init__(self, select: discord.ui.UserSelect[Any], case: str) -> None:
        super().__init__(select)
        self._case = case

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Return the list that was chosen from."""
        if not isinstance(item, discord.ui.UserSelect):
            raise TypeError("only lists of members have such an id")
        return cls(item, match["case"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Write to the member who was picked."""
        await answers.attempt(interaction, case_buttons.advise_picked(interaction, self._case, self.item.values))


class HavenSetting(discord.ui.DynamicItem[_List], template=setup.SETTING):
    """A list in the form of /setup."""

    def __init__(self, select: _List, key: str) -> None:
        super().__init__(select)
        self._key = key

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Return the list that was chosen from."""
        if not isinstance(item, discord.ui.Select | discord.ui.RoleSelect | discord.ui.ChannelSelect):
            raise TypeError("only lists have such an id")
        return cls(item, match["key"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Keep what was chosen."""
        values = [value if isinstance(value, str) else str(value.id) for value in self.item.values]
        await answers.attempt(interaction, setup.chosen(interaction, self._key, values))
