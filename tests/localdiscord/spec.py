"""Discord's published OpenAPI as a judge of what is sent and answered, put right where it is wrong itself."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_URI = "urn:discord"
_JSON = "requestBody content application/json schema"
_BAN = "/guilds/{guild_id}/bans/{user_id}"


# Why the document is wrong, what it should say, and where, below its paths or schemas.
AMENDMENTS: tuple[tuple[str, object, str], ...] = (
    (
        "discord.py writes these ids as numbers; Discord reads them, though it answers with strings",
        {"anyOf": [{"$ref": f"{_URI}#/components/schemas/SnowflakeType"}, {"type": "integer", "minimum": 0}]},
        "MessageAllowedMentionsRequest properties users items, MessageAllowedMentionsRequest properties roles items, "
        "MessageReferenceRequest properties message_id, MessageReferenceRequest properties channel_id, "
        "MessageReferenceRequest properties guild_id, MessageAttachmentRequest properties id, "
        "CreatePrivateChannelRequest properties recipient_id, BulkBanUsersRequest properties user_ids items, "
        f"/channels/{{channel_id}}/messages/bulk-delete post {_JSON} properties messages items, "
        f"/guilds/{{guild_id}}/members/{{user_id}} patch {_JSON} properties roles items, "
        "ChannelSelectDefaultValue properties id, RoleSelectDefaultValue properties id, "
        "UserSelectDefaultValue properties id",
    ),
    (
        "age-restricted commands are documented (discord-api-docs, pull request 5617); discord.py always sends the key",
        {"type": ["boolean", "null"]},
        "ApplicationCommandCreateRequest properties nsfw, ApplicationCommandUpdateRequest properties nsfw",
    ),
    (
        "discord.py sends `tts: false` with edits too, where it means nothing",
        {"const": False},
        "MessageEditRequestPartial properties tts, IncomingWebhookUpdateRequestPartial properties tts, "
        "IncomingWebhookUpdateForInteractionCallbackRequestPartial properties tts",
    ),
    ("discord.py sends an embed's flags, which only Discord sets", {"const": 0}, "RichEmbed properties flags"),
    ("bans and unbans need no body", False, f"{_BAN} put requestBody required, {_BAN} delete requestBody required"),
    (
        "discord.py puts what a ban deletes into the query",
        [{"in": "query", "name": "delete_message_seconds", "schema": {"type": "integer", "maximum": 604800}}],
        f"{_BAN} put parameters",
    ),
    (
        "the code of an error about one field is a word, as documented (BASE_TYPE_REQUIRED)",
        {"required": ["code", "message"], "properties": {"code": {"type": "string"}, "message": {"type": "string"}}},
        "InnerErrors properties _errors items",
    ),
    (
        "a rate limit need have no code, as documented",
        [{"required": ["message", "retry_after", "global"], "properties": {"retry_after": {"type": "number"}}}],
        "RatelimitedResponse allOf",
    ),
)

_FORMATS: Mapping[str, Callable[[Any], bool]] = {
    "date-time": lambda it: not isinstance(it, str) or bool(it[10:11] == "T" and datetime.fromisoformat(it).tzinfo),
    "int32": lambda it: not isinstance(it, int) or -(2**31) <= it < 2**31,
    "snowflake": lambda it: not isinstance(it, str) or int(it) < 2**63,
    "uri": lambda it: not isinstance(it, str) or bool(urlsplit(it).scheme),
}
_formats = FormatChecker(())
for _name, _fits in _FORMATS.items():
    _formats.checks(_name, ValueError)(_fits)


def _listed(validator: Any, known: Mapping[str, Any], body: Any, schema: Any) -> Iterator[ValidationError]:
    """Check properties as ever, and complain of keys that are not listed, which Discord ignores silently."""
    yield from Draft202012Validator.VALIDATORS["properties"](validator, known, body, schema)
    if isinstance(body, dict) and "additionalProperties" not in schema:
        yield from (ValidationError("unknown key", path=(key,)) for key in body if key not in known)


# The branches of every `oneOf` exclude each other, so the first branch that fits is the only one.
_Lax = validators.extend(Draft202012Validator, {"oneOf": Draft202012Validator.VALIDATORS["anyOf"]})  # type: ignore[no-untyped-call]
_Strict = validators.extend(_Lax, {"properties": _listed})  # type: ignore[no-untyped-call]


class Spec:
    """The published routes and schemas; every check returns its complaints, one line each."""

    def __init__(self, text: str) -> None:
        document = json.loads(text.replace('"#/', f'"{_URI}#/'))
        self._paths, self._schemas = document["paths"], document["components"]["schemas"]
        for _why, says, places in AMENDMENTS:
            for place in places.split(", "):
                *way, last = place.split()
                reduce(getitem, way, self._paths | self._schemas)[last] = says
        self._registry: Registry[Any] = Registry().with_resource(_URI, DRAFT202012.create_resource(document))
        self._validators: dict[tuple[int, Any], Any] = {}
        # Sorted, literal parts come before parameters: "{" is after "@" and every letter.
        self._routes = {each: re.compile(re.sub("{(.*?)}", r"(?P<\1>[^/]+)", each)) for each in sorted(self._paths)}

    def request(self, method: str, path: str, body: object | None, query: Mapping[str, str] = {}) -> list[str]:
        """Return what is wrong with a request: its route, its ids, its query, its body, keys unknown to Discord."""
        if (found := self._find(method, path)) is None:
            return [f"{method} {path}: unknown route"]
        template, operation, given = found
        problems = list(self._parameters(template, operation, {**given, **query}))
        expected = operation.get("requestBody")
        if expected is None:
            problems += [] if body is None else ["body: forbidden"]
        elif body is None:
            problems += ["body: missing"] if expected.get("required") else []
        elif "application/json" in expected["content"]:
            problems += self._check(expected["content"]["application/json"]["schema"], body, _Strict)
        return [f"{method} {template}: {problem}" for problem in problems]

    def response(self, method: str, path: str, status: int, body: object | None) -> list[str]:
        """Return what is wrong with an answer to such a request."""
        if (found := self._find(method, path)) is None:
            return [f"{method} {path}: unknown route"]
        answers = found[1]["responses"]
        answer = answers.get(str(status)) or answers.get(f"{status // 100}XX") or answers.get("default")
        answer = self._registry.resolver().lookup(answer["$ref"]).contents if answer and "$ref" in answer else answer
        problems = []
        if answer is None:
            problems = [f"status: only {', '.join(answers)} are published"]
        elif "content" not in answer:
            problems = [] if body is None else ["body: forbidden"]
        elif "application/json" in answer["content"]:
            problems = self._check(answer["content"]["application/json"]["schema"], body)
        return [f"{method} {found[0]} {status}: {problem}" for problem in problems]

    def schema(self, name: str, body: object) -> list[str]:
        """Return what is wrong with a body as the schema of this name among the components."""
        return [f"{name}: {problem}" for problem in self._check(self._schemas[name], body)]

    def _find(self, method: str, path: str) -> tuple[str, dict[str, Any], dict[str, str]] | None:
        """Find the operation of the most specific template which matches the path and has the method."""
        for template, pattern in self._routes.items():
            operation = self._paths[template].get(method.lower())
            if operation is not None and (match := pattern.fullmatch(path)):
                return template, operation, {name: unquote(value) for name, value in match.groupdict().items()}
        return None

    def _parameters(self, template: str, operation: dict[str, Any], given: Mapping[str, str]) -> Iterator[str]:
        """Check what stands in the path and in the query, where a text is right if any reading of it is."""
        published = self._paths[template].get("parameters", []) + operation.get("parameters", [])
        for name, schema, required in ((each["name"], each["schema"], each.get("required")) for each in published):
            if name in given:
                text = given[name]
                reading: Any = json.loads(text) if re.fullmatch(r"0|[1-9]\d*|true|false", text) else text
                if all(
                    self._check(schema, it) for it in (text, [text], reading, {0: False, 1: True}.get(reading, text))
                ):
                    yield f"{name}: {text!r} is not {json.dumps(schema)}"
            elif required:
                yield f"{name}: missing"
        for name in sorted(given.keys() - {each["name"] for each in published}):
            yield f"{name}: unknown in the query"

    def _check(self, schema: dict[str, Any], body: Any, kind: Any = _Lax) -> list[str]:
        """Validate a body by a schema of the document, whose validator is made once."""
        key = id(schema), kind
        if key not in self._validators:
            self._validators[key] = kind(schema, registry=self._registry, format_checker=_formats)
        return [complaint for error in self._validators[key].iter_errors(body) for complaint in _complaints(error)]


@cache
def load_spec() -> Spec | None:
    """Read the published document once, or return None where it is not at hand."""
    folder = os.environ.get("HAVEN_SPECS") or Path(__file__).parents[2].parent / "shared" / "specs"
    file = Path(folder) / "discord-openapi.json"
    return Spec(file.read_text(encoding="utf-8")) if file.is_file() else None


def _complaints(error: ValidationError) -> Iterator[str]:
    """Say where a body is wrong and why; of a union, by the branch whose type fits the body."""
    branches: dict[object, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.relative_schema_path[0], []).append(inner)
    meant = [branch for branch in branches.values() if not any(map(_is_another, branch))]
    if meant:
        for inner in min(meant, key=len):
            yield from _complaints(inner)
        return
    others = sorted(filter(_is_another, error.context or ()), key=lambda inner: -len(inner.relative_path)) or [error]
    said = " or ".join(dict.fromkeys(inner.message for inner in others if inner.path == others[0].path))
    yield f"{others[0].json_path}: {said if len(said) < 240 else f'{said[:120]} … {said[-120:]}'}"


def _is_another(error: ValidationError) -> bool:
    """Tell whether a branch complains that the body is another type of thing."""
    return (len(error.relative_path), error.validator) in {(0, "type"), (0, "const"), (1, "enum")}
