"""What Prometheus is told: numbers that the parts keep anyway, read when it asks; nothing of whom or where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.cases import Backlog
from bot.effects import Connection
from bot.inbox import CAPACITY, REASONS
from bot.parts import Parts

_Labels = TypeVar("_Labels", bound=tuple[str, ...])


class Numbers(Collector):
    """Every metric of one Haven; `lag`, `backlogs` and `size` are measured by whoever asks, or None."""

    def __init__(self, parts: Parts, platforms: Sequence[Connection]) -> None:
        self._parts = parts
        self._platforms = platforms
        self.lag = 0.0
        self.backlogs: Sequence[Backlog] | None = None
        self.size: int | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the names are known when they are asked for."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as it is now."""
        now = self._parts.clock()
        yield from self._messages(now)
        yield from self._outbox(now)
        conversations, held = self._parts.guard.conversations
        yield GaugeMetricFamily("haven_conversations", "Channels whose last lines are in memory.", conversations)
        yield GaugeMetricFamily("haven_conversations_held", "Of these, those of live cases, which leave last.", held)
        connected = {(one.name,): float(one.connected) for one in self._platforms}
        yield _gauge("haven_platform_connected", "1 while what is written there reaches Haven.", connected)
        yield GaugeMetricFamily("haven_event_loop_lag_seconds", "The longest stall of the last minute.", self.lag)
        yield GaugeMetricFamily("haven_database_up", "1 if the database answers.", self.size is not None)
        if self.size is not None:
            yield GaugeMetricFamily("haven_database_bytes", "Size of the database.", self.size)

    def _messages(self, now: datetime) -> Iterator[Metric]:
        guard, inbox = self._parts.guard, self._parts.inbox
        read = {(platform, level.name.lower()): count for (platform, level), count in dict(guard.levels).items()}
        yield _counter(
            "haven_messages_read", "Messages read, by the highest level they led to.", read, ("platform", "level")
        )
        since = {(platform,): max(0.0, (now - at).total_seconds()) for platform, at in dict(guard.heard_at).items()}
        yield _gauge("haven_last_message_age_seconds", "Time since the last message that was read.", since)
        left_out = {(one.name, reason): 0 for one in self._platforms for reason in REASONS} | dict(inbox.left_out)
        yield _counter("haven_messages_left_out", "Messages not read, and why.", left_out, ("platform", "reason"))
        yield GaugeMetricFamily("haven_inbox_waiting", "Messages handed over and not decided on.", inbox.waiting)
        yield GaugeMetricFamily(
            "haven_inbox_capacity", "How many may wait to be read before platforms have to.", CAPACITY
        )
        yield GaugeMetricFamily("haven_inbox_blocked", "Messages that wait for room in the inbox.", inbox.at_the_door)
        yield CounterMetricFamily("haven_inbox_delayed", "Messages that found the inbox full.", inbox.delayed)

    def _outbox(self, now: datetime) -> Iterator[Metric]:
        attempts = {
            (platform, effect, outcome.value): count
            for (platform, effect, outcome), count in dict(self._parts.outbox.attempts).items()
        }
        yield _counter(
            "haven_effect_attempts",
            "Attempts at effects, by how they ended; retry and held are tried again.",
            attempts,
            ("platform", "effect", "outcome"),
        )
        if self.backlogs is None:
            return
        waiting = dict.fromkeys([(one.name,) for one in self._platforms], 0.0)
        oldest = waiting | {(one.platform,): max(0.0, now.timestamp() - one.oldest_at) for one in self.backlogs}
        waiting |= {(one.platform,): one.effects for one in self.backlogs}
        yield _gauge("haven_outbox_waiting", "Effects recorded and not yet delivered.", waiting)
        yield _gauge("haven_outbox_oldest_seconds", "Age of the oldest of them.", oldest)


def _counter(name: str, told: str, values: Mapping[_Labels, float], labels: Sequence[str]) -> Metric:
    family = CounterMetricFamily(name, told, labels=labels)
    for names, value in sorted(values.items()):
        family.add_metric(names, value)
    return family


def _gauge(name: str, told: str, values: Mapping[_Labels, float]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=("platform",))
    for names, value in sorted(values.items()):
        family.add_metric(names, value)
    return family
