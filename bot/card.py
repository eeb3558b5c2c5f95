"""Pages of Markdown of which a part is written by a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from classifiers.errors import InputError
from classifiers.tables import Table


class Card:
    """A page, of which the part between two marks of a command is written anew; the marks must be there."""

    def __init__(self, file: Path, command: str) -> None:
        self.file = file
        self._opens, self._closes = f"<!-- {command}: begin -->", f"<!-- {command}: end -->"
        try:
            old = file.read_text(encoding="utf-8") if file.exists() else f"{self._opens}\n{self._closes}\n"
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: cannot read this page: {error}") from None
        self._head, begin, rest = old.partition(self._opens)
        _, end, self._tail = rest.partition(self._closes)
        if not begin or not end:
            raise InputError(f"{file}: has no marks to put tables between ({self._opens} … {self._closes})")

    def write(self, circumstances: str, found: Sequence[Table], pictures: Sequence[str] = ()) -> None:
        """Write circumstances, tables and pictures (in Markdown) in the place of what was there."""
        text = "\n".join([*(table.markdown() for table in found), *(f"{picture}\n" for picture in pictures)])
        page = f"{self._head}{self._opens}\n\n{circumstances}\n\n{text}\n{self._closes}{self._tail}"
        self.file.write_text(page, encoding="utf-8")
