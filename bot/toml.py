"""A TOML file as a typed structure, and in one line what is wrong with it and where."""

from __future__ import annotations

import re
import tomllib
from errno import ENOENT
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Struct

from classifiers.errors import InputError

_NOT_TOML = re.compile(
    r"(?P<what>(?P<twice>Cannot (?:overwrite|declare|redefine)|Duplicate)?.*)"
    r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)",
    re.DOTALL,
)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*?)`(?: - at `\$(?P<at>.*)`)?", re.DOTALL)
_WRONG = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<at>.*)`)?", re.DOTALL)
_OF_A_KEY = re.compile(r"[a-z_]+: ")  # what a table says of one of its keys

_Struct = TypeVar("_Struct", bound=Struct)


def read(file: Path) -> dict[str, Any]:
    """Return what a TOML file holds; InputError says in which line it does not."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        link = f" (a link to {file.readlink()})" if error.errno == ENOENT and file.is_symlink() else ""
        raise InputError(f"{file}: cannot read the settings: {error.strerror}{link}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{file}: line {line}: not text in UTF-8: save the file in that encoding") from None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        found = _NOT_TOML.fullmatch(str(error))
        if found is None:
            raise InputError(f"{file}: not TOML: {error}") from None
        line = int(found["line"] or text.rstrip().count("\n") + 1)
        what = "this key or table stands above already" if found["twice"] else found["what"]
        raise InputError(f"{file}: line {line}: not TOML: {what}") from None


def convert(raw: object, type: type[_Struct], file: str, prefix: str) -> _Struct:
    """Return what was read as a structure; InputError names the file, the key below `prefix` and what is allowed."""
    try:
        return msgspec.convert(raw, type)
    except msgspec.ValidationError as error:
        raise InputError(f"{file}: {_explain(str(error), type, prefix)}") from None


def _explain(message: str, type: type, prefix: str) -> str:
    """Say which key is wrong and what is allowed there."""
    unknown, wrong = _UNKNOWN.fullmatch(message), _WRONG.fullmatch(message)
    found = unknown or wrong
    path = [name for name in ((found and found["at"]) or "").split(".") if name]
    hint: Any = type
    for name in path:
        name, listed, _ = name.partition("[")
        hint = get_type_hints(hint, include_extras=True).get(name) if hasattr(hint, "__struct_fields__") else None
        hint = get_args(hint)[0] if listed and get_args(hint) else hint
    where = ".".join(filter(None, (prefix, *path)))
    if unknown:
        key = ".".join(filter(None, (where, unknown["key"])))
        return f"{key}: unknown key; allowed: {', '.join(hint.__struct_fields__)}"
    what = wrong["what"] if wrong else message
    if what.startswith("Expected `str` matching regex"):  # the words for it stand beside the pattern
        what = f"expected {' and '.join(meta.description for meta in hint.__metadata__ if meta.description)}"
    allowed = f"; allowed: {', '.join(get_args(hint))}" if "enum" in what and get_args(hint) else ""
    joint = "." if _OF_A_KEY.match(what) else ": "
    return f"{where}{joint}{what}{allowed}".replace("`", "")
