"""What must hold of Haven, whatever befell it: read from what the world noted and from what is recorded in the end."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

from faulting.haven import EVE, MAL, SPACE
from faulting.world import World

from bot.case import Case, view
from bot.effects import Advice, AdviseTarget, AlertModerators, Outcome
from bot.sealing import load_seal
from bot.store import Store

LATEST = 2 * 3600.0 + 600.0
"""An alert is made so soon in true seconds: an outage of an hour, the longest wait after it, and what Haven is away."""
_TOLD = (Advice.DELIVERED, Advice.UNKNOWN)


def broken(world: World, *, erased: bool = False) -> list[str]:
    """Return what does not hold at the end of a story; with `erased`, the story ends with nothing left."""
    wrong = list(world.wrong)
    with closing(sqlite3.connect(world.database)) as connection:
        wrong += [str(line) for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]
        wrong += [f"foreign key: {line}" for line in connection.execute("PRAGMA foreign_key_check")]
        waiting = connection.execute("SELECT effect, attempts FROM outbox WHERE settled_at IS NULL").fetchall()
        wrong += [f"{effect} still waits after {attempts} attempts" for effect, attempts in waiting]
    wrong += _warnings(world)
    with closing(Store(world.database, load_seal(world.folder / "haven.key", {}, create=False))) as store:
        cases = store.latest_cases(SPACE, 100)
        if erased:
            wrong += [f"case {case.id} is left" for case in cases]
            return wrong
        wrong += [f"case {one} was decided on and is gone" for one in world.decided.keys() - {c.id for c in cases}]
        for case in cases:
            wrong += _alerts(world, case)
            wrong += _targets(world, case, store)
    return wrong


def _alerts(world: World, case: Case) -> Iterator[str]:
    """A case that was decided on stands in front of the moderators, soon, and as it is now."""
    if case.post is None:
        if case.id in world.decided:
            yield f"case {case.id} has no alert"
        return
    made = [
        done for done in world.done if isinstance(done.effect, AlertModerators) and done.effect.alert.case == case.id
    ]
    if not made:
        yield f"case {case.id} was never alerted"
        return
    if len({done.key for done in made}) > 1:
        yield f"case {case.id} has two alerts that were recorded"
    if made[0].at - world.decided.get(case.id, made[0].at) > LATEST:
        yield f"case {case.id} was alerted {made[0].at - world.decided[case.id]:.0f} s late"
    shown = world.alerts.get(case.post.reference or "")
    if shown != view(case):
        yield f"the alert of case {case.id} is out of date"


def _targets(world: World, case: Case, store: Store) -> Iterator[str]:
    """What is recorded of a warning is what became of it, also of the one in despair."""
    settled = [one.outcome for one in store.settled(case.id) if one.effect == AdviseTarget.__name__]
    if any(outcome not in (Outcome.DELIVERED, Outcome.UNKNOWN) for outcome in settled):
        yield f"case {case.id}: a warning ended as {settled}"
    if (Outcome.UNKNOWN in settled) != any(target.advice is Advice.UNKNOWN for target in case.targets):
        yield f"case {case.id}: warnings ended as {settled}, and count as {[t.advice for t in case.targets]}"
    for target in case.targets:
        got = any(isinstance(done.effect, AdviseTarget) and done.effect.target == target.account for done in world.done)
        if target.advice is Advice.DELIVERED and not got:
            yield f"case {case.id}: a warning counts as delivered and was not"
        if got and target.advice not in _TOLD:
            yield f"case {case.id}: a warning was delivered and counts as {target.advice}"
        if target.advice is Advice.PENDING:
            yield f"case {case.id}: a warning is pending for ever"


def _warnings(world: World) -> Iterator[str]:
    """Nobody is written to twice for one reason, and never who threatens."""
    sent = [done.effect for done in world.done if isinstance(done.effect, AdviseTarget)]
    for (target, crisis), count in Counter((one.target, one.crisis) for one in sent).items():
        if count > 1:
            yield f"{target.id} was written to {count} times{' in despair' if crisis else ''}"
        if target in (EVE, MAL):
            yield f"{target.id}, who threatens, was written to"
