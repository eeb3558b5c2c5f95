"""What Haven remembers of one account in one space, and the pure folds that decide what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from hashlib import blake2b
from typing import assert_never

from bot.effects import (
    Advice,
    AdviseTarget,
    Alert,
    AlertModerators,
    Delivery,
    Effect,
    Outcome,
    Ruling,
    Target,
    UpdateAlert,
)
from classifiers.assessment import CLEAR, Assessment, Evidence, Kind, Level, Sensitivity
from classifiers.conversation import Account


class Mode(IntEnum):
    """How far a space lets Haven go: only record, also tell moderators, also write to targets."""

    OBSERVE = 0
    ALERT = 1
    ADVISE = 2


class AdviceBy(StrEnum):
    """Who sets off the private warning in a space."""

    AUTOMATIC = "automatic"
    MODERATOR = "moderator"
    OPTED_IN = "opted-in"


@dataclass(frozen=True, slots=True)
class Policy:
    """What one space wants of Haven.

    `cooldown` is the shortest time between two warnings to one person; a case that was quiet for
    `incident_gap` is over, and what follows is a new one.
    """

    mode: Mode = Mode.ADVISE
    sensitivity: Sensitivity = Sensitivity.NORMAL
    advice_by: AdviceBy = AdviceBy.AUTOMATIC
    locale: str = "en-GB"
    alert_channel: str | None = None
    cooldown: timedelta = timedelta(days=1)
    incident_gap: timedelta = timedelta(days=7)
    retention: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a person chose about private warnings (None: nothing yet) and when they last got one."""

    opted_in: bool | None = None
    advised_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """The alert on its way to the moderators, or, once `reference` names it, in front of them."""

    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """The memory of decisions about one account in one space.

    `about` is the sender of a threat, or the person who disclosed one; `evidence` holds the first
    sight of each marker, so it is bounded. `likely` is a guess at whom a threat is aimed at, for moderators
    where there is no target. `opened_at` and `seen_at` are the times of messages.
    """

    id: str
    space: str
    channel: str
    message_id: str
    kind: Kind
    about: Account
    level: Level
    opened_at: datetime
    seen_at: datetime
    locale: str
    destination: str | None = None
    crisis: bool = False
    targets: tuple[Target, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    post: Post | None = None
    ruling: Ruling | None = None
    likely: Account | None = None


def decide(
    case: Case | None, found: Assessment, policy: Policy, recipient: Recipient
) -> tuple[Case | None, tuple[Effect, ...]]:
    """Fold what was found into the case and say what follows from it.

    `recipient` speaks of `found.target`. Nothing follows twice: what was done is part of the case.
    """
    if found.level is Level.NONE:
        return case, ()
    before = case if case and found.at - case.seen_at <= policy.incident_gap else None
    now = _merge(before or _open(found), found, policy)
    if before and now.ruling is Ruling.NOT_SEXTORTION:
        if not before.targets or now.targets == before.targets:
            return now, ()
        now = replace(now, ruling=None)  # somebody new is aimed at, whom the ruling did not know
    now, advice = _advise(now, found, policy, recipient)
    if before and found.target and now.crisis and not before.crisis:
        advice = advice or _say_whom_to_call(now, found.target, recipient)
    if now.post is None and policy.mode >= Mode.ALERT and now.level >= Level.ALERT:
        now = replace(now, post=Post())
        return now, (AlertModerators(view(now)), *advice)
    return now, (*_update(before, now), *advice)


def after(case: Case, effect: Effect, delivery: Delivery) -> tuple[Case, tuple[Effect, ...]]:
    """Fold a settled delivery into the case; a refused warning, say, is shown to the moderators."""
    match effect:
        case AdviseTarget(target=account):
            now = _with_advice(case, account, _ADVICE_AFTER[delivery.outcome])
            return now, _update(case, now)
        case AlertModerators(alert=shown):
            if delivery.outcome is not Outcome.DELIVERED or delivery.reference is None:
                return replace(case, post=None), ()
            now = replace(case, post=Post(delivery.reference))
            follow_up = () if shown == view(now) else (UpdateAlert(view(now), delivery.reference),)
            return now, follow_up
        case UpdateAlert(reference=reference):
            if delivery.outcome is Outcome.GONE and case.post == Post(reference):
                return replace(case, post=Post()), (AlertModerators(view(case)),)
            return case, ()
        case _:
            assert_never(effect)


def despair(case: Case, account: Account, recipient: Recipient) -> tuple[Case, tuple[Effect, ...]]:
    """Fold somebody's despair into the case: moderators see it, and a person warned before hears whom to call.

    Where nobody was clearly aimed at, it is that person by now.
    """
    if case.crisis or case.ruling is Ruling.NOT_SEXTORTION:
        return case, ()
    now = replace(case if case.targets else _with_target(case, account), crisis=True)
    return now, (*_update(case, now), *_say_whom_to_call(now, account, recipient))


def withheld(case: Case, effect: Effect, recipient: Recipient) -> Outcome | None:
    """Return why a recorded warning is not to be sent any more, None while it is."""
    if isinstance(effect, AdviseTarget):
        if recipient.opted_in is False:
            return Outcome.DECLINED
        if case.ruling is Ruling.NOT_SEXTORTION:
            return Outcome.WITHDRAWN
    return None


def rule(case: Case, ruling: Ruling) -> tuple[Case, tuple[Effect, ...]]:
    """Fold a moderator's judgement into the case and show it on the alert."""
    now = replace(case, ruling=ruling)
    return now, _update(case, now)


def advise(case: Case, account: Account, recipient: Recipient) -> tuple[Case, tuple[Effect, ...]]:
    """Fold a moderator's wish to warn one target into the case; a choice of that person stands above it."""
    if account != case.about:
        case = _with_target(case, account)  # whom Haven could not name, a moderator may
    held = {target.account: target.advice for target in case.targets}
    if held.get(account) not in (Advice.WAITING, Advice.UNSURE, Advice.FAILED, Advice.RECENT):
        return case, ()
    if recipient.opted_in is False:
        now = _with_advice(case, account, Advice.DECLINED)
        return now, _update(case, now)
    now = _with_advice(case, account, Advice.PENDING)
    return now, (*_update(case, now), _warning(now, account))


def view(case: Case) -> Alert:
    """Return what the moderators see of the case."""
    return Alert(
        case=case.id,
        space=case.space,
        destination=case.destination,
        locale=case.locale,
        kind=case.kind,
        level=case.level,
        channel=case.channel,
        message_id=case.message_id,
        sender=case.about if case.kind is Kind.THREAT else None,
        targets=case.targets,
        evidence=case.evidence,
        crisis=case.crisis,
        ruling=case.ruling,
        likely=None if case.targets else case.likely,
    )


_ADVICE_AFTER = {
    Outcome.DELIVERED: Advice.DELIVERED,
    Outcome.REFUSED: Advice.REFUSED,
    Outcome.UNREACHABLE: Advice.UNREACHABLE,
    Outcome.DECLINED: Advice.DECLINED,
    Outcome.WITHDRAWN: Advice.UNSURE,
    Outcome.GONE: Advice.FAILED,
    Outcome.FAILED: Advice.FAILED,
    Outcome.RETRY: Advice.PENDING,
}
_BEARING = 2  # markers that an alert shows where none is clear
_NOT_YET_WRITTEN_TO = (Advice.UNSURE, Advice.WAITING, Advice.RECENT, Advice.DECLINED)


def _open(found: Assessment) -> Case:
    about = found.sender or found.target
    if about is None:
        raise ValueError("an assessment above level none names its sender or its target")
    name = "\0".join((found.space, found.kind, about.platform, about.id, found.message_id))
    return Case(
        id=blake2b(name.encode(), digest_size=5).hexdigest(),
        space=found.space,
        channel=found.channel,
        message_id=found.message_id,
        kind=found.kind,
        about=about,
        level=found.level,
        opened_at=found.at,
        seen_at=found.at,
        locale="",
    )


def _merge(case: Case, found: Assessment, policy: Policy) -> Case:
    alerted = found.level >= Level.ALERT
    explained = {evidence.marker for evidence in found.evidence if evidence.carried}
    held = tuple(e for e in case.evidence if e.carried or e.marker not in explained)
    markers = {evidence.marker for evidence in held}
    new = tuple(e for e in found.evidence if e.marker not in markers and e.probability >= CLEAR)
    if alerted and not (held or new):
        new = found.evidence[:_BEARING]
    if found.target and alerted:
        case = _with_target(case, found.target)
    return replace(
        case,
        level=max(case.level, found.level),
        seen_at=max(case.seen_at, found.at),
        crisis=case.crisis or found.crisis,
        evidence=held + new,
        likely=found.likely or case.likely,
        locale=policy.locale,
        destination=policy.alert_channel,
    )


def _advise(case: Case, found: Assessment, policy: Policy, recipient: Recipient) -> tuple[Case, tuple[Effect, ...]]:
    """Warn the target of `found` unless it was done, the policy leaves it to others or the person said no."""
    held = {target.account: target.advice for target in case.targets}
    if found.target is None or found.level < Level.ADVISE or held.get(found.target) not in _NOT_YET_WRITTEN_TO:
        return case, ()
    if recipient.opted_in is False:
        advice = Advice.DECLINED
    elif (
        policy.mode < Mode.ADVISE
        or policy.advice_by is AdviceBy.MODERATOR
        or (policy.advice_by is AdviceBy.OPTED_IN and not recipient.opted_in)
    ):
        advice = Advice.WAITING
    elif recipient.advised_at and found.at - recipient.advised_at < policy.cooldown:
        advice = Advice.RECENT
    else:
        advice = Advice.PENDING
    case = _with_advice(case, found.target, advice)
    return case, (_warning(case, found.target),) if advice is Advice.PENDING else ()


def _say_whom_to_call(case: Case, account: Account, recipient: Recipient) -> tuple[Effect, ...]:
    """Write once more to somebody who was warned before despair showed; it shows once in a case."""
    warned = any(t.account == account and t.advice in (Advice.PENDING, Advice.DELIVERED) for t in case.targets)
    return (_warning(case, account),) if warned and recipient.opted_in is not False else ()


def _warning(case: Case, account: Account) -> AdviseTarget:
    return AdviseTarget(
        case=case.id,
        space=case.space,
        target=account,
        kind=case.kind,
        locale=case.locale,
        crisis=case.crisis,
    )


def _with_target(case: Case, account: Account) -> Case:
    """Return the case with the account among its targets."""
    if any(target.account == account for target in case.targets):
        return case
    return replace(case, targets=(*case.targets, Target(account, Advice.UNSURE)))


def _with_advice(case: Case, account: Account, advice: Advice) -> Case:
    targets = tuple(replace(target, advice=advice) if target.account == account else target for target in case.targets)
    return replace(case, targets=targets)


def _update(before: Case | None, now: Case) -> tuple[Effect, ...]:
    """Edit the alert that the moderators have, if it has something new to say."""
    if before is None or now.post is None or now.post.reference is None or view(before) == view(now):
        return ()
    return (UpdateAlert(view(now), now.post.reference),)
