"""Telegram's published Bot API as a judge of what is asked and answered, and aiogram's types as another reading."""

from __future__ import annotations

import copy
import importlib
import json
import os
import re
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

JSON = Mapping[str, Any]
_NAME = "telegram-botapi.min.json"
_ALWAYS = re.compile(r"(?:always|must be) [\"“]?(\w+)")
_KINDS = ("type", "status", "source")
_FORMS = {"Integer": r"-?\d+", "Float": r"-?\d+(?:\.\d+)?", "Boolean": "true|false|True|False"}


def shape(value: object, key: str = "") -> Hashable:
    """Return what of a value the check depends on: its keys and types, and the words that tell types apart."""
    if isinstance(value, Mapping):
        return tuple((name, shape(one, name)) for name, one in sorted(value.items()))
    if isinstance(value, list):
        return frozenset(shape(one) for one in value)
    return value if key in _KINDS and isinstance(value, str) else type(value).__name__


class Aiogram:
    """aiogram's types, if they are installed."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        self._types = importlib.import_module("aiogram.types")
        self._methods = importlib.import_module("aiogram.methods")
        self._adapter: Callable[[Any], Any] = importlib.import_module("pydantic").TypeAdapter
        self._invalid: type[Any] = importlib.import_module("pydantic").ValidationError
        self._returned: dict[str, Any] = {}

    def _of(self, method: str | None) -> Any:
        key = method or ""
        if key not in self._returned:
            name = f"{method[0].upper()}{method[1:]}" if method else ""
            known = getattr(self._methods, name, None)
            kind = self._types.Update if method is None else getattr(known, "__returning__", None)
            self._returned[key] = self._adapter(kind) if kind is not None else None
        return self._returned[key]

    def read(self, method: str | None, value: object) -> tuple[list[str], list[str]]:
        """Return what is wrong with an update or a method's result, and the keys that only one side knows."""
        adapter = self._of(method)
        if adapter is None:
            return [], [f"aiogram has no {method}"]
        try:
            made = adapter.validate_python(value)
        except self._invalid as error:
            newer = [one["loc"] for one in error.errors() if self._is_newer(one)]
            if newer:
                later, _ = self.read(method, self._with(value, newer))
                return later, [f"aiogram wants {one}" for one in sorted({str(path[-1]) for path in newer})]
            return [
                f"aiogram does not read {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
            ], []
        return [], [f"aiogram does not know {one}" for one in self._extra(made)]

    def _is_newer(self, error: JSON) -> bool:
        return error["type"] == "missing" and error["loc"][-1] not in self._known

    @staticmethod
    def _with(value: object, paths: list[tuple[str | int, ...]]) -> object:
        made = copy.deepcopy(value)
        for *path, name in paths:
            at: Any = made
            for step in path:
                if isinstance(at, list) and isinstance(step, int):
                    at = at[step]
                elif isinstance(at, dict):
                    at = at.get(step, at)
            at[name] = False
        return made

    def _extra(self, made: object) -> Iterator[str]:
        if isinstance(made, list):
            for one in made:
                yield from self._extra(one)
        fields: Mapping[str, Any] | None = getattr(type(made), "model_fields", None)
        if fields is not None:
            for name in getattr(made, "model_extra", None) or ():
                yield f"{type(made).__name__}.{name}"
            for name in fields:
                yield from self._extra(getattr(made, name))


class Spec:
    """The check; each call returns problems, none if all is well; each shape is looked at once."""

    def __init__(self, document: JSON, aiogram: Aiogram | None) -> None:
        self.version = str(document.get("version", ""))
        self.types: JSON = document["types"]
        self.methods: JSON = {name.lower(): method for name, method in document["methods"].items()}
        self.aiogram = aiogram
        self.notes: list[str] = []
        self._seen: set[Hashable] = set()

    def _new(self, *what: Hashable) -> bool:
        if what in self._seen:
            return False
        self._seen.add(what)
        return True

    def request(self, method: str, params: JSON, files: set[str]) -> list[str]:
        """Check the parameters of a call: names, types, and whether all that are needed are there."""
        known = self.methods.get(method.lower())
        if known is None:
            return [f"there is no method {method}"]
        if not self._new("request", method, shape(params), frozenset(files)):
            return []
        fields = {field["name"]: field for field in known.get("fields", ())}
        problems = []
        for name, field in fields.items():
            if name in params:
                problems += self._best(field["types"], self._formed(params[name], field["types"]), name)
            elif field["required"] and name not in files:
                problems.append(f"{name} is missing")
        attached = {name for name in files if f"attach://{name}" in json.dumps(dict(params))}
        problems += [f"there is no parameter {name}" for name in params if name not in fields]
        problems += [f"the file {name} belongs nowhere" for name in sorted(files - set(fields) - attached)]
        return problems

    @staticmethod
    def _formed(value: object, types: list[str]) -> object:
        if not isinstance(value, str) or "String" in types:
            return value
        for type in types:
            if type in _FORMS and re.fullmatch(_FORMS[type], value):
                return json.loads(value.lower())
        if value[:1] in "[{" and not {"InputFile"} & set(types):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value

    def result(self, method: str, result: Any) -> list[str]:
        """Check the result of a method."""
        known = self.methods.get(method.lower())
        if known is None or not self._new("result", method, shape(result)):
            return []
        return self._best(known["returns"], result, "result") + self._read(known["name"], result)

    def update(self, update: JSON) -> list[str]:
        """Check an update."""
        if not self._new("update", shape(update)):
            return []
        return self._check("Update", update, "update") + self._read(None, update)

    def _read(self, method: str | None, value: object) -> list[str]:
        if self.aiogram is None:
            return []
        problems, notes = self.aiogram.read(method, value)
        self.notes += [note for note in notes if note not in self.notes]
        return problems

    def schema(self, name: str, value: object) -> list[str]:
        """Check an object against a type, by its name."""
        return self._check(name, value, name)

    def _best(self, types: list[str], value: object, at: str) -> list[str]:
        found = [self._check(type, value, at) for type in types]
        return min(found, key=len) if found else []

    def _check(self, type: str, value: object, at: str) -> list[str]:
        if type.startswith("Array of "):
            if not isinstance(value, list):
                return [f"{at} is no list"]
            inner = type.removeprefix("Array of ")
            return [problem for index, one in enumerate(value) for problem in self._check(inner, one, f"{at}[{index}]")]
        if type not in self.types or type == "InputFile":
            return [] if self._primitive(type, value) else [f"{at} is no {type}: {value!r:.60}"]
        known = self.types[type]
        if known.get("subtypes"):
            return self._variant(known["subtypes"], value, at)
        if not isinstance(value, Mapping):
            return [f"{at} is no {type}: {value!r:.60}"]
        fields = {field["name"]: field for field in known.get("fields", ())}
        problems = [f"{at}.{name} is unknown to {type}" for name in value if name not in fields]
        for name, field in fields.items():
            if name in value:
                problems += self._best(field["types"], value[name], f"{at}.{name}")
            elif field["required"]:
                problems.append(f"{at}.{name} is missing in {type}")
        return problems

    def _variant(self, names: list[str], value: object, at: str) -> list[str]:
        for name in names:
            for field in self.types.get(name, {}).get("fields", ()):
                told = _ALWAYS.search(field["description"]) if field["name"] in _KINDS else None
                if told and isinstance(value, Mapping) and value.get(field["name"]) == told[1]:
                    return self._check(name, value, at)
        return min((self._check(name, value, at) for name in names), key=len)

    @staticmethod
    def _primitive(type: str, value: object) -> bool:
        if type == "Boolean":
            return isinstance(value, bool)
        if type in ("Integer", "Float"):
            numbers = (int,) if type == "Integer" else (int, float)
            return isinstance(value, numbers) and not isinstance(value, bool)
        return isinstance(value, str)


def _path() -> Path:
    given = os.environ.get("HAVEN_SPECS")
    return (Path(given) if given else Path(__file__).parents[3] / "shared" / "specs") / _NAME


@cache
def _document(path: Path) -> JSON | None:
    if not path.is_file():
        return None
    found: JSON = json.loads(path.read_text(encoding="utf-8"))
    return found


@cache
def _aiogram(path: Path) -> Aiogram | None:
    document = _document(path) or {"types": {}}
    known = [field["name"] for one in document["types"].values() for field in one.get("fields", ())]
    try:
        return Aiogram(frozenset(known))
    except ImportError:
        return None


def load_spec() -> Spec | None:
    """Return the check, or nothing where the published description is missing."""
    path = _path()
    document = _document(path)
    return Spec(document, _aiogram(path)) if document else None
