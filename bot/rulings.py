"""What moderators and members themselves say about a case, as pure folds like those of `case.py`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.case import Case, Post, new_id, shown, view, warning, with_advice, with_target, with_wish
from bot.effects import Act, Advice, AdviseTarget, AlertModerators, Effect, Outcome, Ruling
from bot.policy import AdviceBy, Mode, Policy, Recipient
from classifiers.assessment import Evidence, Kind, Level, Marker
from classifiers.conversation import Account

REPORT_LENGTH = 1000
SENDABLE = (Advice.WAITING, Advice.UNSURE, Advice.FAILED, Advice.UNKNOWN, Advice.RECENT, Advice.ASKED)
_ON_THE_ALERT = (Act.TIMED_OUT, Act.BANNED, Act.DELETED_MESSAGES, Act.NOTED, Act.TOOK_EVIDENCE)


def rule(case: Case, ruling: Ruling) -> tuple[Case, tuple[Effect, ...]]:
    """Fold a moderator's judgement into the case and show it on the alert."""
    return shown(case, replace(case, ruling=ruling))


def advise(case: Case, account: Account, recipient: Recipient) -> tuple[Case, tuple[Effect, ...]]:
    """Fold a moderator's wish to warn one target into the case; a choice of that person stands above it."""
    if account not in (case.about, case.accused):
        case = with_target(case, account)  # whom Haven could not name, a moderator may
    held = {target.account: target.advice for target in case.targets}
    if held.get(account) not in SENDABLE:
        return case, ()
    if recipient.opted_in is False:
        return shown(case, with_advice(case, account, Advice.DECLINED))
    now = with_wish(with_advice(case, account, Advice.PENDING), account)
    return shown(case, now, (warning(now, account),))


def acted(case: Case, act: Act) -> tuple[Case, tuple[Effect, ...]]:
    """Fold what a moderator did about the case into it; the alert says so once."""
    if act not in _ON_THE_ALERT or act in case.acts:
        return case, ()
    return shown(case, replace(case, acts=(*case.acts, act)))


def disclaim(case: Case, account: Account) -> tuple[Case, tuple[Effect, ...]]:
    """Fold a person's word that a warning was not about them into the case."""
    return shown(case, with_advice(case, account, Advice.DISPUTED))


def started(case: Case, account: Account, recipient: Recipient, *, sent: bool) -> tuple[Case, tuple[Effect, ...]]:
    """Fold into the case that a target, whom nobody could write to before, has opened a chat with Haven.

    One warning is enough: nothing follows where that of another case is `sent`.
    """
    if not any(t.account == account and t.advice is Advice.UNSTARTED for t in case.targets):
        return case, ()
    if recipient.opted_in is False:
        return shown(case, with_advice(case, account, Advice.DECLINED))
    if sent:
        return shown(case, with_advice(case, account, Advice.RECENT))
    now = with_advice(case, account, Advice.PENDING)
    return shown(case, now, (warning(now, account),))


def report(
    member: Account,
    text: str,
    accused: Account | None,
    *,
    space: str,
    channel: str,
    key: str,
    at: datetime,
    policy: Policy,
    crisis: bool,
) -> tuple[Case, tuple[Effect, ...]]:
    """Open a case in which a member asks the moderators for help; the advice was the answer to their report.

    `key` is the platform's id of the request; at most 1,000 characters of the text are kept.
    """
    case = Case(
        id=new_id(space, Kind.DISCLOSURE, member, key, policy.salt),
        space=space,
        channel=channel,
        message_id="",
        kind=Kind.DISCLOSURE,
        about=member,
        level=Level.ADVISE,
        opened_at=at,
        seen_at=at,
        locale=policy.locale,
        crisis=crisis,
        despairing=member if crisis else None,
        evidence=(Evidence(Marker.VICTIM_DISCLOSURE, "", 1.0, text[:REPORT_LENGTH], at=at),) if text else (),
        post=Post(),
        reported=True,
        accused=accused,
        page=policy.page,
    )
    case = with_advice(with_target(case, member), member, Advice.ASKED)
    return case, (AlertModerators(view(case)),)


def withheld(case: Case, effect: Effect, recipient: Recipient, policy: Policy) -> Outcome | None:
    """Return why a recorded warning is not to be sent any more, None while it is."""
    if isinstance(effect, AdviseTarget):
        if recipient.opted_in is False:
            return Outcome.DECLINED
        if case.ruling is Ruling.NOT_SEXTORTION:
            return Outcome.WITHDRAWN
        automatic = policy.mode is Mode.ADVISE and policy.advice_by is not AdviceBy.MODERATOR
        if not automatic and not effect.by_moderator:
            return Outcome.KEPT
    return None
