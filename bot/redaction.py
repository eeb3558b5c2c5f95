"""What is left of a case or an effect when somebody is forgotten or a space moves, as pure functions."""

from __future__ import annotations

from dataclasses import replace

from bot.case import Case
from bot.effects import AlertModerators, Effect, UpdateAlert
from classifiers.conversation import Account

_NOBODY = ""  # an id that no platform has


def without(case: Case, account: Account, *, own: bool) -> Case:
    """Return a case in which an account is no longer named, without the words that were aimed at it.

    With `own` the account itself asked for it: then it stays accused, and words stay that are aimed at others too, or
    only perhaps at it.
    """
    others = tuple(target for target in case.targets if target.account != account)
    return replace(
        case,
        targets=others,
        likely=None if case.likely == account else case.likely,
        accused=None if case.accused == account and not own else case.accused,
        despairing=None if case.despairing == account else case.despairing,
        also_despairing=tuple(other for other in case.also_despairing if other != account),
        evidence=case.evidence if own and (others or others == case.targets) else (),
        forgotten=case.forgotten or others != case.targets,
    )


def emptied(case: Case) -> Case:
    """Return what is left of what somebody told until the alert about it says so: nobody and no word."""
    return replace(
        case,
        about=Account(case.about.platform, _NOBODY),
        message_id="",
        evidence=(),
        targets=(),
        likely=None,
        accused=None,
        crisis=False,
        despairing=None,
        also_despairing=(),
        forgotten=True,
    )


def is_emptied(case: Case) -> bool:
    """Return whether nothing but its alert is left of a case."""
    return case.about.id == _NOBODY


def moved(effect: Effect, space: str, to: str) -> Effect:
    """Return an effect as it is in the new space."""
    if isinstance(effect, AlertModerators | UpdateAlert):
        alert = effect.alert
        if alert.space != space:
            return effect
        return replace(
            effect, alert=replace(alert, space=to, channel=alert.channel.replace(space, to, 1), message_id="")
        )
    return replace(effect, space=to)
