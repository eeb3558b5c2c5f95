"""A Discord and a Telegram of one's own, on each of which somebody threatens somebody."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

from localdiscord.server import Channel, LocalDiscord
from localtelegram.server import Chat, LocalTelegram

from bot.config import TOKEN_VARIABLES

THREAT = (
    "i recorded our video call. i have your nudes and i saved all your followers",
    "send me 400 in gift cards or i send the video to your mum and your whole family",
    "you have 30 minutes. dont block me or i post it everywhere",
    "pay me now or i send your nudes to everyone you know",
)
ALERT, WARNING, EDIT = "AlertModerators", "AdviseTarget", "UpdateAlert"
_POSTS = "/channels/{channel_id}/messages"


class Place(ABC):
    """A platform with a space, its moderators' channel, Eve and Sam; `tells` is whether it knows keys."""

    name: str
    tells: bool
    token: str

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(self, *error: object) -> None: ...

    @property
    def environment(self) -> dict[str, str]:
        """The variable that holds the token."""
        return {TOKEN_VARIABLES[self.name]: self.token}

    @abstractmethod
    def settings(self) -> str:
        """Return the settings of a Haven here."""

    @abstractmethod
    async def threaten(self) -> None:
        """Let Eve threaten Sam until Haven is sure."""

    @abstractmethod
    def fail(self, effect: str, times: int, *, after: bool) -> None:
        """Cut the connection of the next requests for an effect, before or after they are done."""

    @abstractmethod
    def once_done(self, effect: str, then: Callable[[], None]) -> None:
        """Do something once the next request for an effect is done, before it is answered."""

    @abstractmethod
    def alerts(self) -> dict[str, str]:
        """Return the alerts that moderators see, by the reference that Haven has of each."""

    @abstractmethod
    def warnings(self) -> int:
        """Return how many warnings Sam got."""

    @abstractmethod
    def complaints(self) -> list[str]:
        """Return what the platform complains of, and whatever was said in public."""


class OnDiscord(Place):
    """Discord, which knows keys for some two minutes."""

    name, tells = "discord", True

    async def __aenter__(self) -> Self:
        self._discord = await LocalDiscord().__aenter__()
        self.token = self._discord.token
        self._guild = self._discord.guild("Den")
        self._eve, self._sam = self._discord.user("eve"), self._discord.user("sam")
        for user in (self._eve, self._sam):
            self._guild.join(user)
        self._general, self._mods = self._guild.channel("general"), self._guild.channel("mods", private=True)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._discord.__aexit__(*error)

    def settings(self) -> str:
        """Return the settings of a Haven here."""
        return (
            f'[discord]\napi_url = "{self._discord.api_url}"\ngateway_url = "{self._discord.gateway_url}"\n'
            f'[spaces.{self._guild.id}]\nalert_channel = "{self._mods.id}"\n'
        )

    async def threaten(self) -> None:
        """Let Eve threaten Sam until Haven is sure."""
        for line in THREAT:
            text = f"<@{self._sam.id}> {line}"
            await self._discord.write(self._general, self._eve, text, mentions=[self._sam])

    def fail(self, effect: str, times: int, *, after: bool) -> None:
        """Cut the connection of the next requests for an effect, before or after they are done."""
        self._discord.fail(*self._route(effect), times, 0, after=after, channel=self._channel(effect))

    def once_done(self, effect: str, then: Callable[[], None]) -> None:
        """Do something once the next request for an effect is done, before it is answered."""
        rest: Any = self._discord.rest
        answer = rest._answer

        async def answered(request: Any, call: Any, *how: Any) -> Any:
            found = await answer(request, call, *how)
            if (call.method, call.route) == self._route(effect) and call["channel_id"] == self._channel(effect).id:
                rest._answer = answer
                then()
            return found

        rest._answer = answered

    def alerts(self) -> dict[str, str]:
        """Return the alerts that moderators see, by the reference that Haven has of each."""
        return {
            f"{self._mods.id}/{message.id}": json.dumps(message.embeds, ensure_ascii=False)
            for message in self._discord.messages(self._mods)
            if message.embeds
        }

    def warnings(self) -> int:
        """Return how many warnings Sam got."""
        return len(self._discord.dms(self._sam))

    def complaints(self) -> list[str]:
        """Return what the platform complains of, and whatever was said in public."""
        said = [one.text for one in self._discord.messages(self._general) if one.author is self._discord.bot]
        return self._discord.complaints + said + [one.text for one in self._discord.dms(self._eve)]

    def _route(self, effect: str) -> tuple[str, str]:
        return ("PATCH", f"{_POSTS}/{{message_id}}") if effect == EDIT else ("POST", _POSTS)

    def _channel(self, effect: str) -> Channel:
        return self._discord.dm(self._sam) if effect == WARNING else self._mods


class OnTelegram(Place):
    """Telegram, which knows no keys."""

    name, tells = "telegram", False

    async def __aenter__(self) -> Self:
        self._telegram = await LocalTelegram().__aenter__()
        self.token = self._telegram.token
        owner, self._eve, self._sam = (self._telegram.user(name) for name in ("Owner", "Eve", "Sam"))
        self._group = self._telegram.group("Den", owner=owner)
        self._mods = self._telegram.group("Mods", owner=owner)
        self._group.promote_bot()
        self._group.join(self._eve, self._sam)
        self._sam.started = True
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._telegram.__aexit__(*error)

    def settings(self) -> str:
        """Return the settings of a Haven here."""
        address = self._telegram.base_url.removesuffix("/bot")
        return (
            f'[telegram]\napi_url = "{address}"\nfile_url = "{address}"\n'
            f'[spaces."{self._group.id}"]\nalert_channel = "{self._mods.id}"\n'
        )

    async def threaten(self) -> None:
        """Let Eve threaten Sam until Haven is sure."""
        for line in THREAT:
            await self._telegram.write(self._group, self._eve, f"Sam {line}", mentions=[self._sam])

    def fail(self, effect: str, times: int, *, after: bool) -> None:
        """Cut the connection of the next requests for an effect, before or after they are done."""
        self._telegram.fail(self._method(effect), times, 0, after=after, chat=self._chat(effect))

    def once_done(self, effect: str, then: Callable[[], None]) -> None:
        """Do something once the next request for an effect is done, before it is answered."""
        api: Any = self._telegram.api
        answer = api._answer

        async def answered(call: Any, record: Any) -> Any:
            found = await answer(call, record)
            if (record.method, str(record.chat_id)) == (self._method(effect), str(self._chat(effect).id)):
                api._answer = answer
                then()
            return found

        api._answer = answered

    def alerts(self) -> dict[str, str]:
        """Return the alerts that moderators see, by the reference that Haven has of each."""
        sent = self._telegram.sent(self._mods)
        return {f"{self._mods.id}/{one.id}": one.text.replace("\u200b", "") for one in sent if one.labels}

    def warnings(self) -> int:
        """Return how many warnings Sam got."""
        return len(self._telegram.privates(self._sam))

    def complaints(self) -> list[str]:
        """Return what the platform complains of, and whatever was said in public."""
        said = [*self._telegram.sent(self._group), *self._telegram.privates(self._eve)]
        return self._telegram.complaints + [one.text for one in said]

    def _method(self, effect: str) -> str:
        return "editMessageText" if effect == EDIT else "sendMessage"

    def _chat(self, effect: str) -> Chat:
        return self._sam.private if effect == WARNING else self._mods
