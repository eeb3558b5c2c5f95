"""A Haven in a process of its own, which reads messages from standard input and tells what they took.

    python -m bot.bench.child FOLDER CONVERSATIONS

Input is frames of four bytes of length and messages in MessagePack. An empty frame asks: answered is one line of JSON.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path

import msgspec

from bot.bench.subject import receive, subject
from bot.bench.timing import resident_bytes
from classifiers.conversation import Message

PLATFORMS = ("bot.platforms.discord_bot", "bot.platforms.telegram_bot")
LENGTH = 4  # bytes


class Told(msgspec.Struct, frozen=True):
    """What a child answers.

    `cpu` is the CPU time in seconds that the guard took for the `messages` since the last answer, `whole_cpu` that of
    the process since its start. `resident` is in bytes.
    """

    messages: int
    cpu: float
    whole_cpu: float
    resident: int


def main(folder: Path, conversations: int) -> None:
    """Read until standard input ends."""
    for name in PLATFORMS:
        import_module(name)
    decoder = msgspec.msgpack.Decoder(list[Message])
    messages, cpu = 0, 0.0
    with subject(folder, conversations) as parts:
        while len(head := sys.stdin.buffer.read(LENGTH)) == LENGTH:
            if length := int.from_bytes(head, "big"):
                taken = decoder.decode(sys.stdin.buffer.read(length))
                start = time.process_time()
                receive(parts, taken)
                cpu += time.process_time() - start
                messages += len(taken)
            else:
                told = Told(messages, cpu, time.process_time(), resident_bytes())
                sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
                sys.stdout.flush()
                messages, cpu = 0, 0.0


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
