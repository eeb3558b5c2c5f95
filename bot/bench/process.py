"""Haven in processes of their own: started, fed, and asked what it took."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bot.bench.child import LENGTH, Told
from bot.bench.timing import Spent
from classifiers.conversation import Message
from classifiers.errors import InputError

_AT_ONCE = 512
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.json.Decoder(Told)


class Child:
    """A running `child.py`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process was started without pipes")
        self._in, self._out = process.stdin, process.stdout

    def read(self, messages: Sequence[Message]) -> None:
        """Let it read messages."""
        for start in range(0, len(messages), _AT_ONCE):
            frame = _encoder.encode(messages[start : start + _AT_ONCE])
            self._write(len(frame).to_bytes(LENGTH, "big") + frame)
        self._in.flush()

    def tell(self) -> Told:
        """Return what it took since it was last asked, once it has read all."""
        self._write(bytes(LENGTH))
        self._in.flush()
        answer = self._out.readline()
        if not answer:
            raise InputError("a measured process ended before it answered; what it said stands above")
        return _decoder.decode(answer)

    def _write(self, frame: bytes) -> None:
        try:
            self._in.write(frame)
        except BrokenPipeError:
            raise InputError("a measured process ended early; what it said stands above") from None


@contextmanager
def child(folder: Path, conversations: int) -> Iterator[Child]:
    """Run a Haven on the database of a folder until the end of the block."""
    command = [sys.executable, "-m", "bot.bench.child", str(folder), str(conversations)]
    environment = os.environ | _ONE_THREAD
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:  # noqa: S603
        try:
            yield Child(process)
        except BaseException:
            process.kill()
            raise


def ready(folder: Path, message: Message) -> Spent:
    """Return what it takes from the start of a process until its first message is decided on, in a new folder."""
    start = time.perf_counter()
    with child(folder, 1) as started:
        started.read([message])
        told = started.tell()
        return Spent(told.whole_cpu, time.perf_counter() - start)


def helping() -> Spent:
    """Return what `haven --help` takes, with all of the process' life."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "bot", "--help"], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InputError("haven --help failed")
    return Spent(used.ru_utime + used.ru_stime, time.perf_counter() - start)
