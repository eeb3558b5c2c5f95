"""Looks at Haven on Discord from outside, without a connection to its gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import discord
from discord.http import Route

from bot.config import DiscordSettings
from bot.platforms.checkup import Finding, unlike
from bot.platforms.discord_bot.client import REFUSED
from bot.platforms.discord_bot.doctor import examine, intent
from bot.policies import Policies
from bot.records import Records
from classifiers.errors import InputError

_LOGIN_SECONDS = 60


async def findings(
    settings: DiscordSettings, token: str, policies: Policies, records: Records
) -> AsyncIterator[tuple[str, Finding]]:
    """Yield where something was looked at and what was found; InputError when Discord does not let Haven in."""
    if settings.api_url:
        Route.BASE = settings.api_url
    reading = settings.read_messages
    async with discord.Client(intents=discord.Intents.none()) as client:
        try:
            await _log_in(client, settings, token)
            yield "discord", Finding(f"logged in as {client.user}")
            yield "discord", intent(client.application_flags, reading=reading)
            servers = [server async for server in client.fetch_guilds(limit=None, with_counts=False)]
            if not servers:
                invite = "Haven is in no server: invite it with the link that haven run shows"
                yield "discord", Finding(invite, fine=False)
            for server in servers:
                where = f"discord, server {server.name} ({server.id})"
                try:
                    guild = await _guild(client, server.id)
                except (discord.Forbidden, discord.NotFound) as error:
                    again = f"Discord does not show this server (code {error.code}): invite Haven again"
                    yield where, Finding(again, fine=False)
                    continue
                space = str(guild.id)
                for finding in examine(guild, policies.of(space), reading=reading, seen_at=records.seen_at(space)):
                    yield where, finding
        except discord.HTTPException as error:
            raise InputError(unlike("Discord", settings.api_url, str(error.status))) from None
        except (aiohttp.ClientError, OSError) as error:
            raise InputError(f"discord: cannot be reached ({type(error).__name__})") from None


async def _log_in(client: discord.Client, settings: DiscordSettings, token: str) -> None:
    try:
        async with asyncio.timeout(_LOGIN_SECONDS):
            await client.login(token)
    except (discord.LoginFailure, ValueError):  # a token with a line break fits into no request
        raise InputError(REFUSED) from None
    except (LookupError, TypeError):  # the library does not look at what it is sent
        raise InputError(unlike("Discord", settings.api_url, "no account")) from None


async def _guild(client: discord.Client, id: int) -> discord.Guild:
    """Return a server with its channels and Haven's member, as the gateway would bring it."""
    data: Any = {
        **await client.http.get_guild(id, with_counts=False),
        "channels": await client.http.get_all_guild_channels(id),
        "members": [await client.http.get_member(id, client.user.id)] if client.user else [],
    }
    return discord.Guild(data=data, state=client._connection)
