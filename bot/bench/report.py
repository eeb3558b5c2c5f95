"""What was measured, for people: tables, on the screen and on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table as Grid

from bot.bench.rates import BATCH
from bot.inbox import AT_ONCE
from classifiers.tables import Table

_DAY = 86_400
_NUMBERS = Mapping[str, float]


def circumstances(found: Mapping[str, Any]) -> str:
    """Return in a few sentences what was measured, on what."""
    on, chat = found["machine"], found["messages"]
    quick = "A quick run, in which everything is tried and no number means anything. " if found["quick"] else ""
    return (
        f"{quick}Measured with `haven bench` on one core of {on['cpu']} ({on['cores']} cores, {on['system']}, Python"
        f" {on['python']}). Messages: {chat['source']}, {chat['different']:,} different ones, with one in"
        f" {round(1 / chat['sextortion']):,} from sextortion conversations of the corpus, {chat['characters']:.0f}"
        f" characters and {chat['words']:.0f} words long on average. For rates and latency {chat['read']:,} were read,"
        f" in {chat['conversations']:,} conversations at once."
    )


def tables(found: Mapping[str, Any]) -> list[Table]:
    """Return all of it as tables."""
    return [_rates(found), _ratios(found), _waiting(found), _memory(found), _growth(found), _rest(found)]


def grid(table: Table) -> Grid:
    """Return a table as it is shown on a screen."""
    shown = Grid(title=table.title, caption=table.meaning, title_justify="left", caption_justify="left")
    for number, name in enumerate(table.columns):
        shown.add_column(name, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*row)
    return shown


def _rates(found: Mapping[str, Any]) -> Table:
    adapters = {f"{name}: from JSON to a message": one for name, one in found["adapters"].items()}
    stages = {
        "normalisation": found["normalisation"],
        "message model": found["message_model"],
        "whole guard, with database": found["guard"],
        **adapters,
    }
    rows = [
        (
            name,
            f"{rate['per_second']:,.0f}",
            f"{1e6 / rate['per_second']:,.1f}",
            f"{rate['per_second'] * _DAY / 1e6:,.0f}",
        )
        for name, rate in stages.items()
    ]
    rows += [
        (f"{name} and whole guard", f"{both:,.0f}", f"{1e6 / both:,.1f}", f"{both * _DAY / 1e6:,.0f}")
        for name, one in found["adapters"].items()
        for both in [1 / (1 / one["per_second"] + 1 / found["guard"]["per_second"])]
    ]
    return Table(
        "Messages a second on one core",
        "By the CPU time of the process, the best of several rounds, each of which reads other messages.",
        ("stage", "messages a second", "µs a message", "million a day"),
        tuple(rows),
    )


def _ratios(found: Mapping[str, Any]) -> Table:
    model, guard, reference = found["message_model"], found["guard"], found["reference"]
    rows = [
        (
            "message model",
            f"scikit-learn, {BATCH} at once",
            reference["sklearn_batch_per_second"],
            model["vs_sklearn_batch"],
        ),
        (
            "message model",
            "scikit-learn, one by one",
            reference["sklearn_single_per_second"],
            model["vs_sklearn_single"],
        ),
    ]
    shown = [(what, than, f"{rate:,.0f}", f"{ratio:,.1f} times as fast") for what, than, rate, ratio in rows]
    filtered = reference["keyword_filter_per_second"]
    shown.append(
        ("whole guard", "keyword filter", f"{filtered:,.0f}", f"{guard['vs_keyword_filter']:,.1f} times the cost")
    )
    return Table(
        "Beside plain alternatives, in the same run",
        "A pipeline of scikit-learn (word and character n-grams, one logistic regression a marker) with the very"
        " weights of the model, whose decisions on markers were the same in all of"
        f" {reference['agreement_messages']:,} messages; one regular expression for {reference['keywords']} phrases."
        f" The message model reads {BATCH} lines at once, the guard {AT_ONCE} messages.",
        ("Haven", "beside", "its messages a second", "Haven is"),
        tuple(shown),
    )


def _waiting(found: Mapping[str, Any]) -> Table:
    guard = found["guard"]
    rows = [
        (f"whole guard at {load} of {guard['capacity']:,.0f} a second", *_three(by))
        for load, by in guard["latency_ms"].items()
    ]
    rows.append(("lateness of the event loop at full load", *_three(found["event_loop"]["lag_ms"])))
    return Table(
        "How long it takes, in milliseconds",
        "From when a message was due until it was decided on and, where it leads to anything, recorded on disk. When"
        " messages are due was drawn before, and depends on nothing.",
        ("", "p50", "p99", "p99.9"),
        tuple(rows),
    )


def _memory(found: Mapping[str, Any]) -> Table:
    rows = [
        (
            f"{int(count):,}",
            f"{found['lines_per_conversation'][count]:.1f}",
            f"{mib:,.0f}",
            f"{found['bytes_per_conversation'][count]:,.0f}",
        )
        for count, mib in found["rss_mb"].items()
    ]
    ring = found["full_ring"]
    rows.append(
        (
            f"{ring['conversations']:,}",
            f"{ring['lines']:.1f}",
            f"{ring['rss_mb']:,.0f}",
            f"{ring['bytes_per_conversation']:,.0f}",
        )
    )
    return Table(
        "Memory",
        "Of a process with all of Haven and both platforms' libraries. A conversation is active when it has so many"
        " lines in memory: as many as conversations of the mix have on average, and in the last row as many as it may.",
        ("active conversations", "lines in each", "resident MiB", "bytes a conversation"),
        tuple(rows),
    )


def _growth(found: Mapping[str, Any]) -> Table:
    conversations: _NUMBERS = found["cost_by_conversations_us"]
    rows: _NUMBERS = found["cost_by_rows_us"]
    lengths: _NUMBERS = found["cost_by_length_us"]
    coercive = found["cost_of_sextortion_by_rows_us"]
    return Table(
        "How the cost of a message grows",
        "CPU time of the whole guard in µs.",
        ("", "a message", "a message of sextortion"),
        (
            *((f"{int(count):,} active conversations", f"{cost:,.1f}", "") for count, cost in conversations.items()),
            *(
                (f"{int(count):,} rows in the database", f"{cost:,.1f}", f"{coercive[count]:,.1f}")
                for count, cost in rows.items()
            ),
            *((f"{int(count):,} characters", f"{cost:,.1f}", "") for count, cost in lengths.items()),
        ),
    )


def _rest(found: Mapping[str, Any]) -> Table:
    return Table(
        "Starting, and on disk",
        "Ready is when the first message is decided on, with both platforms' libraries loaded.",
        ("", ""),
        (
            ("seconds from start to ready", f"{found['ready_seconds']:.2f}"),
            ("of these, CPU time", f"{found['ready_cpu_seconds']:.2f}"),
            ("CPU seconds of `haven --help`", f"{found['help_cpu_seconds']:.2f}"),
            ("MB in the database for a million messages", f"{found['bytes_per_million_messages'] / 1e6:.1f}"),
        ),
    )


def _three(by: _NUMBERS) -> Sequence[str]:
    return [f"{value:,.2f}" for value in by.values()]
