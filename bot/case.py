"""What Haven remembers of one account in one space, and the pure folds that decide what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import assert_never

from bot.effects import (
    Act,
    Advice,
    AdviseTarget,
    Alert,
    AlertModerators,
    Delivery,
    Effect,
    Elsewhere,
    Outcome,
    PageModerators,
    Raid,
    Ruling,
    Target,
    UpdateAlert,
)
from bot.policy import AdviceBy, Mode, Policy, Recipient
from classifiers.assessment import CLEAR, Assessment, Evidence, Kind, Level
from classifiers.conversation import Account


@dataclass(frozen=True, slots=True)
class Post:
    """The alert on its way to the moderators, or, once `reference` names it, in front of them."""

    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """The memory of decisions about one account in one space.

    `about` is the sender of a threat, or the person who disclosed one; `evidence` holds the first
    sight of each marker, so it is bounded. `likely` is a guess at whom a threat is aimed at, for moderators
    where there is no target. `opened_at` and `seen_at` are the times of messages. `acts` is what moderators did,
    each once; `reported` and `accused` come from a member who asked the moderators for help. `page` is the role
    that the space wants called, and `paged` whether it was. `score` is the highest that it had. `elsewhere` and `raid`
    say what its alert says of its campaign; a case `under` another has no alert of its own: that of the other shows it.
    `despairing` showed despair first, `also_despairing` are targets who did later. `forgotten` is whether a target was
    forgotten since, whoever it was.
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
    crisis: bool = False
    targets: tuple[Target, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    post: Post | None = None
    ruling: Ruling | None = None
    likely: Account | None = None
    acts: tuple[Act, ...] = ()
    reported: bool = False
    accused: Account | None = None
    page: str | None = None
    paged: bool = False
    despairing: Account | None = None
    also_despairing: tuple[Account, ...] = ()
    private: bool = False
    score: float = 0.0
    elsewhere: Elsewhere | None = None
    raid: Raid | None = None
    under: str | None = None
    forgotten: bool = False


def decide(
    case: Case | None, found: Assessment, policy: Policy, recipient: Recipient
) -> tuple[Case | None, tuple[Effect, ...]]:
    """Fold what was found into the case and say what follows from it.

    `recipient` speaks of `found.target`. Nothing follows twice: what was done is part of the case.
    """
    if found.level is Level.NONE or (policy.protects and found.target != policy.protects):
        return case, ()
    before = case if case and found.at - case.seen_at <= policy.incident_gap else None
    now = _merge(before or _open(found, policy.salt, case), found, policy)
    if before and now.ruling is Ruling.NOT_SEXTORTION:
        if now.targets == before.targets and now.level <= before.level and _despairs(now) == _despairs(before):
            return now, ()
        now = replace(now, ruling=None)  # the ruling did not know whom it is aimed at, how sure it is, or the despair
    now, advice = _advise(now, found, policy, recipient)
    if before and found.target and _despairs(now) > _despairs(before):
        advice = advice or _say_whom_to_call(now, found.target, recipient)
    if policy.mode >= Mode.ALERT and now.level >= Level.ALERT and not policy.protects and _lacks_alert(now):
        now = replace(now, post=Post())
        return now, (AlertModerators(view(now)), *advice)
    return shown(before, now, advice)


def after(case: Case, effect: Effect, delivery: Delivery) -> tuple[Case, tuple[Effect, ...]]:
    """Fold a settled delivery into the case; a refused warning, say, is shown to the moderators."""
    match effect:
        case AdviseTarget(target=account):
            advice = _ADVICE_AFTER[delivery.outcome]
            settles = _ON_ITS_WAY if effect.crisis and advice in _MISSED else _WAITS
            if not any(t.account == account and t.advice in settles for t in case.targets):
                return case, ()
            return shown(case, with_advice(case, account, advice))
        case AlertModerators(alert=alert):
            if delivery.outcome is not Outcome.DELIVERED or delivery.reference is None:
                return replace(case, post=None), ()
            now = replace(case, post=Post(delivery.reference), paged=case.paged or alert.page is not None)
            if alert == view(now):
                return now, ()
            known = replace(case, crisis=alert.crisis, also_despairing=alert.also_despairing, targets=alert.targets)
            calls = _calls(known, now, delivery.reference)
            now = replace(now, paged=now.paged or any(call.role for call in calls))
            return now, (UpdateAlert(view(now), delivery.reference), *calls)
        case UpdateAlert(reference=reference):
            if delivery.outcome is Outcome.GONE and case.post == Post(reference):
                alert = replace(view(case), page=None) if case.paged else view(case)
                return replace(case, post=Post()), (AlertModerators(alert),)
            return case, ()
        case PageModerators():
            return case, ()
        case _:
            assert_never(effect)


def despair(case: Case, account: Account, recipient: Recipient) -> tuple[Case, tuple[Effect, ...]]:
    """Fold somebody's despair into the case: moderators see it, and a person warned before hears whom to call.

    Where nobody was clearly aimed at, that person is among those who are by now.
    """
    now = with_despair(with_target(case, account), account)
    if _despairs(now) == _despairs(case):
        return case, ()
    now = replace(now, ruling=None if case.ruling is Ruling.NOT_SEXTORTION else case.ruling)
    told = _say_whom_to_call(now, account, recipient)
    if now.under and _lacks_alert(now):
        now = replace(now, post=Post())
        return now, (AlertModerators(view(now)), *told)
    return shown(case, now, told)


def view(case: Case) -> Alert:
    """Return what the moderators see of the case."""
    return Alert(
        case=case.id,
        space=case.space,
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
        acts=case.acts,
        reported=case.reported,
        accused=case.accused,
        page=case.page if case.crisis or case.level is Level.ADVISE else None,
        despairing=case.despairing,
        also_despairing=case.also_despairing,
        elsewhere=case.elsewhere,
        raid=case.raid,
        forgotten=case.forgotten,
    )


def new_id(space: str, kind: Kind, about: Account, origin: str, salt: str) -> str:
    """Return the id of a case: ten hexadecimal digits that the same message always leads to."""
    name = "\0".join((space, kind, about.platform, about.id, origin))
    return blake2b(name.encode(), digest_size=5, key=salt.encode()).hexdigest()


def shown(before: Case | None, now: Case, others: tuple[Effect, ...] = ()) -> tuple[Case, tuple[Effect, ...]]:
    """Return the case with the edit of the alert that the moderators have, if it says something new, and the others."""
    if before is None or now.post is None or now.post.reference is None or view(before) == view(now):
        return now, others
    reference = now.post.reference
    calls = _calls(before, now, reference)
    if any(call.role for call in calls):
        now = replace(now, paged=True)
    return now, (UpdateAlert(view(now), reference), *calls, *others)


def warning(case: Case, account: Account) -> AdviseTarget:
    """Return the private warning to one target."""
    return AdviseTarget(
        case=case.id,
        space=case.space,
        target=account,
        kind=case.kind,
        locale=case.locale,
        crisis=case.crisis,
        by_moderator=any(t.account == account and t.by_moderator for t in case.targets),
        private=case.private,
    )


def with_target(case: Case, account: Account) -> Case:
    """Return the case with the account among its targets."""
    if any(target.account == account for target in case.targets):
        return case
    return replace(case, targets=(*case.targets, Target(account, Advice.UNSURE)))


def with_advice(case: Case, account: Account, advice: Advice) -> Case:
    """Return the case with what became of the warning to one target."""
    targets = tuple(replace(target, advice=advice) if target.account == account else target for target in case.targets)
    return replace(case, targets=targets)


def with_despair(case: Case, account: Account | None) -> Case:
    """Return the case with the note that somebody despairs, and who, where that is known."""
    if not case.crisis:
        return replace(case, crisis=True, despairing=account)
    if account is None or account == case.despairing or account in case.also_despairing:
        return case
    return replace(case, also_despairing=(*case.also_despairing, account))


def with_wish(case: Case, account: Account) -> Case:
    """Return the case with the note that a moderator wished the warning to one target."""
    targets = tuple(replace(t, by_moderator=True) if t.account == account else t for t in case.targets)
    return replace(case, targets=targets)


_ADVICE_AFTER = {
    Outcome.DELIVERED: Advice.DELIVERED,
    Outcome.REFUSED: Advice.REFUSED,
    Outcome.UNREACHABLE: Advice.UNREACHABLE,
    Outcome.UNSTARTED: Advice.UNSTARTED,
    Outcome.DECLINED: Advice.DECLINED,
    Outcome.WITHDRAWN: Advice.UNSURE,
    Outcome.KEPT: Advice.WAITING,
    Outcome.GONE: Advice.FAILED,
    Outcome.FAILED: Advice.FAILED,
    Outcome.HELD: Advice.HELD,
    Outcome.UNKNOWN: Advice.UNKNOWN,
    Outcome.LOST: Advice.PENDING,
    Outcome.RETRY: Advice.PENDING,
}
_MOST_EVIDENCE = 20
_SAID = (1, 2, 3, 4, 5, 10, 20, 50, 100, 200, 500, 1000)  # at how many it is said that there is another
_BEARING = 2  # markers that an alert shows where none is clear
_WAITS = (Advice.PENDING, Advice.HELD)
_ON_ITS_WAY = (*_WAITS, Advice.DELIVERED, Advice.ASKED)
_MISSED = (Advice.REFUSED, Advice.UNREACHABLE, Advice.UNSTARTED, Advice.FAILED, Advice.UNKNOWN)  # of whom to call, too
_NOT_YET_WRITTEN_TO = (Advice.UNSURE, Advice.WAITING, Advice.RECENT, Advice.DECLINED)


def _lacks_alert(case: Case) -> bool:
    """Return whether a case has no alert, and none of another case is enough for it."""
    return case.post is None and (case.under is None or case.crisis)


def _open(found: Assessment, salt: str, over: Case | None) -> Case:
    """Open a case; after one that is `over` it has another id, also where an edit of the same message leads to it."""
    about = found.sender or found.target
    if about is None:
        raise ValueError("an assessment above level none names its sender or its target")
    origin = f"{found.message_id} {over.id}" if over else found.message_id
    return Case(
        id=new_id(found.space, found.kind, about, origin, salt),
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
    held = tuple(e for e in case.evidence if e.carried or not e.message_id or e.marker not in explained)
    markers = {evidence.marker for evidence in held}
    new = tuple(e for e in found.evidence if e.marker not in markers and e.probability >= CLEAR)
    if alerted and not (held or new):
        new = found.evidence[:_BEARING]
    if found.target and alerted:
        known = case
        case = with_target(case, found.target)
        if known.targets and known is not case:  # somebody else: the lines that are aimed at them count, too
            lines = {evidence.message_id for evidence in (*held, *new)}
            more = [e for e in found.evidence if e.message_id not in lines and e.probability >= CLEAR]
            new = (*new, *more[: max(0, _MOST_EVIDENCE - len(held) - len(new))])
    return replace(
        with_despair(case, found.target) if found.crisis else case,
        level=max(case.level, found.level),
        seen_at=max(case.seen_at, found.at),
        evidence=held + new,
        likely=found.likely or case.likely,
        locale=policy.locale,
        page=policy.page,
        private=policy.protects is not None,
        score=max(case.score, found.score),
    )


def _advise(case: Case, found: Assessment, policy: Policy, recipient: Recipient) -> tuple[Case, tuple[Effect, ...]]:
    """Warn the target of `found` unless it was done, the policy leaves it to others or the person said no."""
    held = {target.account: target.advice for target in case.targets}
    if found.target is None or found.level < Level.ADVISE or held.get(found.target) not in _NOT_YET_WRITTEN_TO:
        return case, ()
    if recipient.opted_in is False:
        advice = Advice.DECLINED
    elif case.forgotten and recipient.advised_at and recipient.advised_at >= case.opened_at:
        advice = Advice.RECENT  # it may have been because of this case, before they had themselves forgotten
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
    case = with_advice(case, found.target, advice)
    return case, (warning(case, found.target),) if advice is Advice.PENDING else ()


def _grows(before: int, now: int) -> bool:
    """Return whether so many more people are worth a word, so that nobody can flood moderators with it."""
    return any(before < count <= now for count in _SAID)


def _despairs(case: Case) -> int:
    """Return how many people have shown despair."""
    return case.crisis + len(case.also_despairing)


def _say_whom_to_call(case: Case, account: Account, recipient: Recipient) -> tuple[Effect, ...]:
    """Write once more to somebody who was warned before their despair showed; it shows once in a case."""
    on_its_way = (*_ON_ITS_WAY, Advice.RECENT) if case.forgotten else _ON_ITS_WAY
    warned = any(t.account == account and t.advice in on_its_way for t in case.targets)
    return (warning(case, account),) if warned and recipient.opted_in is not False else ()


def _calls(before: Case | None, now: Case, reference: str) -> tuple[PageModerators, ...]:
    """Return what moderators have to hear of since `before`, beyond an edit that nobody may notice, at most one thing.

    The role of the space is called once in a case, where it cannot wait.
    """
    role = view(now).page if not now.paged else None
    if _grows(_despairs(before) if before else 0, _despairs(now)):
        return (PageModerators(now.id, now.space, view(now).page, reference, "crisis"),)
    if before and before.targets and _grows(len(before.targets), len(now.targets)):
        return (PageModerators(now.id, now.space, role, reference, "another"),)
    again = before is not None and before.ruling is Ruling.NOT_SEXTORTION and now.ruling is None
    return (PageModerators(now.id, now.space, role, reference, "again" if again else "grave"),) if role or again else ()
