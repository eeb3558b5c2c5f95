"""Encryption of what is kept: the key lives in the environment or in a file of its own, never in the database."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from classifiers.errors import InputError

KEY_VARIABLE, NEW_KEY_VARIABLE = "HAVEN_KEY", "HAVEN_NEW_KEY"
_SIGNING = b"haven: signing what leaves the database"
_HASHING = b"haven: hashing the ids of accounts"
_BLINDING = b"haven: blinding what is compared and not read"
_BLINDED = 16  # bytes
_LOST = "README, Drills: the key is lost"
_OF_THEN = (
    "is it the key of that time? A backup opens with the key of its time only (README, Drills: the key does not fit;"
    " the key is lost)"
)


class WrongKeyError(InputError):
    """The key is not the one with which the database was closed."""


class Seal:
    """Closes and opens bytes with one key (Fernet: AES-128-CBC with HMAC-SHA256), and signs and hashes with others.

    Those are made of the key, so that they change with it.
    """

    def __init__(self, key: bytes, source: str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise InputError(f"{source}: not an encryption key (expected 32 bytes in URL-safe base64)") from None
        self.signing_key, self._hashing_key, self.blinding_key = (
            HKDF(SHA256(), length=32, salt=None, info=purpose).derive(urlsafe_b64decode(key))
            for purpose in (_SIGNING, _HASHING, _BLINDING)
        )
        self.source = source

    def close(self, content: bytes) -> bytes:
        """Encrypt."""
        return self._fernet.encrypt(content)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt; InputError when it was closed with another key or altered."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise WrongKeyError(f"{self.source}: this key does not open what the database holds: {_OF_THEN}") from None

    def hash(self, *names: str) -> str:
        """Return what stands for names in the database: nobody can tell or guess them without the key."""
        return _hmac(self._hashing_key, "\0".join(names).encode())[:32]

    def sign(self, content: bytes) -> str:
        """Return a signature (HMAC-SHA256, hexadecimal) that only a holder of the key can make."""
        return _hmac(self.signing_key, content)

    def blind(self, content: bytes, former: Sequence[bytes] = ()) -> bytes:
        """Return 16 bytes that are the same for the same content, and tell nothing of it to who has not the key.

        What is kept cannot be blinded anew from its content, so a new key blinds what the old one made of it: `former`
        are the blinding keys of before, the oldest first, through which new content goes first.
        """
        for key in (*former, self.blinding_key):
            content = hmac.new(key, content, hashlib.sha256).digest()[:_BLINDED]
        return content

    def verify(self, content: bytes, signature: str, former: Sequence[bytes] = ()) -> bool:
        """Say whether the signature was made of this content with this key, or with a `former` signing key."""
        keys = (self.signing_key, *former)
        return any(hmac.compare_digest(_hmac(key, content).encode(), signature.encode()) for key in keys)


def one_time_seal() -> Seal:
    """Return a seal whose key is nowhere else, for a store that does not outlive the process."""
    return Seal(Fernet.generate_key(), "one-time key")


def load_seal(key_file: Path, environment: Mapping[str, str], *, create: bool) -> Seal:
    """Return the seal of HAVEN_KEY if set, else of `key_file`, which is made when `create` allows it."""
    if key := environment.get(KEY_VARIABLE):
        return Seal(key.encode(), KEY_VARIABLE)
    if create:
        make_key(key_file)
    elif not key_file.exists():
        raise InputError(f"{key_file}: the key is not there; put it back, or set {KEY_VARIABLE} ({_LOST})")
    return Seal(read_secret(key_file).encode(), str(key_file))


def read_secret(path: Path) -> str:
    """Return the text of a file that only its owner may read; InputError when others may, or it is unreadable."""
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and mode & 0o077 and not stat.S_ISDIR(mode):
            raise InputError(f"{path}: other users may read this secret; run: chmod 600 {path}")
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise InputError(f"{path}: cannot read this secret: {reason}") from None


def make_key(path: Path) -> None:
    """Write a new key where there is none; an empty file, as a kill leaves one, gives way."""
    try:
        if path.is_file() and not path.stat().st_size:
            path.unlink()
        if path.exists():
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(Fernet.generate_key())
                file.flush()
                os.fsync(file.fileno())
            sync_folder(path.parent)
        except OSError:
            path.unlink()
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot write the encryption key: {error.strerror}") from None


def next_key_file(key_file: Path) -> Path:
    """Return where the next key lies while a database changes over to it."""
    return key_file.with_name(f"{key_file.name}.new")


def take_next_key(key_file: Path) -> None:
    """Let the next key be the key, once the database is closed with it."""
    with suppress(FileNotFoundError):  # somebody else has done so
        next_key_file(key_file).replace(key_file)
    sync_folder(key_file.parent)


def sync_folder(folder: Path) -> None:
    """Let the names of new files in a folder outlive a power cut."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _hmac(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()
