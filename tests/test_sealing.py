"""Keys and what they close: real files with real rights."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.sealing import KEY_VARIABLE, Seal, load_seal, one_time_seal, read_secret
from classifiers.errors import InputError

WORDS = "pay or I send it, naïve ☃".encode()

posix = pytest.mark.skipif(os.name != "posix", reason="file rights of POSIX")


def refusal(file: Path, *, create: bool = False, **environment: str) -> str:
    """Return what is said when there is no usable key: one line."""
    with pytest.raises(InputError) as caught:
        load_seal(file, environment, create=create)
    said = str(caught.value)
    assert "\n" not in said
    return said


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "haven.key"


def write_key(file: Path, content: bytes, mode: int = 0o600) -> None:
    file.write_bytes(content)
    file.chmod(mode)


# Closing and opening.


@pytest.mark.parametrize("content", [WORDS, b"", b"\0" * 100_000])
def test_what_is_closed_can_be_opened_and_not_read(content: bytes) -> None:
    seal = one_time_seal()
    closed = seal.close(content)
    assert seal.open(closed) == content
    assert closed != content
    assert WORDS not in closed


def test_the_same_content_is_never_closed_alike() -> None:
    seal = one_time_seal()
    assert seal.close(WORDS) != seal.close(WORDS)


def test_another_key_does_not_open_it() -> None:
    closed = one_time_seal().close(WORDS)
    with pytest.raises(InputError, match="a file: this key does not open"):
        Seal(Fernet.generate_key(), "a file").open(closed)


@pytest.mark.parametrize("position", [0, 12, 40, -1])
def test_what_was_altered_is_not_opened(position: int) -> None:
    seal = one_time_seal()
    closed = bytearray(seal.close(WORDS))
    closed[position] = ord("A") if closed[position] != ord("A") else ord("B")
    with pytest.raises(InputError, match="does not open"):
        seal.open(bytes(closed))


# The key's file.


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_key_is_for_its_owner_only(tmp_path: Path, umask: int) -> None:
    file = tmp_path / "haven.key"
    before = os.umask(umask)
    try:
        seal = load_seal(file, {}, create=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_seal(file, {}, create=False).open(seal.close(WORDS)) == WORDS


def test_a_key_that_is_there_is_kept(key_file: Path) -> None:
    closed = load_seal(key_file, {}, create=True).close(WORDS)
    before = key_file.read_bytes()
    assert load_seal(key_file, {}, create=True).open(closed) == WORDS
    assert key_file.read_bytes() == before


def test_two_new_keys_differ(tmp_path: Path) -> None:
    closed = load_seal(tmp_path / "one.key", {}, create=True).close(WORDS)
    with pytest.raises(InputError):
        load_seal(tmp_path / "other.key", {}, create=True).open(closed)


def test_an_empty_file_gives_way_to_a_new_key_only_where_one_may_be_made(key_file: Path) -> None:
    write_key(key_file, b"")
    assert refusal(key_file).startswith(f"{key_file}: not an encryption key")
    assert key_file.read_bytes() == b""
    load_seal(key_file, {}, create=True)
    assert load_seal(key_file, {}, create=False)


def test_a_line_end_after_the_key_is_no_part_of_it(key_file: Path) -> None:
    key = Fernet.generate_key()
    write_key(key_file, key + b"\r\n")
    assert load_seal(key_file, {}, create=False).open(Seal(key, "").close(WORDS)) == WORDS


@posix
@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o644, 0o666, 0o777])
def test_a_key_that_others_may_touch_is_refused_with_the_remedy(key_file: Path, mode: int) -> None:
    key = Fernet.generate_key()
    write_key(key_file, key, mode)
    said = refusal(key_file, create=True)
    assert said.startswith(f"{key_file}: ")
    assert said.endswith(f"chmod 600 {key_file}")
    assert key.decode() not in said
    assert key_file.read_bytes() == key
    key_file.chmod(0o600)
    assert load_seal(key_file, {}, create=False)


@posix
def test_a_key_that_its_owner_may_only_read_is_fine(key_file: Path) -> None:
    write_key(key_file, Fernet.generate_key(), 0o400)
    assert load_seal(key_file, {}, create=False)


def test_a_missing_key_is_named_and_not_made(key_file: Path) -> None:
    assert refusal(key_file).startswith(f"{key_file}: the key is not there; put it back")
    assert not key_file.exists()


def test_a_key_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = tmp_path / "file" / "haven.key"
    assert refusal(file, create=True).startswith(f"{file}: cannot write the encryption key: ")


def test_a_key_is_made_in_no_folder_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "haven.key"
    assert refusal(file, create=True) == f"{file}: cannot write the encryption key: No such file or directory"
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert refusal(tmp_path, create=True).startswith(f"{tmp_path}: cannot read this secret: ")


BAD_KEYS = [
    "short",
    "x" * 44,
    "A" * 42 + "==",
    "not a key at all, sorry about that!",
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_what_is_no_key_is_refused_without_being_shown(key_file: Path, key: str) -> None:
    write_key(key_file, key.encode())
    from_file = refusal(key_file, create=True)
    from_environment = refusal(key_file, HAVEN_KEY=key)
    assert from_file.startswith(f"{key_file}: not an encryption key")
    assert from_environment.startswith("HAVEN_KEY: not an encryption key")
    assert key not in from_file + from_environment
    assert key_file.read_bytes() == key.encode()


def test_a_file_that_is_no_text_is_no_key(key_file: Path) -> None:
    write_key(key_file, b"\xff" * 44)
    assert refusal(key_file) == f"{key_file}: cannot read this secret: not a text file"


# The environment.


def test_the_key_of_the_environment_wins_and_no_file_is_made_or_read(key_file: Path) -> None:
    key = Fernet.generate_key()
    closed = Seal(key, "").close(WORDS)
    environment = {KEY_VARIABLE: key.decode()}
    assert load_seal(key_file, environment, create=True).open(closed) == WORDS
    assert not key_file.exists()
    write_key(key_file, Fernet.generate_key(), 0o644)
    assert load_seal(key_file, environment, create=False).open(closed) == WORDS


def test_an_empty_variable_is_none(key_file: Path) -> None:
    closed = load_seal(key_file, {}, create=True).close(WORDS)
    assert load_seal(key_file, {KEY_VARIABLE: ""}, create=False).open(closed) == WORDS


def test_a_wrong_key_of_the_environment_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match="HAVEN_KEY: this key does not open"):
        load_seal(Path("none"), {KEY_VARIABLE: Fernet.generate_key().decode()}, create=False).open(
            one_time_seal().close(WORDS)
        )


@posix
def test_tokens_are_read_with_the_same_care(tmp_path: Path) -> None:
    file = tmp_path / "token"
    write_key(file, b"  123:abc\n")
    assert read_secret(file) == "123:abc"
    file.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        read_secret(file)
