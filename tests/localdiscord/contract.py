"""The check against Discord's published OpenAPI, used where it is there."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol, cast

from localdiscord.state import JSON
from localdiscord.world import World

_SCHEMAS = {
    "MESSAGE_CREATE": "MessageResponse",
    "MESSAGE_UPDATE": "MessageResponse",
    "GUILD_CREATE": "GuildResponse",
    "CHANNEL_CREATE": "GuildChannelResponse",
    "THREAD_CREATE": "ThreadResponse",
}
_FORWARD = "message_reference.type: 0 was expected"  # the published enumeration lacks forwards (1)
_GATEWAY_ONLY = ("guild_id", "member", "channel_type")


class Contract(Protocol):
    """What the check offers; each call returns problems, none if all is well."""

    def request(self, method: str, path: str, body: object | None, query: Mapping[str, str] = ...) -> list[str]:
        """Check the body of a request."""
        ...

    def response(self, method: str, path: str, status: int, body: object | None) -> list[str]:
        """Check the body of an answer."""
        ...

    def schema(self, name: str, body: object) -> list[str]:
        """Check an object against a named component."""
        ...


def real(problems: list[str]) -> list[str]:
    """Return the problems that are none of the published description itself."""
    return [problem for problem in problems if _FORWARD not in problem]


def load_contract() -> Contract | None:
    """Return the check, or nothing where it or the published description is missing."""
    try:
        module = importlib.import_module("localdiscord.spec")
    except ModuleNotFoundError:
        return None
    return cast("Contract | None", module.load_spec())


class EventCheck:
    """Checks the objects in gateway events, those of each shape once."""

    def __init__(self, world: World, contract: Contract | None) -> None:
        self.world, self.contract = world, contract
        self._seen: set[object] = set()

    def __call__(self, event: str, data: JSON) -> None:
        """Complain about an event that is not to the specification."""
        name = _SCHEMAS.get(event)
        if event == "INTERACTION_CREATE" and "message" in data:
            name, data = "MessageResponse", data["message"]
        if name is None or self.contract is None:
            return
        kept = {key: value for key, value in data.items() if name != "MessageResponse" or key not in _GATEWAY_ONLY}
        shape = (name, tuple((key, type(value), bool(value)) for key, value in kept.items()))
        if shape in self._seen:
            return
        self._seen.add(shape)
        if name == "MessageResponse":
            kept["mentions"] = [{key: one[key] for key in one if key != "member"} for one in kept["mentions"]]
        for problem in real(self.contract.schema(name, kept)):
            self.world.complain(f"{event} is not to the specification: {problem}")
