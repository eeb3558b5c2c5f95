"""The methods about the bot itself: commands, menu button, name and descriptions."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from localtelegram.api import Api, Call, bad
from localtelegram.entities import JSON
from localtelegram.messages import in_chat
from localtelegram.world import World

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_SCOPES: tuple[str, ...] = ("default", "all_private_chats", "all_group_chats", "all_chat_administrators")
_SCOPES += ("chat", "chat_administrators", "chat_member")
_TEXTS = {"Name": ("name", 64), "Description": ("description", 512), "ShortDescription": ("short_description", 120)}
Key = tuple[str, int | None, int | None, str]


class Settings:
    """What the bot has said about itself, by scope and language."""

    def __init__(self, world: World, api: Api) -> None:
        self.world = world
        self.commands: dict[Key, list[JSON]] = {}
        self.texts: dict[tuple[str, str], str] = {}
        self.menus: dict[int | None, JSON] = {}
        api.add(setMyCommands=self.set_commands, getMyCommands=self.get_commands, deleteMyCommands=self.delete_commands)
        api.add(setChatMenuButton=self.set_menu, getChatMenuButton=self.get_menu)
        api.add(setMyDefaultAdministratorRights=self.accept)
        for name, (field, most) in _TEXTS.items():
            api.add(**{f"setMy{name}": self._setter(field, most), f"getMy{name}": self._getter(field)})

    async def accept(self, call: Call) -> Any:
        """Say yes."""
        return True

    def _key(self, call: Call) -> Key:
        scope = call.get("scope") or {"type": "default"}
        kind = scope.get("type")
        if kind not in _SCOPES:
            raise bad("can't parse BotCommandScope: unsupported type specified", fault=True)
        chat = in_chat(self.world, scope.get("chat_id")).id if kind in _SCOPES[4:] else None
        user = int(scope["user_id"]) if kind == "chat_member" else None
        return kind, chat, user, self._language(call)

    @staticmethod
    def _language(call: Call) -> str:
        code = str(call.get("language_code", ""))
        if code and not re.fullmatch("[a-z]{2}", code):
            raise bad("invalid language code specified", fault=True)
        return code

    async def set_commands(self, call: Call) -> Any:
        """Keep the commands of a scope and language."""
        commands, key = list(call["commands"]), self._key(call)
        if len(commands) > 100:
            raise bad("BOT_COMMANDS_TOO_MUCH", fault=True)
        for one in commands:
            if not _COMMAND.fullmatch(str(one.get("command", "")).removeprefix("/")):
                raise bad("BOT_COMMAND_INVALID", fault=True)
            if not 1 <= len(str(one.get("description", "")).strip()) <= 256:
                raise bad("BOT_COMMAND_DESCRIPTION_INVALID", fault=True)
        self.commands[key] = [one | {"command": one["command"].removeprefix("/")} for one in commands]
        if not commands:
            del self.commands[key]
        return True

    async def get_commands(self, call: Call) -> Any:
        """Answer with the commands of exactly this scope and language."""
        return self.commands.get(self._key(call), [])

    async def delete_commands(self, call: Call) -> Any:
        """Forget the commands of a scope and language."""
        self.commands.pop(self._key(call), None)
        return True

    async def set_menu(self, call: Call) -> Any:
        """Keep the menu button of a chat, or the default one."""
        chat = call.get("chat_id")
        button = call.get("menu_button") or {"type": "default"}
        if button.get("type") not in ("commands", "web_app", "default"):
            raise bad("MenuButton type is invalid", fault=True)
        self.menus[None if chat is None else in_chat(self.world, chat).id] = button
        return True

    async def get_menu(self, call: Call) -> Any:
        """Answer with the menu button of a chat."""
        default = self.menus.get(None, {"type": "commands"})
        return self.menus.get(call.get("chat_id"), default)

    def _setter(self, field: str, most: int) -> Callable[[Call], Awaitable[Any]]:
        async def set(call: Call) -> Any:
            text = str(call.get(field, ""))
            if len(text) > most:
                raise bad(f"{field} is too long", fault=True)
            self.texts[field, self._language(call)] = text
            return True

        return set

    def _getter(self, field: str) -> Callable[[Call], Awaitable[Any]]:
        async def get(call: Call) -> Any:
            default = self.world.bot.name if field == "name" else ""
            text = self.texts.get((field, self._language(call))) or self.texts.get((field, "")) or default
            return {field: text}

        return get
