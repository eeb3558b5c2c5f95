"""Users, the application with its commands, and guilds with their members over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from localdiscord.channels import invalid
from localdiscord.commands import check_command, check_commands, whole
from localdiscord.guild import Ban, Guild
from localdiscord.messages import bulk_delete
from localdiscord.permissions import THREADS, Intent, Permission, guild_permissions
from localdiscord.rest import Call, Created, Refusal, Rest
from localdiscord.rules import Problem
from localdiscord.state import JSON, Member
from localdiscord.world import World


class Guilds:
    """The routes below /users, /applications and /guilds."""

    def __init__(self, world: World, rest: Rest) -> None:
        self.world = world
        self.members_enabled: Callable[[], bool] = lambda: True
        self.commands: dict[str | None, list[JSON]] = {None: []}
        one = "/guilds/{guild_id}"
        rest.add("GET", "/users/@me", self.me)
        rest.add("GET", "/users/{user_id}", self.user)
        rest.add("GET", "/users/@me/guilds", self.mine)
        rest.add("DELETE", "/users/@me/guilds/{guild_id}", self.leave)
        for place in ("/applications/{application_id}", "/applications/{application_id}" + one):
            rest.add("GET", f"{place}/commands", self.get_commands)
            rest.add("PUT", f"{place}/commands", self.put_commands)
            rest.add("POST", f"{place}/commands", self.post_command)
            rest.add("GET", f"{place}/commands/{{command_id}}", self.get_command)
            rest.add("PATCH", f"{place}/commands/{{command_id}}", self.patch_command)
            rest.add("DELETE", f"{place}/commands/{{command_id}}", self.delete_command)
        rest.add("GET", one, self.get)
        rest.add("GET", f"{one}/roles", self.roles)
        rest.add("GET", f"{one}/channels", self.channels)
        rest.add("GET", f"{one}/threads/active", self.threads)
        rest.add("GET", f"{one}/members", self.members)
        rest.add("GET", f"{one}/members/{{user_id}}", self.member)
        rest.add("PATCH", f"{one}/members/{{user_id}}", self.patch_member)
        rest.add("DELETE", f"{one}/members/{{user_id}}", self.kick)
        rest.add("GET", f"{one}/bans", self.bans)
        rest.add("GET", f"{one}/bans/{{user_id}}", self.ban_of)
        rest.add("PUT", f"{one}/bans/{{user_id}}", self.ban)
        rest.add("DELETE", f"{one}/bans/{{user_id}}", self.unban)

    async def me(self, call: Call) -> Any:
        """Answer with the bot itself."""
        return self.world.bot.payload() | {"mfa_enabled": True, "locale": "en-US", "verified": True, "email": None}

    async def user(self, call: Call) -> Any:
        """Answer with an account."""
        user = self.world.users.get(call["user_id"])
        if user is None:
            raise Refusal(404, 10013, "Unknown User")
        return user.payload()

    async def mine(self, call: Call) -> Any:
        """Answer with the guilds that the bot is in."""
        made = []
        for guild in self.world.guilds.values():
            if guild.bot:
                rights = str(guild_permissions(guild.bot))
                about: JSON = {"id": guild.id, "name": guild.name, "icon": None, "banner": None, "owner": False}
                made.append(about | {"permissions": rights, "features": []})
        return made

    async def leave(self, call: Call) -> None:
        """Let the bot leave a guild."""
        self._guild(call)[0].remove_bot()

    def _list(self, call: Call) -> list[JSON]:
        if call["application_id"] != self.world.app_id:
            raise Refusal(403, 20012, "You are not authorized to perform this action on this application")
        guild_id = call.params.get("guild_id")
        if guild_id:
            self._guild(call)
        return self.commands.setdefault(guild_id, [])

    def _command(self, call: Call) -> JSON:
        for command in self._list(call):
            if command["id"] == call["command_id"]:
                return command
        raise Refusal(404, 10063, "Unknown application command")

    async def get_commands(self, call: Call) -> Any:
        """Answer with the registered commands."""
        return self._list(call)

    async def put_commands(self, call: Call) -> Any:
        """Replace the registered commands."""
        kept, asked = self._list(call), call.json or []
        self._check(check_commands(asked))
        old = {(one["type"], one["name"]): one for one in kept}
        guild_id = call.params.get("guild_id")
        kept[:] = [whole(self.world, one, guild_id, old.get((one.get("type", 1), one["name"]))) for one in asked]
        return kept

    @staticmethod
    def _check(problems: list[Problem]) -> None:
        if problems:
            raise invalid(problems)

    async def post_command(self, call: Call) -> Any:
        """Register a command."""
        kept, body = self._list(call), call.body
        self._check(list(check_command("body", body)))
        same = [one for one in kept if (one["type"], one["name"]) == (body.get("type", 1), body.get("name"))]
        made = whole(self.world, body, call.params.get("guild_id"), same[0] if same else None)
        kept[:] = [one for one in kept if one not in same] + [made]
        return made if same else Created(made)

    async def get_command(self, call: Call) -> Any:
        """Answer with a command."""
        return self._command(call)

    async def patch_command(self, call: Call) -> Any:
        """Change a command."""
        command = self._command(call)
        body = {key: value for key, value in command.items() if key not in ("id", "version")} | call.body
        self._check(list(check_command("body", body)))
        command.update(whole(self.world, body, call.params.get("guild_id"), command))
        return command

    async def delete_command(self, call: Call) -> None:
        """Remove a command."""
        self._list(call).remove(self._command(call))

    def _guild(self, call: Call, needed: int = 0) -> tuple[Guild, Member]:
        guild = self.world.guilds.get(call["guild_id"])
        if guild is None:
            raise Refusal(404, 10004, "Unknown Guild")
        if guild.bot is None:
            raise Refusal(403, 50001, "Missing Access")
        if needed & ~guild_permissions(guild.bot):
            raise Refusal(403, 50013, "Missing Permissions")
        return guild, guild.bot

    def _member(self, call: Call, guild: Guild) -> Member:
        id = self.world.bot.id if call["user_id"] == "@me" else call["user_id"]
        if id not in guild.members:
            raise Refusal(404, *((10007, "Unknown Member") if id in self.world.users else (10013, "Unknown User")))
        return guild.members[id]

    async def get(self, call: Call) -> Any:
        """Answer with a guild."""
        guild, _ = self._guild(call)
        counts = {"approximate_member_count": len(guild.members), "approximate_presence_count": 1}
        return guild.payload() | (counts if call.query.get("with_counts") not in (None, "0", "false") else {})

    async def roles(self, call: Call) -> Any:
        """Answer with a guild's roles."""
        return [role.payload() for role in self._guild(call)[0].roles.values()]

    async def channels(self, call: Call) -> Any:
        """Answer with a guild's channels."""
        return [one.payload() for one in self._guild(call)[0].channels.values() if one.kind not in THREADS]

    async def threads(self, call: Call) -> Any:
        """Answer with a guild's active threads."""
        guild, _ = self._guild(call)
        seen = [one for one in guild.channels.values() if one.kind in THREADS and self.world.seen_by_bot(one)]
        return {"threads": [one.payload() for one in seen if not one.archived], "members": [], "has_more": False}

    async def members(self, call: Call) -> Any:
        """Answer with a page of members."""
        guild, _ = self._guild(call)
        if not self.members_enabled():
            raise Refusal(403, 50001, "Missing Access")
        after, limit = int(call.query.get("after") or 0), int(call.query.get("limit") or 1)
        found = sorted(
            (one for one in guild.members.values() if int(one.user.id) > after), key=lambda one: int(one.user.id)
        )
        return [one.payload() for one in found[:limit]]

    async def member(self, call: Call) -> Any:
        """Answer with a member."""
        return self._member(call, self._guild(call)[0]).payload()

    async def patch_member(self, call: Call) -> Any:
        """Change a member: time-out, nickname or roles."""
        guild, bot = self._guild(call)
        member, body = self._member(call, guild), call.body
        rights = {"communication_disabled_until": Permission.MODERATE_MEMBERS, "nick": Permission.MANAGE_NICKNAMES}
        rights |= {"roles": Permission.MANAGE_ROLES}
        for key in body:
            if member is not bot and rights.get(key, Permission.ADMINISTRATOR) & ~guild_permissions(bot):
                raise Refusal(403, 50013, "Missing Permissions")
        if member is not bot and not bot.outranks(member):
            raise Refusal(403, 50013, "Missing Permissions")
        if "communication_disabled_until" in body:
            self._time_out(member, body["communication_disabled_until"])
        if "nick" in body:
            member.nick = body["nick"] or None
        if "roles" in body:
            if any(str(id) not in guild.roles for id in body["roles"]):
                raise Refusal(404, 10011, "Unknown Role")
            member.roles = [guild.roles[str(id)] for id in body["roles"]]
        member.updated()
        return member.payload()

    @staticmethod
    def _time_out(member: Member, until: str | None) -> None:
        if guild_permissions(member) & Permission.ADMINISTRATOR:
            raise Refusal(403, 50013, "Missing Permissions")
        moment = datetime.fromisoformat(until) if until else None
        if moment and moment > datetime.now(UTC) + timedelta(days=28):
            text = "Time-outs end within 28 days."
            raise invalid([("communication_disabled_until", "MEMBER_COMMUNICATION_DISABLED_UNTIL_TOO_FAR", text)])
        member.timed_out_until = moment

    async def kick(self, call: Call) -> None:
        """Kick a member."""
        guild, bot = self._guild(call, int(Permission.KICK_MEMBERS))
        member = self._member(call, guild)
        if not bot.outranks(member):
            raise Refusal(403, 50013, "Missing Permissions")
        guild.kick(member.user)

    async def bans(self, call: Call) -> Any:
        """Answer with the bans."""
        guild, _ = self._guild(call, int(Permission.BAN_MEMBERS))
        return [{"user": ban.user.payload(), "reason": ban.reason} for ban in guild.bans.values()]

    async def ban_of(self, call: Call) -> Any:
        """Answer with a ban."""
        guild, _ = self._guild(call, int(Permission.BAN_MEMBERS))
        if call["user_id"] not in guild.bans:
            raise Refusal(404, 10026, "Unknown Ban")
        ban = guild.bans[call["user_id"]]
        return {"user": ban.user.payload(), "reason": ban.reason}

    async def ban(self, call: Call) -> None:
        """Ban an account, deleting what it wrote lately if asked."""
        guild, bot = self._guild(call, int(Permission.BAN_MEMBERS))
        user = self.world.users.get(call["user_id"])
        if user is None:
            raise Refusal(404, 10013, "Unknown User")
        member = guild.members.get(user.id)
        if member and (member is bot or not bot.outranks(member)):
            raise Refusal(403, 50013, "Missing Permissions")
        seconds = int(call.query.get("delete_message_seconds") or call.body.get("delete_message_seconds") or 0)
        if not 0 <= seconds <= 604800:
            raise invalid([("delete_message_seconds", "NUMBER_TYPE_MAX", "int value should be at most 604800.")])
        if user.id in guild.bans:
            return
        guild.bans[user.id] = Ban(user, call.reason, seconds)
        guild.tell("GUILD_BAN_ADD", {"guild_id": guild.id, "user": user.payload()}, Intent.GUILD_MODERATION)
        if member:
            guild.kick(user)
        since = self.world.now() - timedelta(seconds=seconds)
        for channel in list(guild.channels.values()) if seconds else []:
            written = channel.messages.values()
            bulk_delete(channel, [one.id for one in written if one.author is user and one.at >= since])

    async def unban(self, call: Call) -> None:
        """Lift a ban."""
        guild, _ = self._guild(call, int(Permission.BAN_MEMBERS))
        if call["user_id"] not in guild.bans:
            raise Refusal(404, 10026, "Unknown Ban")
        ban = guild.bans.pop(call["user_id"])
        guild.tell("GUILD_BAN_REMOVE", {"guild_id": guild.id, "user": ban.user.payload()}, Intent.GUILD_MODERATION)
