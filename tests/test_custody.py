"""A model that other users may swap is not loaded, and the line that says so mends it."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import subprocess
from pathlib import Path

import pytest
from test_artefact import a_model, refusal

from classifiers import custody
from classifiers.artefact import MANIFEST_FILE, MODEL_FILE, load, save

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
SOMEBODY = 65_432  # no account


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model in a folder with a name that a shell would take apart."""
    folder = tmp_path / "my model"
    save(a_model(), folder, "data", {})
    return folder


def mended(folder: Path) -> None:
    """Run the command that the refusal names, after which the model loads."""
    command = shlex.split(refusal(folder).partition("; run: ")[2].removeprefix("sudo "))
    assert command[0] in ("chmod", "chown")
    subprocess.run(command, check=True)
    load(folder)


@pytest.mark.parametrize("name", ["", MODEL_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("mode", [0o002, 0o022])
def test_what_everybody_may_write_is_refused_and_mended(saved: Path, name: str, mode: int) -> None:
    path = saved / name
    path.chmod(path.stat().st_mode | mode)
    assert refusal(saved).startswith(f"{path}: other users may write here")
    mended(saved)


def test_a_link_does_not_hide_it(saved: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in (MODEL_FILE, MANIFEST_FILE):
        (linked / name).symlink_to(saved / name)
    load(linked)
    saved.chmod(0o777)
    assert refusal(linked).startswith(f"{saved}: ")


def test_what_only_others_may_read_is_loaded(saved: Path) -> None:
    saved.chmod(0o755)
    for name in (MODEL_FILE, MANIFEST_FILE):
        (saved / name).chmod(0o444)
    load(saved)


def test_in_a_folder_for_everybody_where_each_may_touch_only_what_is_theirs_it_is_loaded(saved: Path) -> None:
    saved.chmod(0o1777)
    load(saved)


def private_group() -> bool:
    """Return whether the account of this test has a group of its own, as most systems arrange it."""
    try:
        return grp.getgrgid(os.getegid()).gr_name == pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False


@pytest.mark.skipif(not private_group(), reason="this account shares its group")
def test_what_a_group_of_one_may_write_is_loaded(saved: Path) -> None:
    for path in (saved, saved / MODEL_FILE, saved / MANIFEST_FILE):
        path.chmod(path.stat().st_mode | 0o020)
    load(saved)


@as_root
@pytest.mark.parametrize("name", ["", MODEL_FILE, MANIFEST_FILE])
def test_what_a_group_of_several_may_write_is_refused_and_mended(saved: Path, name: str) -> None:
    path = saved / name
    os.chown(path, -1, SOMEBODY)
    load(saved)
    path.chmod(path.stat().st_mode | 0o020)
    assert "other users may write here" in refusal(saved)
    mended(saved)


@as_root
@pytest.mark.parametrize("name", ["", MODEL_FILE, MANIFEST_FILE])
def test_what_belongs_to_another_user_is_refused_and_mended(saved: Path, name: str) -> None:
    os.chown(saved / name, SOMEBODY, -1)
    assert refusal(saved).startswith(f"{saved / name}: belongs to another user")
    mended(saved)


@as_root
def test_what_an_administrator_installed_is_loaded_by_any_account(saved: Path) -> None:
    for path in (*saved.parents, saved, saved / MODEL_FILE, saved / MANIFEST_FILE):
        if path.is_relative_to(saved.parents[2]):
            path.chmod(path.stat().st_mode | 0o055)
    os.seteuid(SOMEBODY)
    try:
        load(saved)
    finally:
        os.seteuid(0)


def test_what_is_missing_is_left_to_the_reader(tmp_path: Path) -> None:
    custody.check(tmp_path / "nowhere" / MODEL_FILE)
