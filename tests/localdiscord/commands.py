"""Application commands: what Discord checks when they are registered, and the objects it keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from localdiscord.rules import Problem
from localdiscord.state import JSON
from localdiscord.world import World

_NAME = re.compile(r"^[-_'\w]{1,32}$")
_LIMITS = {1: 100, 2: 15, 3: 15}


def _text(at: str, value: object, least: int, most: int) -> Iterator[Problem]:
    if not isinstance(value, str) or not least <= len(value) <= most:
        yield at, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length."


def _slash_name(at: str, name: object) -> Iterator[Problem]:
    if not isinstance(name, str) or not _NAME.match(name) or name != name.lower():
        yield at, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid"


def _options(at: str, options: list[JSON]) -> Iterator[Problem]:
    if len(options) > 25:
        yield at, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length."
    names = [option.get("name") for option in options]
    if len(set(names)) < len(names):
        yield at, "APPLICATION_COMMAND_OPTIONS_NAME_DUPLICATED", "Option names must be unique."
    needed = [bool(option.get("required")) for option in options if option.get("type") not in (1, 2)]
    if needed != sorted(needed, reverse=True):
        yield at, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options must be placed before others."
    for index, option in enumerate(options):
        here = f"{at}.{index}"
        yield from _slash_name(f"{here}.name", option.get("name"))
        yield from _text(f"{here}.description", option.get("description"), 1, 100)
        if option.get("type") not in range(1, 12):
            yield f"{here}.type", "BASE_TYPE_CHOICES", "Unknown option type."
        choices = option.get("choices") or []
        if len(choices) > 25:
            yield f"{here}.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length."
        for number, choice in enumerate(choices):
            yield from _text(f"{here}.choices.{number}.name", choice.get("name"), 1, 100)
        yield from _options(f"{here}.options", option.get("options") or [])


def check_command(at: str, command: JSON) -> Iterator[Problem]:
    """Yield what is wrong with one command."""
    if command.get("type", 1) == 1:
        yield from _slash_name(f"{at}.name", command.get("name"))
        yield from _text(f"{at}.description", command.get("description"), 1, 100)
        yield from _options(f"{at}.options", command.get("options") or [])
    else:
        yield from _text(f"{at}.name", command.get("name"), 1, 32)
        if command.get("description"):
            yield f"{at}.description", "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_NOT_ALLOWED", "Must be empty."
        if command.get("options"):
            yield f"{at}.options", "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS_NOT_ALLOWED", "Must be empty."
    if command.get("contexts") is not None and not command["contexts"]:
        yield f"{at}.contexts", "BASE_TYPE_REQUIRED", "This field is required"


def check_commands(commands: list[JSON]) -> list[Problem]:
    """Return what is wrong with a whole list of commands."""
    problems = [problem for index, one in enumerate(commands) for problem in check_command(str(index), one)]
    kinds = [(one.get("type", 1), one.get("name")) for one in commands]
    if len(set(kinds)) < len(kinds):
        problems.append(("0", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"))
    for kind, most in _LIMITS.items():
        if sum(one[0] == kind for one in kinds) > most:
            problems.append(("0", "MAX_APPLICATION_COMMANDS", f"Maximum number of commands reached ({most})"))
    return problems


def whole(world: World, body: JSON, guild_id: str | None, old: JSON | None) -> JSON:
    """Return the command as Discord keeps it."""
    made: JSON = {"id": old["id"] if old else world.new_id(), "application_id": world.app_id, "version": world.new_id()}
    made |= {"default_member_permissions": None, "type": 1, "description": "", "nsfw": False}
    made |= {"integration_types": [0], "contexts": None, "dm_permission": True}
    made |= {key: value for key, value in body.items() if key not in ("id", "options") and value is not None}
    if made["default_member_permissions"] is not None:
        made["default_member_permissions"] = str(made["default_member_permissions"])
    if body.get("options"):
        made["options"] = [_option(option) for option in body["options"]]
    return made | {"guild_id": guild_id} if guild_id else made


def _option(option: JSON) -> JSON:
    made: dict[str, Any] = {key: value for key, value in option.items() if value is not None and value != []}
    if "options" in made:
        made["options"] = [_option(one) for one in made["options"]]
    return made
