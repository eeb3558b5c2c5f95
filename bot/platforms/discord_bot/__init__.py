"""Discord: messages in, effects and answers out. `client.py` is the page to read first."""

from bot.platforms.discord_bot.delivery import DiscordPlatform

__all__ = ["DiscordPlatform"]
