"""Discord as a platform: performs effects through the client, and says how each ended."""

from __future__ import annotations

import asyncio
import time
from typing import assert_never

import aiohttp
import discord

from bot import advice
from bot.config import DiscordSettings
from bot.effects import (
    AdviseTarget,
    Alert,
    AlertModerators,
    Delivery,
    Effect,
    Outcome,
    PageModerators,
    UpdateAlert,
)
from bot.parts import Parts
from bot.platforms.console import visible
from bot.platforms.discord_bot import alert as alerts
from bot.platforms.discord_bot.channels import alert_channel
from bot.platforms.discord_bot.client import HavenClient
from bot.platforms.discord_bot.pages import buttons, embed_of, warning_presses
from bot.platforms.discord_bot.reading import NAME
from bot.platforms.sheet import call

CANNOT_SEND, NO_MUTUAL_SERVER = 50007, 50278
HOLDING_BACK = (40003, 20026)  # opening private chats too fast; flagged by the anti-spam system
_UNKNOWN_USER = 10013
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
_OUTCOMES = {
    CANNOT_SEND: Outcome.REFUSED,
    NO_MUTUAL_SERVER: Outcome.UNREACHABLE,
    _UNKNOWN_USER: Outcome.UNREACHABLE,
}
_SHARE = 4  # of warnings_a_day, one server may use this part, so that none can silence the others
_DAY = 24 * 3600.0
_HELD_SECONDS = 600.0
_OPENING_SECONDS = 35.0  # more than the client waits by itself
_BUDGET_SECONDS = 3600.0
_CHANNEL_SECONDS = 300.0


class DiscordPlatform:
    """Writes to targets in private and to moderators in their channel, and nowhere else."""

    name = NAME
    remembers = 120.0  # "a few minutes", says Discord of its nonces

    def __init__(self, settings: DiscordSettings, token: str) -> None:
        self._settings = settings
        self._token = token
        self._client: HavenClient | None = None
        self._made = asyncio.Event()
        self._held_until = 0.0
        self._written: dict[str, tuple[float, str]] = {}

    async def read(self, parts: Parts) -> None:
        """Connect and hand over what is written until cancelled; InputError for what only an administrator can mend."""
        self._client = HavenClient(self._settings, parts)
        self._made.set()
        await self._client.serve(self._token)

    @property
    def connected(self) -> bool:
        """Whether what is written there reaches Haven now."""
        return self._client is not None and self._client.connected

    async def close(self) -> None:
        """Leave the gateway."""
        if self._client:
            await self._client.close()

    async def ready(self) -> None:
        """Return once the client has been told of its servers."""
        await self._made.wait()
        if self._client:
            await self._client.wait_until_ready()

    async def perform(self, effect: Effect, key: str) -> Delivery:
        """Do it once; Discord takes `key` as a nonce, so that an attempt whose answer was lost is not repeated."""
        client = self._client
        if client is None:
            return Delivery(Outcome.RETRY, detail="not connected yet")
        try:
            match effect:
                case AdviseTarget():
                    return await self._advise(client, effect, key)
                case AlertModerators(alert=alert):
                    return await self._alert(client, alert, key)
                case UpdateAlert(alert=alert, reference=reference):
                    return await self._update(client, alert, reference)
                case PageModerators():
                    return await self._page(client, effect, key)
                case _:
                    assert_never(effect)
        except discord.RateLimited as limited:
            return Delivery(Outcome.RETRY, detail="rate limited", retry_after=limited.retry_after)
        except aiohttp.ClientConnectorError as error:
            return Delivery(Outcome.RETRY, detail=type(error).__name__)
        except discord.HTTPException as error:
            outcome = Outcome.LOST if error.status >= _SERVER_ERROR else Outcome.RETRY
            return Delivery(outcome, detail=f"HTTP {error.status}")

    async def _advise(self, client: HavenClient, effect: AdviseTarget, key: str) -> Delivery:
        if (left := self._held_until - time.monotonic()) > 0:
            return Delivery(Outcome.HELD, detail="Discord holds private messages back", retry_after=left)
        now = client.parts.clock().timestamp()
        settled = await asyncio.to_thread(client.parts.store.warnings_since, NAME, now - _DAY)
        here = await asyncio.to_thread(client.parts.store.warnings_since, NAME, now - _DAY, effect.space)
        self._written = {one: found for one, found in self._written.items() if found[0] >= now - _DAY and one != key}
        under_way = sum(space == effect.space for _, space in self._written.values())
        if max(here, under_way) >= max(1, self._settings.warnings_a_day // _SHARE):
            return Delivery(
                Outcome.HELD, detail="this server's share of warnings_a_day is used", retry_after=_BUDGET_SECONDS
            )
        if max(settled, len(self._written)) >= self._settings.warnings_a_day:
            return Delivery(Outcome.HELD, detail="warnings_a_day is reached", retry_after=_BUDGET_SECONDS)
        self._written[key] = (
            now,
            effect.space,
        )  # from here on, so that others under way see it
        delivered = False
        try:
            delivery = await self._write(client, effect, key)
            delivered = delivery.outcome is Outcome.DELIVERED
        finally:
            if not delivered:
                self._written.pop(key, None)
        return delivery

    async def _write(self, client: HavenClient, effect: AdviseTarget, key: str) -> Delivery:
        page = advice.warning(effect.locale, kind=effect.kind, crisis=effect.crisis)
        channel = None
        try:
            async with asyncio.timeout(_OPENING_SECONDS):
                channel = await client.create_dm(discord.Object(int(effect.target.id)))
            view = buttons(warning_presses(effect.locale, effect.case))
            embed = embed_of(page)
            if guild := client.get_guild(int(effect.space)):
                embed.set_footer(text=f"Haven in {visible(guild.name)}")
            await channel.send(embed=embed, view=view, nonce=key)
        except (aiohttp.ClientError, TimeoutError, discord.DiscordServerError) as error:
            if channel is None:  # nothing was sent
                return Delivery(Outcome.RETRY, detail=type(error).__name__)
            raise
        except discord.HTTPException as error:
            if not error.code or error.status == _TOO_MANY_REQUESTS or error.status >= _SERVER_ERROR:
                raise  # nothing that Discord says of this person
            if error.code in HOLDING_BACK:
                self._held_until = time.monotonic() + _HELD_SECONDS
                return Delivery(Outcome.HELD, detail=f"code {error.code}", retry_after=_HELD_SECONDS)
            return Delivery(_OUTCOMES.get(error.code, Outcome.FAILED), detail=f"code {error.code}")
        return Delivery(Outcome.DELIVERED)

    async def _alert(self, client: HavenClient, alert: Alert, key: str) -> Delivery:
        channel = _alert_channel(client, alert.space)
        if isinstance(channel, str):
            return Delivery(Outcome.RETRY, detail=channel)
        page = _mention(alert.page)
        try:
            message = await channel.send(
                page,
                embed=alerts.embed(alert),
                view=buttons(alerts.presses(alert)),
                allowed_mentions=_pings(page),
                nonce=key,
            )
        except (discord.Forbidden, discord.NotFound) as error:
            return Delivery(Outcome.RETRY, detail=f"code {error.code}", retry_after=_CHANNEL_SECONDS)
        return Delivery(Outcome.DELIVERED, reference=f"{channel.id}/{message.id}")

    async def _update(self, client: HavenClient, alert: Alert, reference: str) -> Delivery:
        channel = _alert_channel(client, alert.space)
        if isinstance(channel, str):
            return Delivery(Outcome.RETRY, detail=channel)
        posted_in, _, message = reference.partition("/")
        if posted_in != str(channel.id):
            return Delivery(Outcome.GONE, detail="the alert channel has moved")
        try:
            await channel.get_partial_message(int(message)).edit(
                embed=alerts.embed(alert), view=buttons(alerts.presses(alert))
            )
        except discord.NotFound as error:
            return Delivery(Outcome.GONE, detail=f"code {error.code}")
        except discord.Forbidden as error:
            return Delivery(Outcome.RETRY, detail=f"code {error.code}", retry_after=_CHANNEL_SECONDS)
        return Delivery(Outcome.DELIVERED, reference=reference)

    async def _page(self, client: HavenClient, effect: PageModerators, key: str) -> Delivery:
        channel = _alert_channel(client, effect.space)
        if isinstance(channel, str):
            return Delivery(Outcome.RETRY, detail=channel)
        page = _mention(effect.role)
        posted_in, _, message = effect.reference.partition("/")
        text = " ".join(filter(None, [page, f"{call(effect.why)} (case {effect.case})"]))
        if posted_in == str(channel.id):
            text += f": {channel.get_partial_message(int(message)).jump_url}"
        try:
            await channel.send(text, allowed_mentions=_pings(page), nonce=key)
        except (discord.Forbidden, discord.NotFound) as error:
            return Delivery(Outcome.RETRY, detail=f"code {error.code}", retry_after=_CHANNEL_SECONDS)
        return Delivery(Outcome.DELIVERED)


def _alert_channel(client: HavenClient, space: str) -> discord.TextChannel | str:
    return alert_channel(client.get_guild(int(space)), client.parts.policies.of(space).alert_channel)


def _mention(role: str | None) -> str | None:
    return f"<@&{role}>" if role and role.isascii() and role.isdigit() else None


def _pings(page: str | None) -> discord.AllowedMentions:
    """Allow the one role that the space chose to be called, and nobody else."""
    roles = [discord.Object(int(page[3:-1]))] if page else False
    return discord.AllowedMentions(everyone=False, users=False, roles=roles, replied_user=False)
