"""`haven scan`: its contract, what it makes of bad files, and what it shows people."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from classifiers.artefact import MANIFEST_FILE, bundled
from classifiers.assessment import Marker

Run = Callable[..., subprocess.CompletedProcess[str]]
Invoke = Callable[..., Result]
Refused = Callable[..., None]
Spoken = list[tuple[str, str]]

CONTRACT = [
    "conversation", "verdict", "level", "score", "first_alert", "first_advice", "sender", "target", "crisis",
    "markers", "evidence",
]  # fmt: skip
LEVELS = ["none", "notice", "alert", "advise"]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ESCAPES = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e"


def transcript(lines: Spoken, **keys: object) -> str:
    """Return one conversation as a line of a transcript."""
    return json.dumps(keys | {"messages": [{"from": name, "text": text} for name, text in lines]}) + "\n"


def objects(result: subprocess.CompletedProcess[str] | Result) -> list[dict[str, Any]]:
    """Return what was printed with --json; every line has to be an object."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def without_privilege(*command: str) -> list[str]:
    """Return the command as of somebody whom the modes of files bind, as they do not bind root."""
    if os.geteuid():
        return list(command)
    if not (setpriv := shutil.which("setpriv")):
        pytest.skip("setpriv is not here to give up root's privilege over files")
    return [setpriv, "--bounding-set", "-dac_override,-dac_read_search", *command]


@pytest.fixture
def threatened(threat: Callable[[str, str], list[str]]) -> Spoken:
    """A conversation of two in which kayla threatens sam."""
    found = [re.fullmatch(r"(\w+)> @\w+ (.*)", line) for line in threat("kayla", "sam")]
    return [(line[1], line[2]) for line in found if line]


# The contract.


def test_a_scan_prints_the_contract_and_nothing_else(haven: Run, tmp_path: Path, threatened: Spoken) -> None:
    benign = [("marek", "still selling the bike"), ("priya", "how much?")]
    (tmp_path / "chats.jsonl").write_text(
        transcript(threatened, id="bad") + "\n" + transcript(benign, id=5, kind="benign", odd=[1]) + transcript([])
    )
    result = haven("scan", "--json", "chats.jsonl")
    assert (result.returncode, result.stderr) == (0, "")
    found = objects(result)
    assert [one["conversation"] for one in found] == ["bad", "5", "chats.jsonl:4"]
    for one in found:
        assert list(one) == CONTRACT
        assert one["level"] in LEVELS
        assert 0 <= one["score"] <= 1
        assert set(one["markers"]) <= set(Marker)
        assert all(list(seen) == ["message", "marker", "score"] for seen in one["evidence"])
    bad, harmless, empty = found
    assert (bad["verdict"], bad["level"], bad["crisis"]) == ("sextortion", "advise", False)
    assert (bad["sender"], bad["target"]) == ("kayla", "sam")
    assert 0 < bad["first_alert"] <= bad["first_advice"] < len(threatened)
    assert bad["evidence"]
    assert all(threatened[seen["message"]][0] == "kayla" for seen in bad["evidence"])
    assert all(seen["score"] <= bad["markers"][seen["marker"]] for seen in bad["evidence"])
    for one in (harmless, empty):
        assert (one["verdict"], one["level"], one["evidence"]) == ("none", "none", [])
        assert all(one[key] is None for key in ("first_alert", "first_advice", "sender", "target"))
    assert (empty["score"], empty["markers"]) == (0, {})


def test_a_decision_uses_no_later_message(invoke: Invoke, tmp_path: Path, threatened: Spoken) -> None:
    spoken = [("sam", "hi"), *threatened, ("sam", "please"), ("kayla", "then ask your mum")]
    (tmp_path / "a.jsonl").write_text("".join(transcript(spoken[:end]) for end in range(1, len(spoken) + 1)))
    found = objects(invoke("scan", "--json", "a.jsonl"))
    alert, warning = found[-1]["first_alert"], found[-1]["first_advice"]
    assert 0 < alert <= warning < len(spoken) - 1
    for last, one in enumerate(found):
        assert one["first_alert"] == (alert if last >= alert else None)
        assert one["first_advice"] == (warning if last >= warning else None)
        assert all(seen["message"] <= last for seen in one["evidence"])


def test_no_conversation_leaks_into_the_next(invoke: Invoke, tmp_path: Path, threatened: Spoken) -> None:
    (tmp_path / "a.jsonl").write_text(transcript(threatened, id="same") * 2 + transcript(threatened[-1:], id="same"))
    first, second, last = objects(invoke("scan", "--json", "a.jsonl"))
    assert first == second
    assert last["first_advice"] is None


def test_the_sensitivity_chooses_the_thresholds(invoke: Invoke, tmp_path: Path, threatened: Spoken) -> None:
    shutil.copytree(bundled(), tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / MANIFEST_FILE).read_text(encoding="utf-8"))
    for group in manifest["thresholds"]["threat"]["low"]:
        manifest["thresholds"]["threat"]["low"][group] = [0.0, 2.0, 2.0]
        manifest["thresholds"]["threat"]["high"][group] = [0.0, 0.0, 2.0]
    (tmp_path / "model" / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / "haven.toml").write_text('[model]\nfolder = "model"')
    (tmp_path / "a.jsonl").write_text(transcript(threatened))
    for option, level in (("low", "notice"), ("normal", "advise"), ("high", "alert")):
        (one,) = objects(invoke("scan", "--json", "--sensitivity", option, "a.jsonl"))
        assert one["level"] == level
    assert objects(invoke("scan", "--json", "a.jsonl"))[0]["level"] == "advise"


def test_the_exports_of_a_folder_are_scanned_in_order(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "chats" / "older").mkdir(parents=True)
    for name in ("b.jsonl", "a.jsonl", "older/c.jsonl"):
        (tmp_path / "chats" / name).write_text(transcript([("a", "hello")], id=name))
    (tmp_path / "chats" / "picture.png").write_bytes(b"\x89PNG")
    result = invoke("scan", "--json", "chats")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [one["conversation"] for one in objects(result)] == ["a.jsonl", "b.jsonl", "older/c.jsonl"]


def test_a_file_that_is_named_twice_is_read_once(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "chats").mkdir()
    (tmp_path / "chats" / "a.jsonl").write_text(transcript([("a", "hello")], id="a"))
    (tmp_path / "link.jsonl").symlink_to("chats/a.jsonl")
    result = invoke("scan", "--json", "chats/a.jsonl", "chats", tmp_path / "chats", "link.jsonl")
    assert (result.exit_code, [one["conversation"] for one in objects(result)]) == (0, ["a"])
    assert invoke("scan", "chats", "chats").stdout.startswith("1 conversation, 1 message: ")


def test_standard_input_is_read_where_it_is_named(haven: Run, refused: Refused, threatened: Spoken) -> None:
    result = haven("scan", "--json", "-", "-", said=transcript(threatened))
    assert (result.returncode, result.stderr) == (0, "")
    assert [(one["conversation"], one["verdict"]) for one in objects(result)] == [("standard input:1", "sextortion")]
    refused(haven("scan", "-", said="Dear diary"), "standard input: not a chat export that Haven knows")
    refused(haven("scan", "-"), "standard input: the file is empty")


def test_very_long_messages_are_read(invoke: Invoke, tmp_path: Path, threatened: Spoken) -> None:
    texts = ["x" * 100_000, "i have your nudes pay me " * 4_000, "🙂" * 100_000, "\n" * 100_000]
    spoken = list(zip("abab", texts, strict=True))
    (tmp_path / "a.jsonl").write_text(transcript(spoken, id="long") + transcript(threatened, id="bad"))
    result = invoke("scan", "--json", "a.jsonl")
    assert (result.exit_code, result.stderr) == (0, "")
    long, bad = objects(result)
    assert (long["conversation"], bad["verdict"]) == ("long", "sextortion")
    assert len(invoke("scan", "a.jsonl").stdout) < 20_000


# Bad files.


BAD = {
    "empty.txt": (b"", "the file is empty"),
    "blank.txt": (b" \n\n ", "the file is empty"),
    "binary.txt": (bytes(range(256)) * 30, "not a chat export that Haven knows"),
    "noise.json": (bytes(5_000), "not a chat export that Haven knows"),
    "half.json": (b'{"messages": [{"from": "a", "text": "hel', "line 1: not JSON"),
    "letter.jsonl": ('{"messages": [{"from": "a", "text": "grü'.encode()[:-1], "ends in the middle of a character"),
    "other.json": (b'{"a": 1}', "it is other JSON"),
    "prose.txt": (b"Dear diary,\n", "it is other text"),
    "deep.json": (b"[" * 200_000, "it is other JSON"),
    "deep.jsonl": (b'{"messages":' + b"[" * 200_000, "line 1: "),
    "number.jsonl": (b'{"messages": [{"from": 5, "text": "x"}]}', "line 1: Expected `str`, got `int`"),
    "archive.zip": (b"PK\x03\x04" + bytes(100), "zip archive: unpack it"),
    "page.html": (b"<!DOCTYPE html><html></html>", "a web page: export again, as JSON"),
}


def test_bad_exports_are_named_in_a_line_each_and_the_good_ones_are_still_reported(
    haven: Run, tmp_path: Path, threatened: Spoken
) -> None:
    for name, (raw, _) in BAD.items():
        (tmp_path / name).write_bytes(raw)
    for name in ("first.jsonl", "last.jsonl"):
        (tmp_path / name).write_text(transcript(threatened))
    (tmp_path / "folder").mkdir()
    missing = {
        "missing.json": "cannot read: No such file or directory",
        "prose.txt/in.json": "cannot read: Not a directory",
        "folder": "no chat exports in this folder",
        "x" * 300: "cannot read: File name too long",
    }
    result = haven("scan", "--json", "first.jsonl", *BAD, *missing, "last.jsonl")
    assert result.returncode == 1
    assert [(one["conversation"], one["verdict"]) for one in objects(result)] == [
        ("first.jsonl:1", "sextortion"), ("last.jsonl:1", "sextortion"),
    ]  # fmt: skip
    expected = {name: reason for name, (_, reason) in BAD.items()} | missing
    for line, (name, reason) in zip(result.stderr.splitlines(), expected.items(), strict=True):
        assert line.startswith(f"haven: {name}")
        assert reason in line


@pytest.mark.parametrize("name", ["empty.txt", "binary.txt", "half.json", "deep.json"])
def test_one_bad_export_ends_with_a_line(invoke: Invoke, refused: Refused, tmp_path: Path, name: str) -> None:
    raw, reason = BAD[name]
    (tmp_path / name).write_bytes(raw)
    result = invoke("scan", "--json", name)
    refused(result, name, reason)
    assert result.stdout == ""
    result = invoke("scan", name)
    refused(result, name, reason)
    assert result.stdout == ""


def test_what_comes_before_the_fault_of_an_export_is_reported(
    invoke: Invoke, refused: Refused, tmp_path: Path, threatened: Spoken
) -> None:
    (tmp_path / "a.jsonl").write_text(transcript(threatened, id="whole") + transcript(threatened, id="cut")[:-30])
    result = invoke("scan", "--json", "a.jsonl")
    refused(result, "a.jsonl, line 2: ")
    assert [one["conversation"] for one in objects(result)] == ["whole"]


def test_a_transcript_that_cannot_be_meant_so_is_scanned_and_named(
    invoke: Invoke, refused: Refused, tmp_path: Path, threatened: Spoken
) -> None:
    odd = json.dumps({"messages": [{"from": "a", "text": "yes", "reply_to": 1}]})
    (tmp_path / "a.jsonl").write_text(f"{odd}\n{transcript(threatened)}")
    result = invoke("scan", "--json", "a.jsonl")
    refused(result, "a.jsonl, line 1: Expected the `id` of a message before it")
    assert [one["verdict"] for one in objects(result)] == ["none", "sextortion"]


def test_a_format_that_the_file_is_not_of_is_refused(invoke: Invoke, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(transcript([("a", "hello")]))
    result = invoke("scan", "--json", "--format", "whatsapp", "a.jsonl")
    refused(result, "a.jsonl: not a WhatsApp export: it looks like a transcript")
    assert result.stdout == ""


@pytest.mark.parametrize("as_json", [["--json"], []])
def test_a_scan_that_reads_no_message_gives_no_all_clear(
    invoke: Invoke, refused: Refused, tmp_path: Path, as_json: list[str]
) -> None:
    (tmp_path / "empty.jsonl").write_text(transcript([], id="empty"))
    (tmp_path / "good.jsonl").write_text(transcript([("a", "hello")]))
    (tmp_path / "bad.jsonl").write_text("{")
    result = invoke("scan", *as_json, "empty.jsonl")
    refused(result, "haven: no messages were read: this is no all-clear")
    assert len(result.stdout.splitlines()) == len(as_json)
    several = invoke("scan", *as_json, "bad.jsonl", "empty.jsonl").stderr.splitlines()
    assert several[1:] == ["haven: no messages were read: this is no all-clear"]
    assert invoke("scan", *as_json, "empty.jsonl", "good.jsonl").exit_code == 0


def test_messages_without_any_text_give_no_all_clear(invoke: Invoke, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "pictures.jsonl").write_text(transcript([("a", ""), ("b", "")]))
    (tmp_path / "good.jsonl").write_text(transcript([("a", ""), ("b", "hello")]))
    refused(invoke("scan", "pictures.jsonl"), "haven: no message has any text: this is no all-clear")
    assert invoke("scan", "pictures.jsonl", "good.jsonl").exit_code == 0


def test_what_may_not_be_read_is_named_and_the_rest_is_still_reported(
    tmp_path: Path, environment: dict[str, str], threatened: Spoken
) -> None:
    (tmp_path / "closed").mkdir()
    for name in ("closed/in.jsonl", "closed.jsonl", "open.jsonl"):
        (tmp_path / name).write_text(transcript(threatened))
    (tmp_path / "closed.jsonl").chmod(0)
    (tmp_path / "closed").chmod(0)
    command = [sys.executable, "-P", "-m", "bot", "scan", "--json", "closed", "closed/in.jsonl", "closed.jsonl", "."]
    result = subprocess.run(without_privilege(*command), cwd=tmp_path, env=environment, capture_output=True, text=True)
    (tmp_path / "closed").chmod(0o700)
    assert result.returncode == 1
    assert [one["conversation"] for one in objects(result)] == ["open.jsonl:1"]
    assert result.stderr.splitlines() == [
        f"haven: {name}: cannot read: Permission denied" for name in ("closed", "closed/in.jsonl", "closed.jsonl")
    ]


# What people see.


def test_a_scan_for_people_says_who_when_and_why(invoke: Invoke, tmp_path: Path, threatened: Spoken) -> None:
    (tmp_path / "chats.jsonl").write_text(transcript(threatened, id="bad") + transcript([("a", "hello")], id="good"))
    result = invoke("scan", "chats.jsonl")
    assert (result.exit_code, result.stderr) == (0, "")
    shown = " ".join(result.stdout.split())
    for words in (
        "bad: sextortion", "by kayla, towards sam", "alert at message", "advice at message", f"of {len(threatened)}",
        "send me 400 in gift cards", f"2 conversations, {len(threatened) + 1} messages", "told the moderators about 1.",
    ):  # fmt: skip
        assert words in shown
    assert "good" not in shown


def test_nothing_in_an_export_steers_the_terminal(
    haven: Run, invoke: Invoke, tmp_path: Path, threatened: Spoken
) -> None:
    spoken = [(name + ESCAPES, text + ESCAPES) for name, text in threatened]
    (tmp_path / f"a{ESCAPES}.jsonl").write_text(transcript(spoken, id=f"chat{ESCAPES}"))
    (tmp_path / f"b{ESCAPES}.jsonl").write_text("prose")
    names = [path.name for path in sorted(tmp_path.iterdir())]
    plain = invoke("scan", *names)
    assert plain.exit_code == 1
    assert "by kayla�]0;pwned��[2J�31m�, towards sam�]0" in " ".join(plain.stdout.split())
    assert "b�]0;pwned" in plain.stderr
    assert not CONTROL.search(plain.stdout + plain.stderr)
    coloured = haven("scan", *names, FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b[" in coloured.stdout
    assert not re.search("\x1b(?!\\[[0-9;]*m)|\x07|\x9b|\u202e", coloured.stdout)


def test_a_reader_that_goes_away_ends_a_scan_quietly(
    tmp_path: Path, environment: dict[str, str], threatened: Spoken
) -> None:
    (tmp_path / "a.jsonl").write_text(transcript(threatened) * 300)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "bot", "scan", "a.jsonl"],
        cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as scanning:  # fmt: skip
        assert scanning.stdout
        assert scanning.stderr
        assert scanning.stdout.readline()
        scanning.stdout.close()
        assert scanning.stderr.read() == ""
    assert scanning.returncode == 1
