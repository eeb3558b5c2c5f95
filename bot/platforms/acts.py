"""What the buttons under an alert do on every platform, besides what is asked of the platform itself."""

from __future__ import annotations

from collections.abc import Sequence

from bot.case import Case, view
from bot.effects import Advice, Target
from bot.moderation import NothingToSendError, RefusedError
from bot.parts import Parts
from classifiers.conversation import Account

CONFIRMED = "Noted as sextortion. Save the evidence before you delete anything."
NOTHING_TO_SEND = "there is nobody to write to: the advice was sent, cannot be sent, or they are the one who threatens"


def send_advice(parts: Parts, space: str, case_id: str, targets: Sequence[Account], actor: Account) -> str:
    """Record that a moderator wants these people to be written to; return what to tell the moderator."""
    said = "They asked not to be written to, so nothing is sent. The alert says so."
    for target in targets:
        try:
            case = parts.moderation.advise(space, case_id, target, actor)
        except NothingToSendError:
            raise RefusedError(NOTHING_TO_SEND) from None
        if Target(target, Advice.PENDING) in case.targets:
            said = "The private advice is on its way. The alert shows whether it arrives."
    return said


def ruled_all(done: int) -> str:
    """Return what to tell a moderator who ruled on every case of an alert."""
    return f"Noted for {done} {'case' if done == 1 else 'cases'}."


def offender(case: Case) -> Account:
    """Return whom moderators may act against; RefusedError where nobody is known."""
    alert = view(case)
    found = alert.sender or alert.accused
    if found is None:
        raise RefusedError("nobody is known to have sent this")
    return found
