"""How long messages wait at a given load, and how late the event loop is while the guard is busy."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from statistics import median

import msgspec

from bot.app import serve
from bot.bench.mix import SEED, Mix
from bot.bench.sizes import Size
from bot.bench.subject import receive
from bot.bench.timing import percentile
from bot.inbox import AT_ONCE
from bot.parts import Parts
from classifiers.conversation import Message

LOADS = (0.1, 0.5, 0.9)
_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
_AT_LEAST = 200
_TICK = 0.001
_IN_A_ROW = 16
_CHUNK = 500
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)


def arrivals(count: int, per_second: float, seed: int = SEED) -> list[float]:
    """Return when messages come that come independently of each other (Poisson), in seconds from the start."""
    drawn = random.Random(seed)  # noqa: S311 (the same every time)
    return list(accumulate(drawn.expovariate(per_second) for _ in range(count)))


def latencies(parts: Parts, coming: Sequence[bytes], due: Sequence[float]) -> list[float]:
    """Let messages come when they are due, and return for each how long after that it was decided on, in seconds.

    When a message is due does not depend on how the ones before it fared. What has come is read at once, as
    many messages at a time as the inbox hands over, and counts as decided when all of these are.
    """
    waited: list[float] = []
    start = time.perf_counter()
    while (done := len(waited)) < len(coming):
        now = time.perf_counter() - start
        until = min(bisect_right(due, now, done), done + AT_ONCE)
        if until == done:
            time.sleep(due[done] - now)
            continue
        parts.guard.receive([_decoder.decode(one) for one in coming[done:until]])
        ended = time.perf_counter() - start
        waited += [ended - at for at in due[done:until]]
    return waited


def measure(parts: Parts, mix: Mix, size: Size) -> dict[str, dict[str, object]]:
    """Return the capacity (messages per second of the clock on the wall) and what holds at shares of it.

    Times are in milliseconds. Capacity and loads include that messages are decoded here, as a platform would.
    """
    capacity = _capacity(parts, mix, size.load_seconds / 2)
    found: dict[str, dict[str, float]] = {}
    for load in LOADS:
        rate = load * capacity
        count = max(_AT_LEAST, round(rate * size.load_seconds))
        waited = latencies(parts, _encoded(mix, count), arrivals(count, rate))
        found[f"{load:.0%}"] = {name: 1e3 * percentile(waited, share) for name, share in _SHARES.items()}
    lags = _lags(parts, _encoded(mix, max(_AT_LEAST, round(capacity * size.loop_seconds))))
    return {
        "guard": {"capacity": capacity, "latency_ms": found, "p99_ms_half_load": found["50%"]["p99"]},
        "event_loop": {
            "lag_ms": {name: 1e3 * percentile(lags, share) for name, share in _SHARES.items()},
            "probes": len(lags),
        },
    }


def _capacity(parts: Parts, mix: Mix, seconds: float) -> float:
    """Return the messages per second that are read where they always wait: the middle of many short rounds."""
    took: list[float] = []
    while sum(took) < seconds:
        coming = _encoded(mix, _CHUNK)
        start = time.perf_counter()
        receive(parts, [_decoder.decode(one) for one in coming])
        took.append(time.perf_counter() - start)
    return _CHUNK / median(took)


def _lags(parts: Parts, coming: Sequence[bytes]) -> list[float]:
    """Run Haven while its inbox is always full; return by how much each tick of the event loop was late, in seconds."""
    lags: list[float] = []
    asyncio.run(serve(parts, [_pour(parts, coming, lags)]))
    return lags


async def _pour(parts: Parts, coming: Sequence[bytes], lags: list[float]) -> None:
    probe = asyncio.create_task(_probe(lags))
    for number, one in enumerate(coming):
        await parts.inbox.put(_decoder.decode(one))
        if number % _IN_A_ROW == 0:
            await asyncio.sleep(0)
    await parts.inbox.caught_up()
    probe.cancel()


async def _probe(lags: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _TICK
        await asyncio.sleep(_TICK)
        lags.append(max(0.0, loop.time() - due))


def _encoded(mix: Mix, count: int) -> list[bytes]:
    """Return messages in a form that the garbage collector does not look at, so that waiting ones cost nothing."""
    return [_encoder.encode(message) for message in mix.take(count)]
