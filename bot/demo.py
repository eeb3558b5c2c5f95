"""Plays the bundled story through the real guard, database and delivery, in step."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from bot.app import composed, open_classifier, running
from bot.config import Config, StoreSettings
from bot.platforms.console import NAME, ConsolePlatform, screen, visible
from bot.story import Story, load_story, messages_of
from classifiers.conversation import Message

SPACE = "demo"


def story() -> Story:
    """Return the bundled story."""
    return load_story(resources.files("bot").joinpath("demo.toml").read_bytes(), "bot/demo.toml")


def play(pace: float, database: Path | None, console: Console | None = None) -> None:
    """Show the story with `pace` seconds between messages; the database is kept only where one is named."""
    console = console or screen()
    kept: AbstractContextManager[str] = TemporaryDirectory() if database is None else nullcontext("")
    with kept as folder:
        file = database or Path(folder) / "demo.db"
        settings = StoreSettings(database=str(file), key_file=str(file.with_suffix(".key")))
        asyncio.run(_play(story(), Config(store=settings), pace, console))


async def _play(told: Story, config: Config, pace: float, console: Console) -> None:
    with (
        running(config, Path(), {}) as store,
        composed(config, store, [ConsolePlatform(console)], open_classifier(config, Path())) as parts,
    ):
        console.print(Text(told.about, style="bold"))
        console.print(Text("Green frames are private messages, yellow ones are for the moderators.\n", style="dim"))
        if store.next_due(NAME) is not None:
            console.print(Rule("left over from before, delivered now", style="dim"))
            await parts.outbox.drain()
        delivered = 0
        for message in messages_of(told, NAME, SPACE):
            console.print(_spoken(message))
            decisions = await asyncio.to_thread(parts.guard.receive, [message])
            delivered += sum(len(decision.effects) for decision in decisions)
            await parts.outbox.drain()
            await asyncio.sleep(pace)
        console.print(Rule(style="dim"))
        console.print(
            "Everybody else was left alone. Nothing was posted in the chat, and nothing was said to the sender."
            if delivered
            else "This database knows the story: it was acted on before, and nothing is done twice."
        )


def _spoken(message: Message) -> Text:
    spoken = Text.assemble((f"{message.author.id:>12}", "bold"), "  ")
    if message.quoted:
        spoken.append(f"> {visible(message.quoted)}  ", style="dim italic")
    spoken.append(visible(message.text))
    return spoken
