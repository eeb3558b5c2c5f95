"""Telegram: messages in, effects and answers out. `client.py` is the page to read first."""

from bot.platforms.telegram_bot.delivery import TelegramPlatform

__all__ = ["TelegramPlatform"]
