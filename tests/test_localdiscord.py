"""The local Discord that the bot's tests talk to: an unmodified discord.py must find it to be like the real one."""

from __future__ import annotations

import asyncio
import io
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import yarl
from localdiscord.permissions import Permission
from localdiscord.server import Answer, Guild, LocalDiscord, Message, User, until

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # discord.py's player imports audioop
    import discord
    from discord import app_commands, ui
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

Here = discord.Interaction[discord.Client]


class Form(ui.Modal, title="A form"):
    """A modal with a labelled field and one of the older kind."""

    why = ui.Label(text="Why?", component=ui.TextInput(custom_id="why", min_length=2))  # type: ignore[var-annotated]
    more: ui.TextInput[Form] = ui.TextInput(label="More", required=False, default="nothing")

    async def on_submit(self, interaction: Here) -> None:
        assert isinstance(self.why.component, ui.TextInput)
        await interaction.response.send_message(f"{self.why.component.value}, {self.more.value}", ephemeral=True)


class Panel(ui.View):
    """Buttons and a menu that stay."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @ui.button(label="Count", custom_id="count")
    async def count(self, interaction: Here, button: ui.Button[Panel]) -> None:
        await interaction.response.edit_message(content="counted")

    @ui.button(label="Ask", custom_id="ask")
    async def ask(self, interaction: Here, button: ui.Button[Panel]) -> None:
        await interaction.response.send_modal(Form())

    @ui.button(label="Later", custom_id="later")
    async def later(self, interaction: Here, button: ui.Button[Panel]) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content="at last", view=None)

    @ui.select(cls=ui.ChannelSelect, custom_id="where")
    async def where(self, interaction: Here, select: ui.ChannelSelect[Panel]) -> None:
        await interaction.response.send_message(f"chosen: {select.values[0].name}", ephemeral=True)


@app_commands.command(description="Check a text")
async def check(interaction: Here, text: str, who: discord.User | None = None) -> None:
    """Answer with an embed and a file."""
    shown = discord.Embed(title="Checked", description=text).set_footer(text="that is all")
    file = discord.File(io.BytesIO(b"report"), "report.txt")
    name = who.name if who else "nobody"
    await interaction.response.send_message(f"for {name}", embed=shown, file=file, ephemeral=True)


@app_commands.command(description="Take one's time")
async def slow(interaction: Here) -> None:
    """Answer late, and twice."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    await interaction.followup.send("first")
    await interaction.followup.send("second")


@app_commands.command(description="Show a panel")
async def panel(interaction: Here) -> None:
    """Show the panel."""
    await interaction.response.send_message("panel", view=Panel())


@app_commands.command(description="Never answer")
async def greet(interaction: Here) -> None:
    """Do nothing."""


@app_commands.command(description="Protect somebody")
async def on(interaction: Here, role: discord.Role) -> None:
    """Answer with the role."""
    await interaction.response.send_message(f"{role.name} on")


async def read(interaction: Here, message: discord.Message) -> None:
    """Answer with what the message says."""
    await interaction.response.send_message(f"read: {message.content}", ephemeral=True)


class Bot(discord.AutoShardedClient):
    """A client that keeps what it gets and has a command of every kind."""

    def __init__(self, **intents: bool) -> None:
        wanted = discord.Intents.default() | discord.Intents(**{"message_content": True, **intents})
        super().__init__(intents=wanted, guild_ready_timeout=0.02)
        self.seen: list[discord.Message] = []
        self.raw: list[str] = []
        self.resumed = 0
        self.tree = app_commands.CommandTree(self)
        everywhere = app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
        anyone = app_commands.allowed_installs(guilds=True, users=True)
        commands: tuple[app_commands.Command[Any, ..., None], ...] = (check, slow, panel, greet)
        for command in commands:
            self.tree.add_command(everywhere(anyone(command)))
        self.tree.add_command(app_commands.ContextMenu(name="Read this", callback=read))
        protect = app_commands.Group(name="protect", description="Protection")
        protect.add_command(on)
        self.tree.add_command(protect)

    async def setup_hook(self) -> None:
        self.add_view(Panel())
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do not wait between shards."""

    async def on_message(self, message: discord.Message) -> None:
        self.seen.append(message)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        self.raw.append(f"edit {event.message.content} {event.message.edited_at is not None}")

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        self.raw.append(f"delete {event.message_id}")

    async def on_shard_resumed(self, shard_id: int) -> None:
        self.resumed += 1


Starting = Callable[..., Awaitable[Bot]]


@pytest.fixture
async def local(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalDiscord]:
    """A Discord that has nothing to complain about at the end unless the test takes the complaints away."""
    async with LocalDiscord() as there:
        monkeypatch.setattr(Route, "BASE", there.api_url)
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(there.gateway_url))
        yield there
        assert there.complaints == []


@pytest.fixture
async def start(local: LocalDiscord) -> AsyncIterator[Starting]:
    """Connect bots, and close them in the end."""
    running: list[tuple[Bot, asyncio.Task[None]]] = []

    async def connect(**intents: bool) -> Bot:
        bot = Bot(**intents)
        running.append((bot, asyncio.create_task(bot.start(local.token))))
        await local.ready(shards=local.shards)
        await bot.wait_until_ready()
        return bot

    yield connect
    for bot, task in running:
        await bot.close()
        await task


@pytest.fixture
def alice(local: LocalDiscord) -> User:
    """Somebody."""
    return local.user("alice")


@pytest.fixture
def den(local: LocalDiscord, alice: User) -> Guild:
    """A guild with alice, a member, and mods."""
    guild = local.guild("Den")
    guild.role("mods", permissions=Permission.MODERATE_MEMBERS | Permission.MANAGE_MESSAGES)
    guild.join(alice)
    return guild


async def test_messages_arrive_as_on_discord(local: LocalDiscord, start: Starting, alice: User, den: Guild) -> None:
    channel, hidden = den.channel("general"), den.channel("staff")
    hidden.deny(den.everyone, Permission.VIEW_CHANNEL)
    post = den.thread(den.channel("help", kind=15), "A question")
    bot = await start()
    first = await local.write(channel, alice, f"hi <@{local.bot.id}>", attachments={"a.png": b"png"})
    await local.write(hidden, alice, "unseen")
    await local.write(channel, alice, "answer", reply_to=first)
    await local.write(channel, alice, "", snapshot="forwarded", of=first)
    await local.write(channel, local.user("hook", bot=True), "from a webhook", webhook=True)
    await local.write(post, alice, "in a post")
    await local.write(local.dm(alice), alice, "in private")
    await until(lambda: len(bot.seen) == 6, 5, "messages")
    one, reply, forward, hook, posted, private = bot.seen
    assert one.content == f"hi <@{local.bot.id}>"
    assert (one.mentions[0].id, await one.attachments[0].read()) == (int(local.bot.id), b"png")
    await local.edit(first, "changed")
    await local.unfurl(first)
    await local.remove(first)
    await until(lambda: len(bot.raw) == 3, 5, "events")
    assert reply.reference
    assert isinstance(reply.reference.resolved, discord.Message)
    assert [snapshot.content for snapshot in forward.message_snapshots] == ["forwarded"]
    assert hook.webhook_id
    assert isinstance(posted.channel, discord.Thread)
    assert isinstance(private.channel, discord.DMChannel)
    assert bot.raw == ["edit changed True", "edit changed True", f"delete {first.id}"]
    assert local.messages(channel)[0].text == "answer"
    many = [await local.write(channel, alice, str(number)) for number in range(500)]
    await until(lambda: len(bot.seen) == 6 + len(many), 5, "many messages")


async def test_content_is_withheld_without_the_intent(
    local: LocalDiscord, start: Starting, alice: User, den: Guild
) -> None:
    channel = den.channel("general")
    bot = await start(message_content=False)
    for content in ("secret", f"for <@{local.bot.id}>"):
        await local.write(channel, alice, content, attachments={"a.txt": b"a"})
    await local.write(channel, alice, "", snapshot="forwarded")
    await local.write(local.dm(alice), alice, "in private")
    await until(lambda: len(bot.seen) == 4, 5, "messages")
    shown = [(one.content, len(one.attachments)) for one in bot.seen]
    assert shown == [("", 0), (f"for <@{local.bot.id}>", 1), ("", 0), ("in private", 0)]
    assert not bot.seen[2].message_snapshots


@pytest.mark.parametrize("how", ["4000", "cut", "asked"])
async def test_resuming_replays_what_was_missed(
    local: LocalDiscord, start: Starting, alice: User, den: Guild, how: str
) -> None:
    channel = den.channel("general")
    bot = await start()
    await local.write(channel, alice, "before")
    if how == "asked":
        await local.reconnect()
        await local.write(channel, alice, "meanwhile")
    else:
        async with local.outage(4000 if how == "4000" else None):
            await local.write(channel, alice, "meanwhile")
    await until(lambda: bot.resumed == 1, 5, "resumed")
    await local.write(channel, alice, "after")
    await until(lambda: len(bot.seen) == 3, 5, "messages")
    assert [one.content for one in bot.seen] == ["before", "meanwhile", "after"]
    assert len(local.gateway.identifies) == 1


async def test_a_forgotten_session_is_invalid(local: LocalDiscord, start: Starting, alice: User, den: Guild) -> None:
    channel = den.channel("general")
    bot = await start()
    async with local.outage():
        local.forget_sessions()
        await local.write(channel, alice, "lost")
    await local.ready()
    await local.write(channel, alice, "seen")
    await until(lambda: bool(bot.seen), 5, "message")
    assert ([one.content for one in bot.seen], bot.resumed) == (["seen"], 0)
    assert len(local.gateway.identifies) == 2


async def test_the_gateway_refuses_tokens_and_intents(local: LocalDiscord) -> None:
    local.message_content_enabled = False
    bot = Bot()
    with pytest.raises(discord.PrivilegedIntentsRequired):
        await bot.start(local.token)
    bot = Bot(message_content=False)
    local.gateway.identify_close = 4004
    with pytest.raises(discord.ConnectionClosed) as closed:
        await bot.start(local.token)
    assert closed.value.code == 4004
    async with Bot() as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.start("wrong")
    async with aiohttp.ClientSession() as session, session.ws_connect(local.gateway_url) as socket:
        await socket.receive()
        await socket.send_json({"op": 2, "d": {"token": "wrong", "intents": 1, "properties": {}}})
        assert (await socket.receive()).data == 4004


async def test_shards_get_their_own_guilds(local: LocalDiscord, start: Starting, alice: User) -> None:
    local.shards = 2
    guilds = [local.guild(f"Guild {number}", alice) for number in range(4)]
    bot = await start()
    assert [bot.get_guild(int(one.id)).shard_id for one in guilds] == [0, 1, 0, 1]  # type: ignore[union-attr]
    later = local.guild("Later", alice)
    await local.write(later.channel("general"), alice, "hello")
    await until(lambda: bool(bot.seen), 5, "message")
    later.remove_bot()
    await until(lambda: bot.get_guild(int(later.id)) is None, 5, "removal")


async def test_members_and_their_events(local: LocalDiscord, start: Starting, alice: User, den: Guild) -> None:
    local.members_enabled = True
    bot = await start(members=True)
    guild = bot.get_guild(int(den.id))
    assert guild
    assert guild.get_member(int(alice.id))
    bob = local.user("bob")
    den.join(bob, roles=[den.bot_role])
    await until(lambda: bool(guild.get_member(int(bob.id))), 5, "member")
    den.kick(bob)
    await until(lambda: guild.get_member(int(bob.id)) is None, 5, "member gone")
    mods = next(role for role in den.roles.values() if role.name == "mods")
    mods.permissions = 8
    await until(lambda: guild.get_role(int(mods.id)).permissions.administrator, 5, "role")  # type: ignore[union-attr]
    channel = den.channel("passing")
    await until(lambda: guild.get_channel(int(channel.id)) is not None, 5, "channel")
    channel.delete()
    await until(lambda: guild.get_channel(int(channel.id)) is None, 5, "channel gone")


async def test_slash_commands(local: LocalDiscord, start: Starting, alice: User, den: Guild) -> None:
    channel = den.channel("general")
    mods = next(role for role in den.roles.values() if role.name == "mods")
    await start()
    for where in (channel, "private", "group"):
        answer = await local.slash(alice, "check", {"text": "words", "who": alice}, where=where)
        assert answer.ephemeral
        assert not answer.deferred
        assert answer.text == "for alice\nChecked\nwords\nthat is all"
        assert answer.files == {"report.txt": b"report"}
        assert answer.ack_seconds is not None
    assert local.messages(channel) == []
    late = await local.slash(alice, "slow", where=channel)
    await until(lambda: len(late.messages) == 2, 5, "second")
    assert (late.deferred, late.text) == (True, "first\nsecond")
    assert [one.ephemeral for one in late.messages] == [True, False]
    assert (await local.slash(alice, "protect on", {"role": mods}, where=channel)).content == "mods on"
    for name, options in (("check", {}), ("nothing", {}), ("protect", {}), ("check", {"text": "a", "more": "b"})):
        with pytest.raises(AssertionError):
            await local.slash(alice, name, options, where=channel)
    local.patience = 0.1
    with pytest.raises(AssertionError, match="not answered"):
        await local.slash(alice, "greet")


async def test_menus_buttons_and_modals(local: LocalDiscord, start: Starting, alice: User, den: Guild) -> None:
    channel = den.channel("general")
    await start()
    bob = local.user("bob")
    den.join(bob)
    message = await local.write(channel, bob, "look at this")
    answer = await local.menu(alice, "Read this", message)
    assert (answer.text, answer.ephemeral) == ("read: look at this", True)
    shown = await local.slash(alice, "panel", where=channel)
    assert shown.buttons == ["Count", "Ask", "Later"]
    posted = local.messages(channel)[-1]
    assert posted is shown.message
    assert (await local.press(bob, posted, "Count")).content == "counted"
    assert shown.content == "counted"
    asked = await local.press(bob, posted, "Ask")
    assert asked.modal
    with pytest.raises(AssertionError, match="Why"):
        await local.submit(bob, asked, {"More": "so"})
    done = await local.submit(bob, asked, {"Why?": "because"})
    assert (done.text, done.ephemeral) == ("because, nothing", True)
    assert (await local.choose(bob, posted, "where", [channel])).text == "chosen: general"
    later: Answer = await local.press(bob, posted, "later")
    assert (later.deferred, later.content, posted.buttons) == (True, "at last", [])
    with pytest.raises(AssertionError):
        await local.press(bob, posted, "Count")


@pytest.mark.parametrize(("code", "opening"), [(50007, False), (50278, False), (40003, True)])
async def test_dms_are_refused(
    local: LocalDiscord, start: Starting, alice: User, den: Guild, code: int, opening: bool
) -> None:
    bot = await start()
    user = await bot.fetch_user(int(alice.id))
    local.closes_dms(alice, code=code)
    with pytest.raises(discord.Forbidden) as refused:
        await user.send("hello")
    assert refused.value.code == code
    assert [one.status for one in local.asked("POST", "/users/@me/channels")] == [403 if opening else 200]
    assert local.dms(alice) == []
    local.opens_dms(alice)
    await user.send("hello")
    assert [one.content for one in local.dms(alice)] == ["hello"]
    den.kick(alice)
    with pytest.raises(discord.Forbidden) as refused:
        await user.send("again")
    assert refused.value.code == 50278


async def test_failures_on_demand(local: LocalDiscord, start: Starting, den: Guild) -> None:
    channel, route = den.channel("general"), "/channels/{channel_id}/messages"
    bot = await start()
    there = bot.get_partial_messageable(int(channel.id))
    local.fail("POST", route, times=2, status=429, retry_after=0.05)
    await there.send("patient")
    local.fail("POST", route, status=500, after=True)
    await there.send("twice", nonce=1)
    await there.send("other", nonce=2)
    assert [one.status for one in local.asked("POST", route)] == [429, 429, 200, 500, 200, 200]
    assert [one.content for one in local.messages(channel)] == ["patient", "twice", "other"]
    local.fail("POST", route, status=0)
    with pytest.raises(aiohttp.ClientError):
        await there.send("cut")


async def test_files_edits_and_nonces(local: LocalDiscord, start: Starting, alice: User, den: Guild) -> None:
    channel = den.channel("general")
    bot = await start()
    there = bot.get_channel(int(channel.id))
    assert isinstance(there, discord.TextChannel)
    shown = discord.Embed(title="T", description="D").add_field(name="N", value="V")
    quiet = discord.AllowedMentions(users=False)
    sent = await there.send(
        f"<@{alice.id}>", embed=shown, file=discord.File(io.BytesIO(b"x"), "x.txt"), allowed_mentions=quiet
    )
    (kept,) = local.messages(channel)
    assert (kept.files, kept.mentions, kept.text) == ({"x.txt": b"x"}, [], f"<@{alice.id}>\nT\nD\nN\nV")
    assert await sent.attachments[0].read() == b"x"
    await sent.edit(content="edited", attachments=[])
    assert (kept.content, kept.files, kept.edited is not None) == ("edited", {}, True)
    assert (await there.fetch_message(sent.id)).embeds[0].fields[0].value == "V"
    assert [one.id async for one in there.history()] == [sent.id]
    await sent.delete()
    assert kept.deleted


async def refusal(doing: Awaitable[Any]) -> tuple[int, int]:
    """Return status and code of an error."""
    with pytest.raises(discord.HTTPException) as refused:
        await doing
    return refused.value.status, refused.value.code


async def test_permissions_count(local: LocalDiscord, start: Starting, alice: User, den: Guild) -> None:
    open_, hidden, silent = den.channel("open"), den.channel("hidden"), den.channel("silent")
    hidden.deny(den.bot_role, Permission.VIEW_CHANNEL)
    silent.deny(den.everyone, Permission.SEND_MESSAGES)
    staff = den.channel("staff", private=True)
    bot = await start()
    get = bot.get_partial_messageable
    await get(int(staff.id)).send("alert")
    assert await refusal(get(int(hidden.id)).send("x")) == (403, 50001)
    assert await refusal(get(int(silent.id)).send("x")) == (403, 50013)
    assert await refusal(get(1).send("x")) == (404, 10003)
    assert await refusal(get(int(open_.id)).fetch_message(1)) == (404, 10008)
    guild = bot.get_guild(int(den.id))
    assert guild
    assert await refusal(guild.fetch_member(int(local.user("stranger").id))) == (404, 10007)
    await get(int(open_.id)).get_partial_message(int((await local.write(open_, alice, "bad")).id)).delete()
    member = await guild.fetch_member(int(alice.id))
    await member.timeout(timedelta(minutes=5), reason="a reason")
    until_ = den.members[alice.id].timed_out_until
    assert until_
    assert until_ > datetime.now(UTC)
    with pytest.raises(AssertionError, match="time-out"):
        await local.write(open_, alice, "x")
    chief = den.role("chief", position=90)
    den.members[alice.id].change(roles=[chief])
    assert await refusal(member.timeout(None)) == (403, 50013)
    assert await refusal(guild.ban(member)) == (403, 50013)
    den.bot_role.position = 99
    await guild.ban(member, delete_message_seconds=3600, reason="bad")
    ban = den.bans[alice.id]
    assert (ban.user, ban.reason, ban.delete_message_seconds) == (alice, "bad", 3600)
    assert alice.id not in den.members
    den.bot_role.permissions = 0
    assert await refusal(guild.unban(member)) == (403, 50013)


async def test_bodies_are_checked(local: LocalDiscord, start: Starting, den: Guild) -> None:
    channel = den.channel("general")
    bot = await start()
    send = bot.get_partial_messageable(int(channel.id)).send
    two = ui.View()
    for _ in range(2):
        two.add_item(ui.Button(label="B", custom_id="same"))
    large = discord.Embed(description="d" * 4000).set_footer(text="f" * 2001)
    bodies: list[dict[str, Any]] = [{"content": "c" * 2001}, {"embed": large}, {"view": two}]
    bodies += [{"embed": discord.Embed(title="t" * 257)}, {"embed": discord.Embed().add_field(name="", value="v")}]
    for body in bodies:
        assert await refusal(send(**body)) == (400, 50035)
    assert await refusal(send("")) == (400, 50006)
    assert await refusal(bot.http.request(Route("GET", "/nowhere"))) == (404, 0)
    assert len(local.complaints) >= len(bodies) + 2
    local.complaints.clear()
    assert local.messages(channel) == []


async def test_interactions_are_answered_once_and_in_time(
    local: LocalDiscord, start: Starting, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = await start()
    local.patience = 0.05
    with pytest.raises(AssertionError):
        await local.slash(alice, "greet")
    interaction = list(local.interactions.all.values())[-1]
    base = f"{local.api_url}/interactions/{interaction.id}"
    body = {"type": 4, "data": {"content": "hello"}}
    async with aiohttp.ClientSession() as session:

        async def answer(url: str) -> tuple[int, int]:
            async with session.post(url, json=body) as response:
                got = await response.json() if response.status != 204 else {}
                return response.status, got.get("code", 0)

        assert await answer(f"{base}/wrong/callback") == (404, 10062)
        assert await answer(f"{local.api_url}/webhooks/{local.bot.id}/wrong") == (404, 10015)
        assert await answer(f"{base}/{interaction.token}/callback") == (204, 0)
        assert await answer(f"{base}/{interaction.token}/callback") == (400, 40060)
        interaction.callback, interaction.sent_at = None, interaction.sent_at - 4
        assert await answer(f"{base}/{interaction.token}/callback") == (404, 10062)
    assert bot.application_id == int(local.bot.id)
    local.complaints.clear()


def test_messages_show_their_words(local: LocalDiscord, alice: User) -> None:
    message = Message("1", local.dm(alice), alice, "", datetime.now(UTC))
    message.components = [{"type": 17, "components": [{"type": 10, "content": "shown"}]}]
    assert message.text == "shown"


logging.getLogger("discord").setLevel(logging.CRITICAL)
