"""`haven run` and `haven try`: lines in, private messages and alerts out, over real pipes."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import pytest

from bot import advice
from bot.advice import Finding
from classifiers.assessment import Kind

Run = Callable[..., subprocess.CompletedProcess[str]]
Frames = Callable[[str], list[tuple[str, str]]]
Threat = Callable[[str, str], list[str]]

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
READING = "INFO bot.live: no platform has a token: reading the console\n"
SAYS = advice.says("en-GB")
ESCAPES = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e"


class Talk:
    """A process that is spoken to line by line; should it hang, it is ended after half a minute."""

    def __init__(self, command: str, folder: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bot", command],
            cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.heard = ""
        self._alarm = threading.Timer(30, self.process.kill)

    def __enter__(self) -> Talk:
        self._alarm.start()
        self.process.__enter__()
        return self

    def __exit__(self, *reason: Any) -> None:
        self.process.kill()
        self._alarm.cancel()
        self.process.__exit__(*reason)

    def say(self, *lines: str) -> None:
        stream = _open(self.process.stdin)
        stream.write("".join(f"{line}\n" for line in lines))
        stream.flush()

    def until(self, pattern: str) -> re.Match[str]:
        """Listen until a line has the pattern."""
        while line := _open(self.process.stdout).readline():
            self.heard += line
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{pattern!r} was not heard in:\n{self.heard}\n{self.errors()}")

    def end(self) -> int:
        """Stop speaking and listen to the end."""
        _open(self.process.stdin).close()
        self.heard += _open(self.process.stdout).read()
        return self.process.wait(60)

    def errors(self) -> str:
        return _open(self.process.stderr).read()


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream
    return stream


@pytest.fixture
def rehearsal(tmp_path: Path, environment: dict[str, str]) -> Iterator[Talk]:
    """`haven try` in an empty folder, which it has to leave empty, without a word on standard error."""
    with Talk("try", tmp_path, environment) as talk:
        yield talk
        if not _open(talk.process.stdin).closed:
            assert talk.end() == 0
        assert (talk.process.returncode, talk.errors()) == (0, "")
    assert not list(tmp_path.iterdir())


def private(screen: list[tuple[str, str]]) -> list[str]:
    """Return the titles of the warnings on a screen."""
    return [title for title, _ in screen if "in private  ·  case" in title]


def settled(folder: Path) -> list[tuple[str, str | None]]:
    """Return what was recorded, in order, with how it ended."""
    with closing(sqlite3.connect(folder / "haven.db")) as connection:
        return connection.execute("SELECT effect, outcome FROM outbox ORDER BY id").fetchall()


def words(text: str) -> str:
    return "".join(text.split())


# Run.


def test_run_warns_the_target_tells_the_moderators_and_writes_no_word_down(
    haven: Run, tmp_path: Path, frames: Frames, threat: Threat
) -> None:
    (tmp_path / "haven.toml").write_text('[log]\nlevel = "debug"')
    spoken = ["ann> anyone for pizza?", *threat("kayla", "sam"), "ben> me!", "not a line", "", "ann> /protect on"]
    result = haven("run", said="\n".join(spoken))
    assert result.returncode == 0
    titles = [re.sub(r"case \w+", "case", title) for title, _ in frames(result.stdout)]
    assert titles.count("to the moderators  ·  case") == 1
    assert titles.count("to sam, in private  ·  case") == 1
    assert {title for title in titles if "moderators" not in title} == {
        "to sam, in private  ·  case",
        "to ann, in private",
    }
    (warning,) = [body for title, body in frames(result.stdout) if title.startswith("to sam")]
    assert words(warning) == words(advice.warning("en-GB", kind=Kind.THREAT, crisis=False).plain())
    assert 'write "name> text"' in result.stdout
    assert " 99% image claim: " in result.stdout, "the model is never certain"
    assert "100%" not in result.stdout
    recorded = settled(tmp_path)
    assert recorded[0] == ("AlertModerators", "delivered")
    assert ("AdviseTarget", "delivered") in recorded
    assert {outcome for _, outcome in recorded} == {"delivered"}
    assert result.stderr.count(READING) == 1
    assert "INFO bot.outbox: AlertModerators of case " in result.stderr
    files = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.iterdir())
    for said in ("pizza", "nudes", "gift cards", "30 minutes", "please delete"):
        assert said not in result.stderr
        assert said not in files


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="only Linux shows the limits of others")
def test_a_crash_leaves_no_memory_behind(tmp_path: Path, environment: dict[str, str]) -> None:
    with Talk("run", tmp_path, environment) as talk:
        talk.say("ann> hello", "ann> /cases")
        talk.until(".")
        limits = Path(f"/proc/{talk.process.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)


@pytest.mark.parametrize(("mode", "alerts", "warnings"), [("observe", 0, 0), ("alert", 1, 0)])
def test_run_keeps_to_the_mode_of_its_settings(
    haven: Run, tmp_path: Path, frames: Frames, threat: Threat, mode: str, alerts: int, warnings: int
) -> None:
    (tmp_path / "haven.toml").write_text(f'[policy]\nmode = "{mode}"\n[log]\nlevel = "error"')
    result = haven("run", said="\n".join(threat("kayla", "sam")))
    assert (result.returncode, result.stderr) == (0, "")
    shown = frames(result.stdout)
    assert sum(title.startswith("to the moderators") and "edited" not in title for title, _ in shown) == alerts
    assert len(private(shown)) == warnings
    with closing(sqlite3.connect(tmp_path / "haven.db")) as connection:
        assert connection.execute("SELECT count(*) FROM cases").fetchone() == (1,)


def test_run_knows_after_a_restart_what_it_did(haven: Run, tmp_path: Path, frames: Frames, threat: Threat) -> None:
    said = "\n".join(threat("kayla", "sam"))
    assert len(private(frames(haven("run", said=said).stdout))) == 1
    recorded = settled(tmp_path)
    again = frames(haven("run", said=said).stdout)
    assert private(again) == []
    assert all("the same alert, edited" in title for title, _ in again)
    assert [effect for effect, _ in settled(tmp_path)[len(recorded) :]] == ["UpdateAlert"] * len(again)


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:surrogateescape"])
def test_run_takes_what_is_not_text_and_what_is_very_long(haven: Run, threat: Threat, encoding: str) -> None:
    odd = b"a> " + b"x" * 100_000 + b"\n\xff\xfe\x00> \xff\n" + b"y" * 100_000 + b"\n" + b" " * 100_000 + b"b>\n"
    said = "\n".join(threat("kayla", "sam")).encode().replace(b"30 minutes", b"30 minutes \xff\xed\xa0\x80")
    result = haven("run", said=odd + said, PYTHONIOENCODING=encoding)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert "looks like sextortion by kayla" in result.stdout
    assert "in private" in result.stdout
    assert len(result.stdout) < 30_000


def test_nothing_that_is_said_steers_the_terminal(haven: Run, threat: Threat) -> None:
    spoken = [line.replace("kayla", f"kayla{ESCAPES}", 1) + ESCAPES for line in threat("kayla", "sam")]
    result = haven("run", said="\n".join([*spoken, f"ann{ESCAPES}> /help", f"/confirm {ESCAPES}"]))
    assert result.returncode == 0
    assert "kayla�]0;pwned" in result.stdout
    assert "to ann�]0;pwned" in result.stdout
    assert not CONTROL.search(result.stdout + result.stderr)


def test_a_database_that_breaks_under_a_run_ends_it_with_a_line(
    tmp_path: Path, environment: dict[str, str], threat: Threat
) -> None:
    with Talk("run", tmp_path, environment) as talk:
        talk.say("ann> /protect status")
        talk.until("You have not chosen yet")
        with closing(sqlite3.connect(tmp_path / "haven.db")) as connection, connection:
            connection.execute("ALTER TABLE cases RENAME TO gone")
        talk.say(*threat("kayla", "sam"))
        assert talk.process.wait(30) == 1
        assert talk.errors() == f"{READING}haven: haven.db: no such table: cases\n"


@pytest.mark.parametrize("variables", [{}, {"HAVEN_DISCORD_TOKEN": "", "HAVEN_TELEGRAM_TOKEN": " "}])
def test_without_a_token_and_without_a_line_to_read_nobody_is_told_that_all_went_well(
    haven: Run, tmp_path: Path, variables: dict[str, str]
) -> None:
    result = haven("run", **variables)
    why = "no platform has a token (HAVEN_DISCORD_TOKEN or HAVEN_TELEGRAM_TOKEN), and standard input is empty"
    assert (result.returncode, result.stderr) == (1, f"{READING}haven: nothing to read: {why}\n")


def test_a_standard_input_that_is_closed_is_an_empty_one(tmp_path: Path, environment: dict[str, str]) -> None:
    for command, said in (("run", "nothing to read"), ("scan -", "standard input: it is closed")):
        closed = ["/bin/sh", "-c", f'exec "$0" -P -m bot {command} <&-', sys.executable]
        result = subprocess.run(closed, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert result.returncode == 1, result.stderr
        assert f"haven: {said}" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["demo", "try", "run", "scan said.txt", "scan --json said.txt"])
def test_a_standard_output_that_is_closed_ends_it_before_anything_is_read(
    tmp_path: Path, environment: dict[str, str], threat: Threat, command: str
) -> None:
    (tmp_path / "said.txt").write_text("\n".join(threat("kayla", "sam")))
    closed = ["/bin/sh", "-c", f'exec "$0" -P -m bot {command} <said.txt >&-', sys.executable]
    result = subprocess.run(closed, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (1, "haven: standard output: it is closed\n")
    assert [path.name for path in tmp_path.iterdir()] == ["said.txt"]


def test_what_nobody_read_is_delivered_at_the_next_start(
    haven: Run, tmp_path: Path, environment: dict[str, str], frames: Frames, threat: Threat
) -> None:
    with Talk("run", tmp_path, environment) as talk:
        _open(talk.process.stdout).close()
        talk.say(*threat("kayla", "sam"))
        assert talk.process.wait(30) == 1
        assert talk.errors() == READING
    assert settled(tmp_path)[0] == ("AlertModerators", None)
    shown = frames(haven("run").stdout)
    assert shown[0][0].startswith("to the moderators")
    assert {outcome for _, outcome in settled(tmp_path)} == {"delivered"}


def test_a_moderator_can_have_a_target_warned_once(
    tmp_path: Path, environment: dict[str, str], threat: Threat, frames: Frames
) -> None:
    (tmp_path / "haven.toml").write_text('[policy]\nadvice_by = "moderator"\n[log]\nlevel = "error"')
    with Talk("run", tmp_path, environment) as talk:
        talk.say(*threat("kayla", "sam"))
        case = talk.until(r"to the moderators  ·  case (\w+)")[1]
        talk.until("sam: waits for a moderator")
        talk.say(f"/advise {case} kayla", f"/advise {case} sam", f"/advise {case} sam", "/advise 12345 sam")
        talk.until("there is no case '12345'")
        assert (talk.end(), talk.errors()) == (0, "")
    assert private(frames(talk.heard)) == [f"to sam, in private  ·  case {case}"]
    assert "sam: was warned in private" in talk.heard
    assert talk.heard.count("The private advice is on its way.") == 1
    assert talk.heard.count("there is nobody to write to: the advice was sent, ") == 2


def test_nobody_is_warned_who_is_not_there(rehearsal: Talk, threat: Threat, frames: Frames) -> None:
    rehearsal.say("ann> hello @ben", *threat("kayla", "sam"))
    case = rehearsal.until(r"to sam, in private  ·  case (\w+)")[1]
    rehearsal.say(f"/advise {case} nobody", f"/advise {case} ben", "/forget ann", f"/advise {case} ann", "/cases")
    rehearsal.until(f"^{case}")
    assert rehearsal.end() == 0
    for name in ("nobody", "ann"):
        assert f"nobody called '{name}' has written here, or was written to, since Haven started" in rehearsal.heard
    told = {f"to {name}, in private  ·  case {case}" for name in ("sam", "ben")}
    assert set(private(frames(rehearsal.heard))) == told


def test_whom_a_case_names_may_be_warned_after_a_restart(
    haven: Run, tmp_path: Path, frames: Frames, threat: Threat
) -> None:
    (tmp_path / "haven.toml").write_text('[policy]\nadvice_by = "moderator"')
    found = re.search(r"to the moderators  ·  case (\w+)", haven("run", said="\n".join(threat("kayla", "sam"))).stdout)
    assert found
    again = haven("run", said=f"/advise {found[1]} sam")
    assert private(frames(again.stdout)) == [f"to sam, in private  ·  case {found[1]}"]


def test_the_evidence_of_a_case_is_shown_as_it_is_sealed(
    haven: Run, tmp_path: Path, refused: Callable[..., None], threat: Threat
) -> None:
    found = re.search(r"to the moderators  ·  case (\w+)", haven("run", said="\n".join(threat("kayla", "sam"))).stdout)
    assert found
    case = found[1]
    shown = haven("run", said=f"/evidence {case}\n/evidence 12345\n/case {case}").stdout
    (sheet,) = re.findall(
        r"^HAVEN: EVIDENCE.*?^SHA-256 [0-9a-f]{64} SEAL [0-9a-f]{64}\n", shown, re.DOTALL | re.MULTILINE
    )
    assert "send me 400 in gift cards or i send the video to your mum and your whole family" in sheet
    assert "Platform:            the console\n" in sheet
    assert "there is no case '12345'" in shown
    assert " UTC  took evidence: SHA-256" in shown
    (tmp_path / "sheet.txt").write_text(sheet, encoding="utf-8")
    assert haven("verify", "sheet.txt").stdout == "sheet.txt: unchanged, and sealed with this Haven's key\n"
    (tmp_path / "sheet.txt").write_text(sheet.replace("400", "500"), encoding="utf-8")
    refused(haven("verify", "sheet.txt"), "sheet.txt: changed since it was sealed")


# Try.


def test_a_ruling_is_shown_on_the_alert_and_a_dismissed_case_stays_silent(
    rehearsal: Talk, threat: Threat, frames: Frames
) -> None:
    rehearsal.say(*threat("kayla", "sam"))
    case = rehearsal.until(r"to sam, in private  ·  case (\w+)")[1]
    rehearsal.say(f"/confirm {case}")
    rehearsal.until("·  confirmed")
    rehearsal.say(f"/confirm {case}", f"/confirm {case} all", "/cases")
    rehearsal.until("^None is open.$")
    assert rehearsal.heard.count("Noted as sextortion. Save the evidence before you delete anything.") == 2
    assert rehearsal.heard.count("Noted for 1 case.\n") == 1
    rehearsal.say(f"/dismiss {case}")
    rehearsal.until("ruled not to be sextortion")
    rehearsal.say(*threat("kayla", "sam"), "/confirm 12345", "/ban kayla")
    rehearsal.until("there is no case '12345'")
    rehearsal.until(r"moderators may say /confirm CASE \[all\]")
    assert rehearsal.end() == 0
    assert private(frames(rehearsal.heard)) == [f"to sam, in private  ·  case {case}"]
    assert rehearsal.heard.count("ruled not to be sextortion") == 1


def test_a_command_of_moderators_that_lacks_something_is_named_with_what_belongs_to_it(rehearsal: Talk) -> None:
    rehearsal.say("/confirm", "/confirm 1 2", "/advise 12345", "/note 12345", "/cases 1", "/evidence")
    assert rehearsal.end() == 0
    assert rehearsal.heard.splitlines() == [
        "not understood: write /confirm CASE [all]",
        "not understood: write /confirm CASE [all]",
        "not understood: write /advise CASE NAME",
        "not understood: write /note CASE TEXT",
        "not understood: write /cases",
        "not understood: write /evidence CASE",
    ]


def test_who_wants_no_private_messages_gets_none(rehearsal: Talk, threat: Threat, frames: Frames) -> None:
    rehearsal.say("sam> /protect off", "sam> /protect status")
    rehearsal.until("Off. I will not write to you first")
    rehearsal.say(*threat("kayla", "sam"))
    case = rehearsal.until(r"to the moderators  ·  case (\w+)")[1]
    rehearsal.until("sam: asked not to be written to")
    rehearsal.say(f"/advise {case} sam", "sam> /protect on", "sam> /protect status")
    rehearsal.until("On. If I see someone threaten you")
    assert rehearsal.end() == 0
    assert private(frames(rehearsal.heard)) == []


def test_members_are_answered_in_private(rehearsal: Talk, frames: Frames) -> None:
    rehearsal.say("ann> /help", "ann> /protect", "ann> /protect status", "/nothing")
    rehearsal.until("moderators may say")
    assert "members may say /help" in rehearsal.heard
    shown = frames(rehearsal.heard)
    assert [title for title, _ in shown] == ["to ann, in private"] * 2
    help_page, status = (words(body) for _, body in shown)
    assert help_page == words(advice.help_page("en-GB").plain())
    assert status == words(SAYS.protect_unset)


def test_despair_after_the_alert_is_said_under_it_and_lifts_a_ruling(
    rehearsal: Talk, threat: Threat, frames: Frames
) -> None:
    rehearsal.say(*threat("kayla", "sam"))
    case = rehearsal.until(r"to sam, in private  ·  case (\w+)")[1]
    rehearsal.say(f"/dismiss {case}", "sam> i want to die")
    assert rehearsal.end() == 0
    shown = frames(rehearsal.heard)
    under = [body for title, body in shown if title == f"to the moderators  ·  case {case}"]
    assert [words(body) for body in under[1:]] == [words("Somebody shows despair: please look now")]
    edits = [body for title, body in shown if "the same alert, edited" in title]
    assert "signs of despair" in edits[-1].lower()
    assert len(private(shown)) == 2


def test_nobody_is_warned_because_of_a_case_that_was_dismissed(rehearsal: Talk, threat: Threat) -> None:
    rehearsal.say(*threat("kayla", "sam"))
    case = rehearsal.until(r"to sam, in private  ·  case (\w+)")[1]
    rehearsal.say(f"/dismiss {case}", f"/advise {case} sam")
    rehearsal.until("ruled not to be sextortion: confirm it first")
    assert rehearsal.end() == 0


def test_what_somebody_checks_is_answered_in_private_and_tells_nobody_else(rehearsal: Talk, frames: Frames) -> None:
    rehearsal.say("ann> /check", "ann> /check fancy a pizza on friday", "ann> /check i want to die")
    assert rehearsal.end() == 0
    assert "members may say /help" in rehearsal.heard
    assert {title for title, _ in frames(rehearsal.heard)} == {"to ann, in private"}
    calm, upset = (words(body) for _, body in frames(rehearsal.heard))
    assert calm == words(advice.checked("en-GB", Finding.NOTHING, (), crisis=False, buttons=False).plain())
    assert upset == words(advice.checked("en-GB", Finding.NOTHING, (), crisis=True, buttons=False).plain())


def test_a_report_is_told_to_the_moderators_and_answered_with_the_advice(rehearsal: Talk, frames: Frames) -> None:
    rehearsal.say("ann> /report", *[f"ann> /report he scares me, number {number}" for number in range(4)])
    rehearsal.until("The moderators already have your reports")
    rehearsal.say("/cases")
    assert rehearsal.end() == 0
    shown = frames(rehearsal.heard)
    assert len(re.findall(r"^\w{10}  advise, report by ann$", rehearsal.heard, re.MULTILINE)) == 3
    alerts = [body for title, body in shown if title.startswith("to the moderators")]
    assert rehearsal.heard.startswith("members may say /help, ")
    for number, body in enumerate(alerts):
        first, second, third, *_ = body.splitlines()
        assert first == "advise  a member asks the moderators for help"
        assert second == "ann: asked for help, and got the advice at once"
        assert third == f"  “he scares me, number {number}”"
    assert len(alerts) == 3
    answers = [words(body) for title, body in shown if title == "to ann, in private"]
    assert answers[:3] == [words(SAYS.reported + advice.help_page("en-GB").plain())] * 3
    assert answers[3:] == [words(SAYS.report_too_many)]
    assert private(shown) == []


def test_members_see_what_is_kept_about_them_and_can_have_it_erased(
    rehearsal: Talk, threat: Threat, frames: Frames
) -> None:
    rehearsal.say(*threat("kayla", "sam"))
    case = rehearsal.until(r"to sam, in private  ·  case (\w+)")[1]
    rehearsal.say("sam> /privacy", "kayla> /privacy", "sam> /privacy delete", "sam> /privacy")
    rehearsal.say(f"/case {case}")
    rehearsal.until("opened")
    assert rehearsal.end() == 0
    told = {
        name: [words(body) for title, body in frames(rehearsal.heard) if title == f"to {name}, in private"]
        for name in ("sam", "kayla")
    }
    before, erased, after = told["sam"][1], told["sam"][2], told["sam"][4]
    assert told["sam"][0] == told["kayla"][0] == words(SAYS.privacy.format(days=30))
    assert (f'"case":"{case}"' in before, case in after, case in told["kayla"][1]) == (True, False, False)
    assert erased == words(SAYS.deleted)
    edits = [body for title, body in frames(rehearsal.heard) if "the same alert, edited" in title]
    assert "sam" not in edits[-1]


def test_moderators_learn_whether_there_was_anything_to_forget(rehearsal: Talk, threat: Threat) -> None:
    rehearsal.say("/forget sam", *threat("kayla", "sam"), "ben> hello", "/forget sam", "/forget ben", "/forget ben")
    assert rehearsal.end() == 0
    assert [line for line in rehearsal.heard.splitlines() if re.match("nothing was kept|erased", line)] == [
        "nothing was kept about sam",
        "erased; cases about them or aimed at them: 1",
        "erased; cases about them or aimed at them: 0",
        "nothing was kept about ben",
    ]


def test_moderators_see_the_cases_and_what_happened_to_one(rehearsal: Talk, threat: Threat) -> None:
    rehearsal.say("/cases", *threat("kayla", "sam"))
    rehearsal.until("^None is open.$")
    case = rehearsal.until(r"to sam, in private  ·  case (\w+)")[1]
    rehearsal.say("/cases", f"/note {case} talk to her", f"/confirm {case}", "/cases", f"/case {case}")
    rehearsal.until("confirmed$")
    assert rehearsal.end() == 0
    assert rehearsal.heard.count(f"{case}  advise, threat by kayla\n") == 1
    assert rehearsal.heard.count(f"Kept. /case {case} shows it.\n") == 1
    history = re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d UTC  (.*)$", rehearsal.heard, re.MULTILINE)
    assert history[0] == "opened"
    assert {"alert to the moderators: delivered", "private warning: delivered"} <= {*history}
    assert [line for line in history if "delivered" not in line] == ["opened", "noted: talk to her", "confirmed"]
