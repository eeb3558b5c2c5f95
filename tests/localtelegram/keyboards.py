"""What Telegram checks of the keyboard below a message."""

from __future__ import annotations

import re
from typing import Any

from localtelegram.api import bad
from localtelegram.entities import JSON
from localtelegram.world import World

_KINDS: tuple[str, ...] = (
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
)
_KINDS += ("switch_inline_query_chosen_chat", "copy_text", "callback_game", "pay")
_START = re.compile(r"(?:https?://)?t\.me/[A-Za-z]\w{3,31}/?\?(?:start|startgroup|startchannel)=([^&#]*)")
_USER = re.compile(r"tg://user\?id=\d+")
_WEB = re.compile(r"(?:https?://)?(?:[\w-]+\.)+[a-zA-Z0-9]{1,}(?::\d+)?(?:[/?#]\S*)?")
MOST_BUTTONS, MOST_DATA, MOST_START = 100, 64, 64


def check_url(world: World, url: str) -> str:
    """Return the URL of a button as Telegram keeps it, or refuse it; of a deep link that does not work, complain."""
    start = _START.fullmatch(url)
    if start and not re.fullmatch(rf"[A-Za-z0-9_-]{{0,{MOST_START}}}", start[1]):
        world.complain(f"{url}: the payload of a deep link has 1-64 characters A-Za-z0-9_-")
    if url.startswith("tg://") or _USER.fullmatch(url):
        return url
    if not _WEB.fullmatch(url):
        raise bad(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL", fault=True)
    return url if "://" in url else f"http://{url}"


def _button(world: World, button: Any) -> JSON:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad("can't parse inline keyboard button: Can't find field \"text\"", fault=True)
    kinds = [kind for kind in _KINDS if kind in button]
    if not kinds:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard", fault=True)
    if len(kinds) > 1:
        raise bad("can't parse inline keyboard button: exactly one action must be given", fault=True)
    if not button["text"].strip():
        raise bad("can't parse inline keyboard button: Button text must be non-empty", fault=True)
    if kinds[0] == "callback_data" and not 1 <= len(str(button["callback_data"]).encode()) <= MOST_DATA:
        raise bad("BUTTON_DATA_INVALID", fault=True)
    if kinds[0] == "url":
        return button | {"url": check_url(world, str(button["url"]))}
    return button


def inline_keyboard(world: World, markup: Any) -> JSON | None:
    """Return an inline keyboard as it is shown, none for other keyboards or an empty one, or refuse it."""
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup", fault=True)
    rows = markup.get("inline_keyboard")
    if rows is None:
        if not {"keyboard", "remove_keyboard", "force_reply"} & set(markup):
            raise bad("can't parse reply keyboard markup JSON object", fault=True)
        return None
    made = [[_button(world, button) for button in row] for row in rows if row]
    if sum(map(len, made)) > MOST_BUTTONS:
        raise bad("reply markup is too long", fault=True)
    return {"inline_keyboard": made} if made else None
