"""Text with entities as Telegram reads it: HTML parse mode, what it finds by itself, and UTF-16 offsets."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

JSON = dict[str, Any]
_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
    "span": "spoiler",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
}
_TAG = re.compile(r"""<(/?)([^\s<>/]*)((?:\s(?:[^<>"']|"[^"]*"|'[^']*')*)?)>""")
_ATTRIBUTE = re.compile(r"([-a-zA-Z]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
_REFERENCE = re.compile(r"&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(lt|gt|amp|quot)(?![a-zA-Z]));?")
_FOUND = (
    ("url", re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)]|\b(?:www\.|t\.me/)[^\s<>\"]*[^\s<>\".,;:!?)]")),
    ("email", re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]*\w")),
    ("bot_command", re.compile(r"(?<![\w/@<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/@])")),
    ("mention", re.compile(r"(?<![\w@])@[A-Za-z][A-Za-z0-9_]{3,31}\b")),
    ("phone_number", re.compile(r"(?<![\w+])\+\d(?:[ ().-]{0,2}\d){6,14}(?!\d)")),
    ("bank_card", re.compile(r"(?<!\d)\d{4}(?: ?\d{4}){3}(?!\d)")),
    ("hashtag", re.compile(r"(?<![\w#&])#\w*[^\W\d]\w*")),
)


class ParseError(Exception):
    """Why a text cannot be parsed, in Telegram's words."""


def units(text: str) -> int:
    """Return the length of a text in UTF-16 code units."""
    return len(text) + sum(ord(one) > 0xFFFF for one in text)


def slice_units(text: str, offset: int, length: int) -> str:
    """Return a part of a text, counted in UTF-16 code units."""
    data = text.encode("utf-16-le", "surrogatepass")
    return data[offset * 2 : (offset + length) * 2].decode("utf-16-le", "replace")


def entity(type: str, text: str, start: int, end: int, **more: Any) -> JSON:
    """Return an entity for a range of characters."""
    return {"type": type, "offset": units(text[:start]), "length": units(text[start:end])} | more


@dataclass
class _Open:
    tag: str
    at: int
    attributes: dict[str, str]
    made: JSON


def _unescape(text: str) -> str:
    return _REFERENCE.sub(lambda one: html.unescape(one[0] if one[0].endswith(";") else one[0] + ";"), text)


def _attributes(text: str) -> dict[str, str]:
    found = _ATTRIBUTE.finditer(text)
    return {one[1].lower(): _unescape(one[2] or one[3] or one[4] or "") for one in found}


def _start(tag: str, attributes: dict[str, str], at: int, offset: int) -> _Open:
    made: JSON = {"type": _TAGS[tag], "offset": offset}
    if tag == "a":
        made["url"] = attributes.get("href", "")
    elif tag == "span" and attributes.get("class") != "tg-spoiler":
        raise ParseError(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
    elif tag == "tg-emoji":
        made["custom_emoji_id"] = attributes.get("emoji-id", "")
    elif tag == "blockquote" and "expandable" in attributes:
        made["type"] = "expandable_blockquote"
    elif tag == "code" and attributes.get("class", "").startswith("language-"):
        made["language"] = attributes["class"].removeprefix("language-")
    return _Open(tag, at, attributes, made)


def parse_html(source: str) -> tuple[str, list[JSON]]:
    """Return the text and the entities of HTML, or raise what Telegram would say is wrong."""
    text, at = "", 0
    entities: list[JSON] = []
    stack: list[_Open] = []
    while at < len(source):
        here = source.find("<", at)
        text += _unescape(source[at : here if here >= 0 else len(source)])
        if here < 0:
            break
        byte = len(source[:here].encode())
        tag = _TAG.match(source, here)
        if not tag:
            name = re.split(r"[\s>]", source[here + 1 :], maxsplit=1)[0].lower()
            known = name in _TAGS or here + 1 + len(name) == len(source)
            what = "Unclosed start tag" if known else f'Unsupported start tag "{name}"'
            raise ParseError(f"{what} at byte offset {byte}")
        at, name = tag.end(), tag[2].lower()
        if not tag[1]:
            if name not in _TAGS:
                raise ParseError(f'Unsupported start tag "{name}" at byte offset {byte}')
            stack.append(_start(name, _attributes(tag[3]), byte, units(text)))
            continue
        if not stack:
            raise ParseError(f"Unexpected end tag at byte offset {byte}")
        opened = stack.pop()
        if opened.tag != name:
            expected = f'expected "</{opened.tag}>", found "</{name}>"'
            raise ParseError(f"Unmatched end tag at byte offset {byte}, {expected}")
        _close(opened, text, entities)
    if stack:
        raise ParseError(f'Can\'t find end tag corresponding to start tag "{stack[-1].tag}"')
    return trimmed(text, entities)


def _close(opened: _Open, text: str, entities: list[JSON]) -> None:
    made = opened.made
    made["length"] = units(text) - made["offset"]
    if opened.tag == "a":
        inner = slice_units(text, made["offset"], made["length"])
        url = made["url"] or inner
        user = re.fullmatch(r"tg://user\?id=(\d+)", url)
        if user:
            made |= {"type": "text_mention", "user_id": int(user[1])}
            del made["url"]
        elif "." in url or "://" in url:
            made["url"] = url if "://" in url else f"http://{url}"
            host = re.fullmatch(r"\w+://[^/?#]+", made["url"])
            made["url"] += "/" if host else ""
        else:
            return
    within = [one for one in entities if one["type"] == "code" and one["offset"] == made["offset"]]
    if made["type"] == "pre" and within and within[0]["length"] == made["length"]:
        entities.remove(within[0])
        made |= {key: within[0][key] for key in ("language",) if key in within[0]}
    elif made["type"] == "code":
        entities.append(made)
        return
    if made["length"]:
        entities.append(made)


def trimmed(text: str, entities: list[JSON]) -> tuple[str, list[JSON]]:
    """Return a text without white space around it, and the entities moved with it, in their order."""
    left = len(text) - len(text.lstrip())
    cut, kept = units(text[:left]), text.strip()
    most, made = units(kept), []
    for one in entities:
        start = max(one["offset"] - cut, 0)
        end = min(one["offset"] + one["length"] - cut, most)
        if end > start:
            shown = {key: value for key, value in one.items() if key != "language" or one["type"] == "pre"}
            made.append(shown | {"offset": start, "length": end - start})
    return kept, sorted(made, key=lambda one: (one["offset"], -one["length"]))


def found(text: str, entities: list[JSON]) -> list[JSON]:
    """Return the entities with those that Telegram finds by itself: commands, mentions, links and so on."""
    made = list(entities)
    taken = [(one["offset"], one["offset"] + one["length"]) for one in made if one["type"] not in ("bold", "italic")]
    if not any(mark in text for mark in "/@#.:0123456789"):
        return made
    for kind, pattern in _FOUND:
        for one in pattern.finditer(text):
            new = entity(kind, text, one.start(), one.end())
            start, end = new["offset"], new["offset"] + new["length"]
            if not any(start < last and first < end for first, last in taken):
                made.append(new)
                taken.append((start, end))
    return sorted(made, key=lambda one: (one["offset"], -one["length"]))
