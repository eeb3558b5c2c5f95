"""What Haven logs, in both formats: enough to run it, and nothing that anybody wrote, whatever fails."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from faulty import BREAK
from localdiscord.server import LocalDiscord

from bot.config import LogSettings
from bot.logs import JsonLine, TextLine, to_stderr

Threat = Callable[[str, str], list[str]]

TEXT, NOTE, NAME = "quokkatext", "wombatnote", "Numbat Display"
FORMATS = ["text", "json"]
FAULTY = Path(__file__).with_name("faulty.py")
BROKEN = f"eve> {TEXT} {BREAK} it"


def lines(errors: str, format: str) -> list[dict[str, Any]]:
    """Return a log as objects; each line has to be whole."""
    if format == "json":
        return [json.loads(line) for line in errors.splitlines()]
    pattern = re.compile(r"(?P<level>[A-Z]+) (?P<logger>[\w.]+): (?P<message>.*?)(?: \((?P<error>\w+).*\))?")
    found = [pattern.fullmatch(line) for line in errors.splitlines()]
    assert all(found), errors
    return [match.groupdict() for match in found if match]


def everything(folder: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in sorted(folder.iterdir()))


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Haven on the console with faults, in a folder of its own."""

    def run(*faults: str, said: list[str], format: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "haven.toml").write_text(f'[log]\nformat = "{format}"\nlevel = "debug"')
        return subprocess.run(
            [sys.executable, FAULTY, *faults], input="\n".join(said), cwd=tmp_path, env=environment, text=True,
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(params=FORMATS)
def format(request: pytest.FixtureRequest) -> str:
    """The format of the log."""
    return str(request.param)


# A whole run.


def test_faults_of_guard_outbox_platform_and_others_tell_no_word(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, threat: Threat, format: str
) -> None:
    said = [f"{line} {TEXT}" for line in threat("eve", "sam")]
    first = run("platform", "aside", said=said, format=format)
    assert first.returncode == 0, first.stderr
    case = re.findall(r"to the moderators  ·  case (\w+)", first.stdout)[0]
    noted = run("platform", said=[f"/note {case} {NOTE}", *said], format=format)
    assert noted.returncode == 0
    by_guard = run("guard", said=[BROKEN], format=format)
    by_outbox = run("outbox", said=[f"{line} {TEXT}" for line in threat("kay", "ben")], format=format)
    assert (by_guard.returncode, by_outbox.returncode) == (1, 1)
    for errors in (first.stderr, noted.stderr, by_guard.stderr, by_outbox.stderr, everything(tmp_path)):
        for canary in (TEXT, NOTE, "gift cards", "nudes", "Traceback", 'File "'):
            assert canary not in errors
    told = lines(first.stderr, format)
    failed = [line["error"] for line in told if line.get("error") == "ValueError" and line["logger"] == "bot.logs"]
    assert len(failed) == 2 * len(said)  # a thread and a finaliser for each message
    assert [line["error"] for line in told if line["logger"] == "asyncio"] == ["ValueError"] * len(said)
    assert {line["message"] for line in told if line["logger"] == "discord.http"} == {"… was limited", "… of …"}
    assert {line["message"] for line in told if line["logger"] == "httpx"} == {"lost …"}
    assert any("RuntimeError, again in" in line["message"] for line in told if line["logger"] == "bot.outbox")
    for ended, error in ((by_guard, "ValueError"), (by_outbox, "RuntimeError")):
        last = lines(ended.stderr, format)[-1]
        assert (last["level"].lower(), last["message"], last["error"]) == (
            "critical", "ended by a fault of Haven's own", error,
        )  # fmt: skip


async def test_faults_on_discord_tell_no_word_no_name_and_no_token(
    tmp_path: Path, environment: dict[str, str], format: str
) -> None:
    async with LocalDiscord() as discord:
        guild = discord.guild("Den")
        eve, sam = discord.user(NAME), discord.user("sam")
        for user in (eve, sam):
            guild.join(user)
        general, mods = guild.channel("general"), guild.channel("mods", private=True)
        (tmp_path / "haven.toml").write_text(
            f'[log]\nformat = "{format}"\n[policy]\nalert_channel = "{mods.id}"\n'
            f'[discord]\napi_url = "{discord.api_url}"\ngateway_url = "{discord.gateway_url}"\n'
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, FAULTY, "guard", "platform", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment | {"HAVEN_DISCORD_TOKEN": discord.token},
        )  # fmt: skip
        try:
            async with asyncio.timeout(60):
                await discord.ready()
                for line in (
                    f"{TEXT} {BREAK} the translation",
                    f"i recorded our video call {TEXT}. i have your nudes and i saved all your followers",
                    "send me 400 in gift cards or i send the video to your mum and your whole family",
                    "you have 30 minutes. dont block me or i post it everywhere",
                ):
                    await discord.write(general, eve, f"<@{sam.id}> {line}", mentions=[sam])
                while not discord.dms(sam):  # noqa: ASYNC110 (what is waited for is in another process)
                    await asyncio.sleep(0.02)
                process.send_signal(signal.SIGTERM)
                output, raw = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    errors = raw.decode()
    assert (process.returncode, output) == (0, b""), errors
    for canary in (TEXT, NAME, "gift cards", discord.token, discord.token.rpartition(".")[2], "Traceback", 'File "'):
        assert canary not in errors
        assert canary not in everything(tmp_path)
    told = lines(errors, format)
    assert ("bot.platforms.discord_bot.client", "discord: on_message failed", "ValueError") in {
        (line["logger"], line["message"], line.get("error")) for line in told
    }
    if format == "json":
        assert {line["platform"] for line in told if line["logger"].startswith("bot.platforms.")} == {"discord"}
        about = [line for line in told if line["logger"] == "bot.outbox"]
        assert {(line["platform"], bool(re.fullmatch(r"[0-9a-f]{10}", line["case"]))) for line in about} == {
            ("discord", True)
        }


# One record.


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of Haven's whose records go nowhere else."""
    logger = logging.getLogger("bot.tested")
    yield logger
    logger.handlers.clear()


def record(name: str, message: str, *args: object, fault: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(fault), fault, fault.__traceback__) if fault else None
    return logging.LogRecord(name, logging.WARNING, __file__, 1, message, args, exc_info)


def test_a_line_of_json_says_when_what_and_where() -> None:
    made = record("bot.platforms.telegram_bot.client", "read %d", 5)
    made.case = "0123456789"
    said = json.loads(JsonLine().format(made))
    assert datetime.fromisoformat(said.pop("time")).timestamp() == pytest.approx(made.created, abs=0.001)
    assert said == {
        "level": "warning",
        "logger": "bot.platforms.telegram_bot.client",
        "message": "read 5",
        "platform": "telegram",
        "case": "0123456789",
    }


@pytest.mark.parametrize("line", [TextLine(), JsonLine()])
def test_a_record_is_one_line_that_steers_no_terminal(line: logging.Formatter) -> None:
    said = line.format(record("bot.x", "a %s z", "\n\r\x1b[2J\x9b1m\u202e"))
    assert said.isprintable() or line.__class__ is JsonLine
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", said)


@pytest.mark.parametrize(
    ("message", "args", "said"),
    [
        ("We are limited. %s %s in %.2f seconds", ("PUT", TEXT, 1.0), "We are limited. … … in … seconds"),
        ("%(name)s and %5.1f%%", ({"name": TEXT},), "… and …%"),
        (f"failed\nfuture: <Task exception=ValueError('{TEXT}')>", (), "failed"),
        ("", (), ""),
    ],
)
def test_what_libraries_fill_in_is_left_out(message: str, args: tuple[object, ...], said: str) -> None:
    assert TextLine().format(record("discord.http", message, *args)) == f"WARNING discord.http: {said}"


def test_an_exception_is_its_type_and_where_in_haven_it_passed() -> None:
    try:
        LogSettings(format=TEXT).missing  # type: ignore[arg-type, attr-defined] # noqa: B018
    except AttributeError as fault:
        outside = fault
    try:
        TextLine().format(record("bot.x", "%d", TEXT))
    except TypeError as fault:
        inside = fault
    assert TextLine().format(record("bot.x", "failed", fault=outside)) == "WARNING bot.x: failed (AttributeError)"
    said = TextLine().format(record("bot.x", "failed", fault=inside))
    assert re.fullmatch(r"WARNING bot\.x: failed \(TypeError, bot\.logs:\d+\)", said)


def test_nothing_is_left_behind_after_a_run() -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions, sys.unraisablehook
    try:
        with to_stderr(LogSettings(level="error")):
            assert root.level == logging.ERROR
            assert not logging.raiseExceptions
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
    assert (logging.raiseExceptions, sys.unraisablehook) == before[2:]
