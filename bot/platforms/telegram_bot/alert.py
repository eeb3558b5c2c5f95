"""What moderators see of a case: one message in HTML and the buttons under it."""

from __future__ import annotations

from html import escape

from telegram import Bot, InlineKeyboardMarkup
from telegram.error import TelegramError

from bot.effects import Alert
from bot.platforms import sheet
from bot.platforms.telegram_bot.markup import LONGEST, Markup, length
from bot.platforms.telegram_bot.pages import keyboard

_LABELS = {"timeout": "Restrict for 24 hours"}
_TARGETS = 10  # the first, whose names are asked for
_LONGEST = LONGEST - 100  # a call to a moderator may come before it


async def text(bot: Bot, alert: Alert) -> str:
    """Return the alert, cut to what a message holds; names are asked for now, as Haven keeps none."""
    targets = [target.account for target in alert.targets[:_TARGETS]]
    named = {alert.sender, alert.accused, alert.likely, alert.despairing, *targets}
    names = {account.id: await _name(bot, alert.space, account.id) for account in sorted(filter(None, named))}
    markup = Markup(names)
    seen = sheet.seen(alert, markup)
    people = [f"{markup.bold(f'{heading}:')} {value}" for heading, value in sheet.people(alert, markup)]
    if done := sheet.done(alert):
        people.append(f"{markup.bold('Done:')} {escape(done, quote=False)}")
    heading, lines = sheet.to_do(alert)
    guidance = f"\n{markup.bold(f'{heading}:')}\n{escape(lines, quote=False)}" if lines else ""

    def made(seen: list[str], *guidance: str) -> str:
        ending = f"\ncase <code>{alert.case}</code>"
        return "\n".join([markup.bold(sheet.title(alert)), *seen, *people, *filter(None, guidance), ending])

    shown = made(seen, guidance)
    while length(shown) > _LONGEST and seen:
        shown, seen = made(seen), seen[:-1]
    return shown


def buttons(alert: Alert) -> InlineKeyboardMarkup | None:
    """Return the buttons; each carries the case's id, so that it works after a restart."""
    pressable = [button for row in sheet.buttons(alert) for button in row if button.enabled]
    found = [(_LABELS.get(button.act, button.label), f"{button.act}:{alert.case}") for button in pressable]
    return keyboard([found[i : i + 2] for i in range(0, len(found), 2)])


async def _name(bot: Bot, space: str, id: str) -> str:
    """Return what somebody, or a channel, is called in a group now, empty where Telegram does not say."""
    try:
        if id.startswith("-"):
            return (await bot.get_chat(int(id))).title or ""
        member = await bot.get_chat_member(int(space), int(id))
    except (TelegramError, ValueError):  # no number: somebody unknown
        return ""
    return member.user.full_name
