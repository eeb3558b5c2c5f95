"""Pictures of how the cost of a message grows, drawn with matplotlib from the extra `train`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LOOK: dict[Any, str] = {"svg.fonttype": "none", "svg.hashsalt": "haven", "font.family": "sans-serif"}


def draw(found: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Draw cost against the number of conversations and message length as SVG; return the files by what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    by_conversations, by_length = folder / "cost_by_conversations.svg", folder / "cost_by_length.svg"
    _drawn(by_conversations, "active conversations", {"whole guard": found["cost_by_conversations_us"]}, even=True)
    lines = {"whole guard": found["cost_by_length_us"], "normalisation alone": found["normalisation_by_length_us"]}
    _drawn(by_length, "characters in the message", lines, even=False)
    return {
        "CPU time for a message by the number of active conversations": by_conversations,
        "CPU time for a message by its length": by_length,
    }


def _drawn(file: Path, across: str, lines: Mapping[str, Mapping[str, float]], *, even: bool) -> None:
    """Draw lines over a logarithmic axis; upwards it is `even`, from 0, or logarithmic, too."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_LOOK):
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        for name, points in lines.items():
            axes.plot([int(point) for point in points], [*points.values()], marker="o", label=name)
        axes.set(xlabel=across, ylabel="µs of CPU time for a message", xscale="log", yscale="linear" if even else "log")
        if even:
            axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        figure.savefig(file, metadata={"Date": None})
