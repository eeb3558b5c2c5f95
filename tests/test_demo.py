"""The bundled story: one private warning, one alert, and nothing twice."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bot import advice
from bot.demo import story
from classifiers.assessment import Kind

Run = Callable[..., subprocess.CompletedProcess[str]]
Frames = Callable[[str], list[tuple[str, str]]]

WARNING = re.compile(r"to (?P<name>.+), in private  ·  case (?P<case>\w+)")
ALERT = re.compile(r"to the moderators  ·  case (?P<case>\w+)")
EDIT = re.compile(ALERT.pattern + ", the same alert, edited")


def outbox(database: Path) -> list[tuple[int, str, str, str | None]]:
    """Return id, case, effect and outcome of everything recorded."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT id, case_id, effect, outcome FROM outbox ORDER BY id").fetchall()


def test_the_demo_ends_with_one_private_warning_to_sam_and_one_alert(
    haven: Run, tmp_path: Path, frames: Frames
) -> None:
    result = haven("demo")
    assert (result.returncode, result.stderr) == (0, "")
    shown = frames(result.stdout)
    warnings = [found for title, _ in shown if (found := WARNING.fullmatch(title))]
    alerts = [found for title, _ in shown if (found := ALERT.fullmatch(title))]
    edits = [found for title, _ in shown if (found := EDIT.fullmatch(title))]
    assert [found["name"] for found in warnings] == ["Sam"]
    assert len(alerts) == 1
    assert len(warnings) + len(alerts) + len(edits) == len(shown) == result.stdout.count("╭─")
    assert {found["case"] for found in (*warnings, *alerts, *edits)} == {alerts[0]["case"]}
    assert "Everybody else was left alone" in result.stdout
    assert not list(tmp_path.iterdir())


def test_the_demo_shows_the_story_the_page_of_advice_and_why(haven: Run, frames: Frames) -> None:
    screen = haven("demo", "--pace", "0").stdout
    at, text = 0, " ".join(screen.split())
    for turn in story().turns:
        at = text.index(f"{turn.author} {'> ' if turn.quoted else ''}{(turn.quoted or turn.text)[:20]}", at) + 1
    shown = frames(screen)
    (warning,) = [body for title, body in shown if WARNING.fullmatch(title)]
    page = advice.warning("en-GB", kind=Kind.THREAT, crisis=False).plain()
    assert "".join(warning.split()) == "".join(page.split())
    *_, last = [body for title, body in shown if not WARNING.fullmatch(title)]
    for words in ("looks like sextortion by kayla_x", "Sam: was warned in private", "gift cards"):
        assert words in last


def test_played_again_on_its_database_the_demo_does_nothing_twice(haven: Run, tmp_path: Path, frames: Frames) -> None:
    database = tmp_path / "story.db"
    first = haven("demo", "--pace", "0", "--database", "story.db")
    recorded = outbox(database)
    assert {path.name for path in tmp_path.iterdir()} == {"story.db", "story.db.lock", "story.key"}
    assert sorted(effect for _, _, effect, _ in recorded if effect != "UpdateAlert") == [
        "AdviseTarget",
        "AlertModerators",
    ]
    assert {outcome for *_, outcome in recorded} == {"delivered"}
    assert frames(first.stdout)
    again = haven("demo", "--pace", "0", "--database", database)
    assert (again.returncode, again.stderr) == (0, "")
    assert "╭" not in again.stdout
    assert "nothing is done twice" in " ".join(again.stdout.split())
    assert outbox(database) == recorded
