"""Finds the other cases of a campaign, and lets their alerts say so; by script and payment handle, never by person."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bot.campaign import RAID, RAID_TIME, can_be_gathered, elsewhere, gathered, led, linked, ungathered
from bot.case import Case
from bot.effects import AlertModerators, Effect, Ruling
from bot.handles import handles
from bot.ledger import Ledger
from bot.policy import Mode, Policy
from bot.scripts import bands
from bot.store import Store
from classifiers.assessment import Kind, Level

_EDITED = 25  # alerts of a campaign, the latest, that are edited when it grows


class Linker:
    """Links cases as they are decided on, within the transaction that records them."""

    def __init__(self, store: Store, ledger: Ledger, policy_of: Callable[[str], Policy]) -> None:
        self._store = store
        self._ledger = ledger
        self._policy_of = policy_of

    def link(
        self, case: Case, effects: tuple[Effect, ...], written: Iterable[str], now: float
    ) -> tuple[Case, tuple[Effect, ...]]:
        """Return a case that moderators are told of and its effects with what is known of its campaign.

        `written` is what its sender wrote. Only keyed hashes of it are kept, with the case.
        """
        policy = self._policy_of(case.space)
        if case.level < Level.ALERT or policy.protects:
            return case, effects
        with self._store.transaction():
            return self._link(case, effects, self._marks(case, written, policy), now)

    def ruled(self, case: Case, ruling: Ruling, now: float, *, counts: bool) -> None:
        """Keep a ruling; it `counts` for thresholds, and alerts of the campaign count no case that is ruled out."""
        self._ledger.rule(case.id, case.score, ruling, now, counts=counts and case.score > 0)
        if campaign := self._ledger.campaign(case.id):
            self._tell_others(campaign, case.id, now, self._ledger.spread(campaign))

    def tell_anew(self, space: str, now: float) -> None:
        """Let alerts say what they may know now that a space has chosen whether it shares."""
        with self._store.transaction():
            for campaign in self._ledger.campaigns(space):
                self._tell_others(campaign, "", now, self._ledger.spread(campaign))

    def raid(self, case: Case) -> list[str]:
        """Return the cases of its campaign that the alert of a case stands for, its own among them."""
        campaign = self._ledger.campaign(case.id)
        members = self._ledger.members(campaign, case.space, self._ledger.begun(case)) if campaign else []
        return [member.case for member in members] if case.raid else []

    def _link(
        self, case: Case, effects: tuple[Effect, ...], marks: set[bytes], now: float
    ) -> tuple[Case, tuple[Effect, ...]]:
        at = case.seen_at.timestamp()
        campaign = self._ledger.join(case.id, marks, at)
        if self._is_left_alone(case):
            case, effects = ungathered(case, effects)
        alerting = any(isinstance(effect, AlertModerators) for effect in effects)
        reopened = case.ruling is None and self._ledger.is_dismissed(case.id)
        if campaign is None and (alerting or reopened):
            campaign = self._ledger.campaign(case.id)
        if campaign is None:
            return case, effects
        self._store.record(case, (), now)  # so that it is counted
        if alerting:
            leader = self._leader(case, campaign)
            self._ledger.lead(case.id, leader.id if leader else case.id, at)
            if leader:
                case, effects = gathered(case, effects, leader.id)
                self._lead(leader, campaign, now)
        spread = self._ledger.spread(campaign)
        self._tell_others(campaign, case.id, now, spread)
        return linked(case, effects, elsewhere(case, self._visible(case.space, spread)))

    def _marks(self, case: Case, written: Iterable[str], policy: Policy) -> set[bytes]:
        """Return what marks a case; a space that does not share gets marks that no other space has."""
        threat = case.kind is Kind.THREAT
        found = {f"handle {handle}".encode() for text in written for handle in handles(text, phones=threat)}
        if threat:
            found |= {b"script " + band for band in bands(seen.excerpt for seen in case.evidence)}
        scope = b"" if policy.share_campaigns else case.space.encode()
        return {scope + b"\0" + mark for mark in found}

    def _visible(self, space: str, spread: dict[str, int]) -> dict[str, int]:
        """Return the part of a campaign that a space may know of: its own cases, and those of spaces that share too."""
        shares = self._policy_of(space).share_campaigns
        return {
            one: count
            for one, count in spread.items()
            if one == space or (shares and self._policy_of(one).share_campaigns)
        }

    def _leader(self, case: Case, campaign: str) -> Case | None:
        """Return the case whose alert is enough for this one, None when this is no raid."""
        if not can_be_gathered(case):
            return None
        since = (case.seen_at - RAID_TIME).timestamp()
        members = self._ledger.members(campaign, case.space, since)
        told = [one for one in members if one.leader and not one.dismissed and one.case != case.id]
        if len(told) < RAID:
            return None
        leading = [one.leader for one in reversed(told) if one.leader != one.case]
        for id in dict.fromkeys([*leading, *(one.leader for one in told)]):
            leader = self._store.case_of(id) if id else None
            if leader and leader.post and leader.ruling is not Ruling.NOT_SEXTORTION:
                return leader
        return None

    def _is_left_alone(self, case: Case) -> bool:
        """Return whether a case goes on that nobody ruled on, after the raid or the alert under which it stands."""
        if case.under is None or case.post or case.ruling or self._policy_of(case.space).mode < Mode.ALERT:
            return False
        leader = self._store.case_of(case.under)
        is_over = case.seen_at.timestamp() - self._ledger.begun(case) > RAID_TIME.total_seconds()
        return is_over or leader is None or leader.ruling is Ruling.NOT_SEXTORTION

    def _lead(self, leader: Case, campaign: str, now: float) -> None:
        members = self._ledger.members(campaign, leader.space, self._ledger.begun(leader))
        leader, edits = led(leader, [member.case for member in members], len({member.sender for member in members}))
        self._store.record(leader, edits, now)

    def _tell_others(self, campaign: str, besides: str, now: float, spread: dict[str, int]) -> None:
        for id in self._ledger.alerted(campaign, _EDITED):
            before = self._store.case_of(id) if id != besides else None
            if before:
                case, effects = linked(before, (), elsewhere(before, self._visible(before.space, spread)))
                if case != before:
                    self._store.record(case, effects, now)
