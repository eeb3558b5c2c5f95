"""What Discord checks in the bodies of requests about messages and modals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from localdiscord.messages import COMPONENTS_V2, nested
from localdiscord.state import JSON

Problem = tuple[str, str, str]
_ROWS, _SELECTS = (1,), (3, 5, 6, 7, 8)
_LAYOUT = (1, 9, 10, 12, 13, 14, 17)


def as_errors(problems: list[Problem]) -> JSON:
    """Return problems as Discord's nested object of errors."""
    made: JSON = {}
    for path, code, text in problems:
        place = made
        for part in path.split("."):
            place = place.setdefault(part, {})
        place.setdefault("_errors", []).append({"code": code, "message": text})
    return made


def _length(path: str, value: object, most: int, least: int = 0) -> Iterator[Problem]:
    if value is None:
        return
    if not isinstance(value, str):
        yield path, "STRING_TYPE_CONVERT", "Could not interpret this as string."
    elif least and not value.strip():
        yield path, "BASE_TYPE_REQUIRED", "This field is required"
    elif len(value) > most:
        yield path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length."


def _required(path: str, body: JSON, key: str, most: int) -> Iterator[Problem]:
    if not body.get(key):
        yield f"{path}.{key}", "BASE_TYPE_REQUIRED", "This field is required"
    yield from _length(f"{path}.{key}", body.get(key), most)


def _embed(path: str, embed: JSON) -> Iterator[Problem]:
    yield from _length(f"{path}.title", embed.get("title"), 256)
    yield from _length(f"{path}.description", embed.get("description"), 4096)
    if embed.get("footer"):
        yield from _required(f"{path}.footer", embed["footer"], "text", 2048)
    if embed.get("author"):
        yield from _required(f"{path}.author", embed["author"], "name", 256)
    fields = embed.get("fields") or []
    if len(fields) > 25:
        yield f"{path}.fields", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length."
    for index, field in enumerate(fields):
        at = f"{path}.fields.{index}"
        for key, most in (("name", 256), ("value", 1024)):
            yield from _length(f"{at}.{key}", field.get(key) or "", most, 1)
    shown = ("title", "description", "fields", "image", "thumbnail", "footer", "author", "url", "video")
    if not any(embed.get(key) for key in shown):
        yield path, "EMBED_EMPTY", "An embed must show something."


def embed_size(embed: JSON) -> int:
    """Return how much of an embed counts towards the limit of 6000 characters."""
    size = len(embed.get("title") or "") + len(embed.get("description") or "")
    size += len((embed.get("footer") or {}).get("text") or "") + len((embed.get("author") or {}).get("name") or "")
    return size + sum(len(one.get("name") or "") + len(one.get("value") or "") for one in embed.get("fields") or [])


def _button(at: str, one: JSON) -> Iterator[Problem]:
    yield from _length(f"{at}.label", one.get("label"), 80)
    if one.get("style") not in (1, 2, 3, 4, 5, 6):
        yield f"{at}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}."
    if one.get("style") == 5:
        if not one.get("url") or one.get("custom_id"):
            yield at, "BUTTON_COMPONENT_LINK", "A link button must have a url and no custom id"
        yield from _length(f"{at}.url", one.get("url"), 512)
    elif one.get("url"):
        yield at, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "A custom id and url cannot both be specified"
    if not one.get("label") and not one.get("emoji"):
        yield at, "BUTTON_COMPONENT_EMPTY", "A button must have a label or an emoji"


def _select(at: str, one: JSON) -> Iterator[Problem]:
    yield from _length(f"{at}.placeholder", one.get("placeholder"), 150)
    least, most = one.get("min_values", 1), one.get("max_values", 1)
    if not (0 <= least <= 25 and 1 <= most <= 25 and least <= most):
        yield f"{at}.max_values", "BASE_TYPE_MAX_LENGTH", "min_values and max_values do not fit."
    if one["type"] != 3:
        return
    options = one.get("options") or []
    if not 1 <= len(options) <= 25:
        yield f"{at}.options", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length."
    for index, option in enumerate(options):
        yield from _required(f"{at}.options.{index}", option, "label", 100)
        yield from _required(f"{at}.options.{index}", option, "value", 100)
        yield from _length(f"{at}.options.{index}.description", option.get("description"), 100, 1)
    if len({option.get("value") for option in options}) < len(options):
        yield f"{at}.options", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used"
    if most > len(options) > 0:
        yield f"{at}.max_values", "BASE_TYPE_MAX_LENGTH", "There are fewer options than that."


def _custom_ids(at: str, components: list[JSON]) -> Iterator[Problem]:
    seen: set[str] = set()
    for one in nested(components):
        kind, id = one.get("type"), one.get("custom_id")
        if kind in (*_SELECTS, 4) or (kind == 2 and one.get("style") in (1, 2, 3, 4)):
            yield from _required(at, one, "custom_id", 100)
            if id in seen:
                yield at, "COMPONENT_CUSTOM_ID_DUPLICATED", f"Component custom id {id!r} cannot be duplicated"
            seen.add(str(id))


def _row(at: str, row: JSON) -> Iterator[Problem]:
    inside = row.get("components") or []
    if not 1 <= len(inside) <= 5:
        yield f"{at}.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length."
    if len(inside) > 1 and any(one.get("type") != 2 for one in inside):
        yield f"{at}.components", "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width"


def check_components(components: list[JSON], flags: int) -> Iterator[Problem]:
    """Yield what is wrong with a message's components."""
    second = bool(flags & COMPONENTS_V2)
    if len(components) > (40 if second else 5) or len(list(nested(components))) > 40 + 5 * (not second):
        yield "components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length."
    for index, one in enumerate(components):
        if one.get("type") not in (_LAYOUT if second else _ROWS):
            yield f"components.{index}.type", "UNION_TYPE_CHOICES", "Value of field 'type' must be one of (1,)."
    for index, one in enumerate(nested(components)):
        at = f"components.{index}"
        if one.get("type") == 1:
            yield from _row(at, one)
        elif one.get("type") == 2:
            yield from _button(at, one)
        elif one.get("type") in _SELECTS:
            yield from _select(at, one)
        elif one.get("type") == 4:
            yield at, "UNION_TYPE_CHOICES", "A text input is for modals only."
        elif one.get("type") == 10:
            yield from _required(at, one, "content", 4000)
    yield from _custom_ids("components", components)


def check_message(body: JSON, flags: int = 0, files: int = 0) -> list[Problem]:
    """Return what is wrong with the body of a message, apart from being empty."""
    problems = list(_length("content", body.get("content"), 2000))
    embeds = body.get("embeds") or []
    if len(embeds) > 10:
        problems.append(("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length."))
    for index, embed in enumerate(embeds):
        problems += _embed(f"embeds.{index}", embed)
    if sum(map(embed_size, embeds)) > 6000:
        problems.append(("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000"))
    problems += check_components(body.get("components") or [], flags)
    if flags & COMPONENTS_V2 and (body.get("content") or embeds or body.get("poll")):
        text = "The 'content' and 'embeds' fields cannot be used when using MessageFlags.IS_COMPONENTS_V2"
        problems.append(("flags", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", text))
    problems += _allowed(body.get("allowed_mentions"))
    problems += _length("nonce", str(body["nonce"]) if body.get("nonce") is not None else None, 25)
    if files > 10 or len(body.get("attachments") or []) > 10:
        problems.append(("attachments", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length."))
    return problems


def _allowed(allowed: Any) -> Iterator[Problem]:
    for kind in ("users", "roles"):
        named = (allowed or {}).get(kind) or []
        if named and kind in ((allowed or {}).get("parse") or []):
            text = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            yield "allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", text
        if len(named) > 100:
            yield f"allowed_mentions.{kind}", "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length."


def is_empty(body: JSON, files: int = 0) -> bool:
    """Say whether a message would show nothing."""
    shown = ("embeds", "components", "sticker_ids", "poll")
    content = body.get("content")
    return not (content and str(content).strip()) and not any(body.get(key) for key in shown) and not files


def _input(at: str, one: JSON, *, labelled: bool) -> Iterator[Problem]:
    if not labelled:
        yield from _required(at, one, "label", 45)
    elif one.get("label"):
        yield f"{at}.label", "TEXT_INPUT_LABEL", "The label belongs to the label component."
    yield from _length(f"{at}.placeholder", one.get("placeholder"), 100)
    yield from _length(f"{at}.value", one.get("value"), 4000)
    if one.get("style") not in (1, 2):
        yield f"{at}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2}."
    if not 1 <= (one.get("max_length") or 4000) <= 4000 or not 0 <= (one.get("min_length") or 0) <= 4000:
        yield f"{at}.max_length", "NUMBER_TYPE_MAX", "int value should be less than or equal to 4000."


def check_modal(data: JSON) -> list[Problem]:
    """Return what is wrong with a modal."""
    problems = [*_required("data", data, "title", 45), *_required("data", data, "custom_id", 100)]
    components = data.get("components") or []
    if not 1 <= len(components) <= 5:
        problems.append(("data.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length."))
    for index, one in enumerate(components):
        at = f"data.components.{index}"
        if one.get("type") == 18:
            problems += [*_required(at, one, "label", 45), *_length(f"{at}.description", one.get("description"), 100)]
            inside = one.get("component") or {}
            if inside.get("type") == 4:
                problems += _input(f"{at}.component", inside, labelled=True)
            elif inside.get("type") in _SELECTS:
                problems += _select(f"{at}.component", inside)
        elif one.get("type") == 1:
            for inside in one.get("components") or []:
                problems += _input(f"{at}.components.0", inside, labelled=False)
            if len(one.get("components") or []) != 1:
                problems.append((f"{at}.components", "BASE_TYPE_BAD_LENGTH", "Must be 1 in length."))
        elif one.get("type") != 10:
            problems.append((f"{at}.type", "UNION_TYPE_CHOICES", "Value of field 'type' must be one of (1, 10, 18)."))
    return problems + list(_custom_ids("data.components", components))
