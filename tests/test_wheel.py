"""The wheel: what is in it, and that it works where nothing of the checkout can be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from email import message_from_string
from pathlib import Path

import pytest

from classifiers.artefact import MANIFEST_FILE, MODEL_FILE

ROOT = Path(__file__).parents[1]
Frames = Callable[[str], list[tuple[str, str]]]
Python = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one wheel that is built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def python(unpacked: Path, tmp_path: Path) -> Python:
    """Run Python in an empty folder with the wheel and its dependencies, and no way to the checkout.

    Without `site` (-S) no `.pth` file is read, by which an editable install leads back to the checkout.
    """
    paths = [str(unpacked), *dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-S", "-P", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    return run


def test_the_wheel_holds_the_program_and_what_it_needs_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {
        str(path.relative_to(ROOT)) for package in ("bot", "classifiers") for path in (ROOT / package).rglob("*.py")
    }
    locales = {str(path.relative_to(ROOT)) for path in (ROOT / "bot" / "advice").glob("*.toml")}
    needed = {
        f"classifiers/bundled/{MODEL_FILE}", f"classifiers/bundled/{MANIFEST_FILE}",
        "bot/demo.toml", "bot/config.example.toml", "bot/py.typed", "classifiers/py.typed",
    }  # fmt: skip
    assert {name for name in names if ".dist-info/" not in name} == modules | locales | needed
    assert {name.split("/")[-1] for name in names if ".dist-info/" in name} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "LICENSE",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("inside", "original"),
    [
        (f"classifiers/bundled/{MODEL_FILE}", f"models/{MODEL_FILE}"),
        (f"classifiers/bundled/{MANIFEST_FILE}", f"models/{MANIFEST_FILE}"),
        ("bot/config.example.toml", "config.example.toml"),
    ],
)
def test_what_comes_from_elsewhere_in_the_checkout_is_the_same(unpacked: Path, inside: str, original: str) -> None:
    assert (unpacked / inside).read_bytes() == (ROOT / original).read_bytes()


def test_the_wheel_says_what_it_is_and_what_it_needs(unpacked: Path) -> None:
    (folder,) = unpacked.glob("haven-*.dist-info")
    about = message_from_string((folder / "METADATA").read_text(encoding="utf-8"))
    assert about["Name"] == "haven"
    assert about["Requires-Python"] == ">=3.11"
    assert about["License-Expression"] == "MIT"
    assert "Haven" in str(about.get_payload())
    assert "haven = bot.__main__:main" in (folder / "entry_points.txt").read_text()


def test_the_wheel_plays_the_demo(python: Python, unpacked: Path, frames: Frames) -> None:
    where = python("-c", "import bot, classifiers; print(bot.__file__, classifiers.__file__)").stdout.split()
    assert where == [str(unpacked / name / "__init__.py") for name in ("bot", "classifiers")]
    result = python("-m", "bot", "demo", "--pace", "0")
    assert (result.returncode, result.stderr) == (0, "")
    titles = [title.split("  ·  ")[0] for title, _ in frames(result.stdout)]
    assert titles.count("to Sam, in private") == 1
    assert set(titles) == {"to Sam, in private", "to the moderators"}


def test_the_wheel_scans_and_knows_its_settings(python: Python, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"messages": [{"from": "a", "text": "hello"}]}\n')
    result = python("-m", "bot", "scan", "--json", "a.jsonl")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["verdict"] == "none"
    example = python("-m", "bot", "config", "example")
    assert example.stdout == (ROOT / "config.example.toml").read_text(encoding="utf-8")
