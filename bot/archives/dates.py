"""The times of exports, as aware UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

# The time of a message whose own cannot be read and that has no message before it.
START = datetime(2000, 1, 1, tzinfo=UTC)

# A date and time of day as people's phones write them, with the words around it and the half of the day.
STAMP = (
    r"(?P<first>\d{1,4})[./-]\s?(?P<second>\d{1,2}|[A-Za-z]{3})[./-]\s?(?P<third>\d{1,4})[.,،]?"
    r"\s{0,2}(?P<before>[^\W\d_]{0,5})\s{0,2}(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<seconds>\d{2}))?"
    r"\s{0,2}(?P<after>(?:[^\W\d_]\.?\s?[^\W\d_]?\.?)?)"
)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MORNING = frozenset({"am", "ص", "ق", "上午", "午前", "오전", "πμ"})
_EVENING = frozenset({"pm", "م", "ب", "下午", "午後", "오후", "μμ"})
_NOT_LETTERS = re.compile(r"[\W\d_]")


def from_iso(value: object) -> datetime | None:
    """Read an ISO 8601 time, UTC when it names no offset; None when it is none or no chat is that old."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment and _plausible(moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def from_unix(value: object) -> datetime | None:
    """Read seconds since 1970, a whole number or its digits; None when it is neither or out of range."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return _plausible(datetime.fromtimestamp(int(value), UTC))
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(slots=True)
class Calendar:
    """Which of day and month comes first in a file: as given until a date proves it."""

    month_first: bool = False

    def learn(self, stamp: re.Match[str]) -> None:
        """Take note of a date in which only one of the two can be a month."""
        if stamp["second"].isdecimal() and len(stamp["first"]) <= 2:
            first, second = int(stamp["first"]), int(stamp["second"])
            if max(first, second) > 12 >= min(first, second):
                self.month_first = second > 12

    def moment(self, stamp: re.Match[str]) -> datetime | None:
        """Return the UTC time of a match of STAMP, None when there is no such day or hour."""
        self.learn(stamp)
        try:
            year, month, day = self._date(stamp["first"], stamp["second"].lower(), stamp["third"])
            return _plausible(
                datetime(
                    year,
                    month,
                    day,
                    _hour(stamp),
                    int(stamp["minute"]),
                    int(stamp["seconds"] or 0),
                    tzinfo=UTC,
                )
            )
        except ValueError:
            return None

    def _date(self, first: str, second: str, third: str) -> tuple[int, int, int]:
        if len(first) > 2:
            return int(first), int(second), int(third)
        year = int(third) + (2000 if len(third) < 3 else 0)
        if second in _MONTHS:
            return year, _MONTHS.index(second) + 1, int(first)
        return (year, int(first), int(second)) if self.month_first else (year, int(second), int(first))


def _hour(stamp: re.Match[str]) -> int:
    half = _NOT_LETTERS.sub("", stamp["before"] + stamp["after"]).lower()
    hour = int(stamp["hour"])
    if half in _EVENING and hour < 12:
        return hour + 12
    return 0 if half in _MORNING and hour == 12 else hour


def _plausible(moment: datetime) -> datetime | None:
    return moment if 1970 <= moment.year < 3000 else None
