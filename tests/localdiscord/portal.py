"""What the API says about the application and the gateway."""

from __future__ import annotations

from localdiscord.gateway import Gateway
from localdiscord.rest import Call, Rest
from localdiscord.state import JSON, User
from localdiscord.world import World


class Portal:
    """The routes of the application and of the gateway's address."""

    def __init__(self, world: World, gateway: Gateway, rest: Rest, owner: User, shards: int) -> None:
        self.world, self.gateway, self.owner, self.shards = world, gateway, owner, shards
        for path in ("/applications/@me", "/oauth2/applications/@me"):
            rest.add("GET", path, self.application)
        rest.add("GET", "/gateway", self.address)
        rest.add("GET", "/gateway/bot", self.address_for_bots)

    async def application(self, call: Call) -> JSON:
        """Answer with the application, whose flags are the intents that the portal grants."""
        nothing = ("icon", "type", "interactions_endpoint_url", "role_connections_verification_url", "team")
        flags = self.gateway.flags
        made: JSON = dict.fromkeys(nothing)
        made |= {"id": self.world.app_id, "name": "Haven", "description": "", "verify_key": "0" * 64}
        made |= {"flags": flags, "flags_new": str(flags), "redirect_uris": [], "owner": self.owner.payload()}
        made |= {"approximate_guild_count": len(self.world.guilds), "approximate_user_install_count": 0}
        made |= {"approximate_user_authorization_count": 0, "explicit_content_filter": 0, "rpc_origins": []}
        made |= {"eligible_oauth2_scopes": [], "bot_require_code_grant": False, "bot": self.world.bot.payload()}
        return made | {"integration_types_config": {"0": {}, "1": {}}, "bot_public": True}

    async def address(self, call: Call) -> JSON:
        """Answer with the gateway's address."""
        return {"url": self.gateway.address()}

    async def address_for_bots(self, call: Call) -> JSON:
        """Answer with the gateway's address, the number of shards and how often one may identify."""
        left = 1000 - len(self.gateway.identifies)
        limit = {"total": 1000, "remaining": left, "reset_after": 0, "max_concurrency": 1}
        return {"url": self.gateway.address(), "shards": self.shards, "session_start_limit": limit}
