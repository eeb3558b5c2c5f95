"""The connection to Discord: messages go to the inbox, requests to those who answer them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import aiohttp
import discord
import yarl
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.config import TOKEN_VARIABLES, DiscordSettings
from bot.parts import Parts
from bot.platforms.checkup import Seen
from bot.platforms.discord_bot import answers, moderators, people
from bot.platforms.discord_bot.buttons import HavenButton, HavenSelect, HavenSetting, submitted
from bot.platforms.discord_bot.channels import WANTED
from bot.platforms.discord_bot.doctor import INTENT_OFF
from bot.platforms.discord_bot.reading import NAME, to_message
from bot.platforms.discord_bot.turns import Turns
from classifiers.errors import InputError

log = logging.getLogger(__name__)

_SERVERS_SECONDS = 2.0  # without news of another server, until all are known
_COMMANDS_SECONDS = 10.0  # until messages are read although the commands could not be published yet
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 300.0
_AGAIN_SECONDS = 0.1
_LONGEST_LIMIT = 30.0  # what Discord asks to wait for longer than that is left to those who asked
REFUSED = (
    f"discord: the token was refused: put the bot's token into {TOKEN_VARIABLES[NAME]} (Developer Portal, Bot,"
    " Reset Token)"
)


discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nobody needs to know that Haven has no voice


class HavenClient(commands.AutoShardedBot):
    """discord.py's client with as little state as Haven needs: no message cache, no member list."""

    def __init__(self, settings: DiscordSettings, parts: Parts) -> None:
        super().__init__(
            command_prefix=(),
            help_command=None,
            intents=_intents(settings),
            max_messages=None,
            chunk_guilds_at_startup=False,
            guild_ready_timeout=_SERVERS_SECONDS,
            max_ratelimit_timeout=_LONGEST_LIMIT,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.parts = parts
        self.settings = settings
        self.asked, self.written = Turns(), Turns()  # with commands and buttons; in private messages
        self._seen = Seen(parts)
        self._leaving = False
        self._lost: set[int] = set()
        if settings.api_url:
            Route.BASE = settings.api_url
        if settings.gateway_url:
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(settings.gateway_url)
        self.add_dynamic_items(HavenButton, HavenSelect, HavenSetting)
        for command in (*people.COMMANDS, *moderators.COMMANDS):
            self.tree.add_command(command)
        self.tree.error(answers.failed)

    async def serve(self, token: str) -> None:
        """Stay connected until cancelled; InputError for a refused token or a missing intent."""
        try:
            await self._insist("log in", lambda: self._log_in(token))
            publishing = asyncio.create_task(self._insist("publish the commands", self.tree.sync))
            try:
                await asyncio.wait((publishing,), timeout=_COMMANDS_SECONDS)
                await self._stay_connected()
            finally:
                publishing.cancel()
        except discord.LoginFailure:
            raise InputError(REFUSED) from None
        except discord.PrivilegedIntentsRequired:
            raise InputError(f"discord: {INTENT_OFF}") from None
        except discord.ConnectionClosed as closed:
            raise InputError(REFUSED if closed.code == 4004 else f"discord: closed with code {closed.code}") from None

    async def _stay_connected(self) -> None:
        """Be connected until cancelled, and leave the gateway: nothing is taken in then, but requests can be made."""
        connecting = asyncio.create_task(self.connect())
        try:
            await asyncio.wait((connecting,))
        finally:
            while not connecting.done():  # the library swallows a cancellation while it reconnects
                connecting.cancel()
                await asyncio.wait((connecting,), timeout=_AGAIN_SECONDS)
            self._leaving = True
            for shard in self.shards.values():
                await shard.disconnect()
        connecting.result()

    @property
    def connected(self) -> bool:
        """Whether Discord has told of its servers and every shard has its connection."""
        return self.is_ready() and not self._lost

    def locale_of(self, interaction: discord.Interaction) -> str:
        """Return the locale of the advice where somebody asks for it."""
        return self.parts.policies.of(str(interaction.guild_id or NAME)).locale

    async def launch_shards(self) -> None:
        """Connect, as often as it takes."""
        await self._insist("connect", super().launch_shards)

    async def launch_shard(self, gateway: yarl.URL, shard_id: int, *, initial: bool = False) -> None:
        """Connect a shard, by the gateway of the settings if they name one."""
        own = self.settings.gateway_url
        await super().launch_shard(yarl.URL(own) if own else gateway, shard_id, initial=initial)

    async def on_ready(self) -> None:
        """Say that the connection stands, and in which mode."""
        mode = "reading messages" if self.settings.read_messages else "checking on request only (read_messages = false)"
        log.info("discord: connected as %s to %d servers, %s", self.user, len(self.guilds), mode)
        if not self.guilds and self.application_id:
            log.info("discord: invite it with %s", invitation(self.application_id))
        await self._leave_lost_servers()

    async def on_shard_disconnect(self, shard_id: int) -> None:
        """Say that a connection broke; discord.py resumes it."""
        self._lost.add(shard_id)
        if not self._leaving:
            log.warning("discord: shard %d lost its connection, resuming", shard_id)

    async def on_shard_ready(self, shard_id: int) -> None:
        """Note a connection that was begun anew."""
        self._lost.discard(shard_id)

    async def on_shard_resumed(self, shard_id: int) -> None:
        """Say that nothing was missed."""
        self._lost.discard(shard_id)
        log.info("discord: shard %d resumed", shard_id)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Say where somebody has to run /setup."""
        log.info("discord: added to server %d; it is only observed until /setup names an alert channel", guild.id)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Forget a server that Haven was taken out of."""
        await self._leave(guild.id)

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Take forms; the library hands everything else to commands and buttons itself."""
        if interaction.type is discord.InteractionType.modal_submit:
            await submitted(interaction)

    async def on_message(self, message: discord.Message) -> None:
        """Read what a member writes; answer what is written to Haven in private."""
        if isinstance(message.channel, discord.DMChannel):  # not: without a guild, which may only be unknown yet
            await people.answer_direct_message(self, message)
        else:
            await self._take(message)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Read an edit anew; what only gained a preview of a link was read before."""
        if event.message.guild and event.message.edited_at:
            await self._take(event.message)

    async def on_error(self, event_method: str, /, *_args: Any, **_kwargs: Any) -> None:
        """Log one line; what was being read stays out of it."""
        log.exception("discord: %s failed", event_method)

    async def _take(self, message: discord.Message) -> None:
        if not self.settings.read_messages or message.guild is None:
            return
        translated = to_message(message)
        if translated is None:
            return
        policy = self.parts.policies.of(translated.space)
        if not {*policy.skipped, policy.alert_channel}.isdisjoint(_places(message.channel)):
            return
        await self.parts.inbox.put(translated)
        await self._seen.note(translated.space)

    async def _leave_lost_servers(self) -> None:
        """Forget the servers that removed Haven while it was off; where all did, this may be another bot's database."""
        known = [int(space) for space in await asyncio.to_thread(self.parts.spaces) if space.isdecimal()]
        lost = [id for id in known if self.get_guild(id) is None]
        if lost and len(lost) == len(known):
            log.warning("discord: in none of the servers that the database knows, so nothing of them is erased")
            return
        for id in lost:
            with suppress(discord.HTTPException, aiohttp.ClientError, OSError):  # the next start asks again
                try:
                    await self.fetch_guild(id, with_counts=False)
                except (discord.NotFound, discord.Forbidden):
                    await self._leave(id)

    async def _leave(self, id: int) -> None:
        await self.parts.inbox.caught_up()  # what was read of it before would be kept after
        await asyncio.to_thread(self.parts.leave, str(id))
        log.info("discord: removed from server %d; what was kept of it is erased", id)

    async def _log_in(self, token: str) -> None:
        if self.http.connector is not discord.utils.MISSING:  # an attempt failed, whose connections are left
            await self.http.close()
            self.http.connector = discord.utils.MISSING
        await self.login(token)

    async def _insist(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do it, as often as it takes while Discord cannot be reached or makes Haven wait."""
        wait = _FIRST_WAIT
        while True:
            try:
                await work()
            except discord.ClientException:
                raise  # a refusal, such as that of a token
            except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
                pause = max(wait, error.retry_after if isinstance(error, discord.RateLimited) else 0.0)
                log.warning("discord: cannot %s (%s), again in %.0f s", what, type(error).__name__, pause)
                await asyncio.sleep(pause)
                wait = min(_LONGEST_WAIT, wait * 2)
            else:
                return


def invitation(application_id: int) -> str:
    """Return the link that adds Haven to a server with the rights that it and its buttons need."""
    return discord.utils.oauth_url(application_id, permissions=WANTED, scopes=("bot", "applications.commands"))


def _intents(settings: DiscordSettings) -> discord.Intents:
    intents = discord.Intents(guilds=True, dm_messages=True)
    intents.guild_messages = intents.message_content = settings.read_messages
    return intents


def _places(channel: discord.abc.MessageableChannel) -> Iterator[str]:
    """Yield the ids by which a channel may be left out: its own, that of its parent and of its category."""
    yield str(channel.id)
    above = channel.parent if isinstance(channel, discord.Thread) else channel
    for id in (getattr(channel, "parent_id", None), getattr(above, "category_id", None)):
        if id:
            yield str(id)
