"""How cases, and what hangs on them, are erased, and move with their space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from bot.case import Case, shown, view
from bot.cases import Cases, stamp
from bot.effects import AdviseTarget, AlertModerators, PageModerators, UpdateAlert
from bot.policy import owner_of, private_space
from bot.redaction import emptied, moved, without
from classifiers.assessment import Kind
from classifiers.conversation import Account


class Store(Cases):
    """The cases and the outbox; what they hold of an account or a space, or of long ago, can be erased."""

    def forget(self, account: Account, now: float, *, own: bool = False) -> int:
        """Erase everything about the account; return how many cases lost content.

        Cases about it and those of its private chats go; in cases aimed at it, it is no longer named and no words are
        left, on the alert either. Its choice about warnings stays, so that it stays respected, and so do the lines of
        the audit trail about what it did as a moderator, without who and what they noted. With `own` it asked for this
        itself: then cases in which it threatens somebody or is accused stay, words that are aimed at others too or only
        perhaps at it, what it did as a moderator, and when it was warned, so that it is not warned twice of one thing.
        Of what it told only what edits the alert about it stays, until that is done. The audit trail says that somebody
        was forgotten, and not who.
        """
        key = self._key(account)
        with self.transaction():
            left = self._empty_alerts(account, now) if own else []
            erased = self.query(
                "DELETE FROM cases WHERE space = ? OR platform = ? AND account = ? AND kind IN (?, ?) RETURNING space",
                (self.placed(private_space(account)), *key, Kind.DISCLOSURE, Kind.DISCLOSURE if own else Kind.THREAT),
            )
            lines: list[tuple[str, str | None]] = [("" if owner_of(place) else place, None) for (place,) in erased]
            lines += [(space, None) for space in left]
            for before in self.cases_naming(account):
                if (nameless := without(before, account, own=own)) != before:
                    case, effects = shown(before, nameless)
                    self._redact_waiting(case, account)
                    self.record(case, effects, now)
                    if not case.evidence:
                        self.db.conn.execute("DELETE FROM marks WHERE case_id = ?", (case.id,))
                    lines.append((case.space, case.id))
            if not own:
                self._forget_moderator(account)
                self.db.conn.execute("UPDATE recipients SET advised_at = NULL WHERE platform = ? AND account = ?", key)
            self._drop_empty_recipients()
            noted = lines if own else lines or [("", None)]  # whoever asks again and again leaves no more lines
            for space, id in sorted({*noted}, key=str):
                self._note(space, "somebody_forgotten", now, id)
            self.unswept()
        if own:
            self.checkpoint()
        else:
            self.sweep()
        return len(lines)

    def holds(self, account: Account) -> bool:
        """Return whether anything about the account is kept, their choice about warnings included."""
        named = self.query(
            "SELECT 1 FROM (SELECT platform, account FROM cases UNION ALL SELECT platform, account FROM targets"
            " UNION ALL SELECT platform, account FROM recipients UNION ALL SELECT platform, account FROM audit)"
            " WHERE platform = ? AND account = ? LIMIT 1",
            self._key(account),
        )
        theirs = self.query("SELECT 1 FROM cases WHERE space = ? LIMIT 1", (self.placed(private_space(account)),))
        return bool(named or theirs) or any(self._calling(account)) or any(self._paging(account))

    def purge(self, space: str, before: datetime) -> int:
        """Erase the cases of a space last seen before then with all that hangs on them, and when people were warned."""
        limit = stamp(before)
        with self.transaction():
            self.forget_warnings(before)
            return self.db.conn.execute(
                "DELETE FROM cases WHERE space = ? AND seen_at < ?", (self.placed(space), limit)
            ).rowcount

    def forget_warnings(self, before: datetime) -> None:
        """Erase when people were warned, of warnings from before then."""
        limit = stamp(before)
        with self.transaction():
            self.db.conn.execute("UPDATE recipients SET advised_at = NULL WHERE advised_at < ?", (limit,))
            self._drop_empty_recipients()

    def leave(self, space: str, now: float) -> int:
        """Erase cases and settings of a space; return how many cases went. Its audit trail stays, without notes."""
        place = self.placed(space)
        with self.transaction():
            self.db.conn.execute(
                "UPDATE recipients SET advised_at = NULL WHERE (platform, account) IN (SELECT targets.platform,"
                " targets.account FROM targets JOIN cases ON id = case_id WHERE space = ?)",
                (place,),
            )
            self._drop_empty_recipients()
            gone = self.db.conn.execute("DELETE FROM cases WHERE space = ?", (place,)).rowcount
            self.db.conn.execute("DELETE FROM spaces WHERE space = ?", (place,))
            self._note("" if owner_of(space) else space, "left", now)
            self.unswept()
        self.sweep()
        return gone

    def move(self, space: str, to: str) -> None:
        """Give the cases, the waiting effects, the settings and the audit trail of a space its new id.

        Messages from before are in no channel of the new space, where their numbers may be those of others.
        """
        with self.transaction():
            for (body,) in self.query("SELECT body FROM cases WHERE space = ?", (space,)):
                case = self._case(body)
                self._write_case(replace(case, space=to, channel=case.channel.replace(space, to, 1), message_id=""))
            for id, name, payload in self.query(
                "SELECT outbox.id, effect, payload FROM outbox JOIN cases ON cases.id = case_id"
                " WHERE space = ? AND settled_at IS NULL",
                (to,),
            ):
                self._rewrite(id, moved(self._opened(name, payload), space, to))
            self.db.conn.execute(
                "UPDATE OR REPLACE spaces SET space = ? WHERE space = ? AND settings IS NOT NULL", (to, space)
            )
            self.db.conn.execute("DELETE FROM spaces WHERE space = ?", (space,))
            self.db.conn.execute("UPDATE audit SET space = ? WHERE space = ?", (to, space))

    def _empty_alerts(self, account: Account, now: float) -> list[str]:
        """Let alerts in front of moderators say no more that the account told of something; return their spaces."""
        spaces = []
        for before in self.cases_naming(account):
            if before.kind is Kind.DISCLOSURE and before.about == account and self._is_posted(before):
                case, effects = shown(before, emptied(before))
                self._redact_waiting(case, account)
                self.record(case, effects, now)
                self.db.conn.execute("DELETE FROM marks WHERE case_id = ?", (case.id,))
                spaces.append(case.space)
        return spaces

    def _is_posted(self, case: Case) -> bool:
        """Return whether moderators have an alert of the case, or may have it."""
        begun = "SELECT 1 FROM outbox WHERE case_id = ? AND effect = ? AND settled_at IS NULL AND begun_at IS NOT NULL"
        return case.post is not None and bool(
            case.post.reference or self.query(begun, (case.id, AlertModerators.__name__))
        )

    def _drop_empty_recipients(self) -> None:
        self.db.conn.execute("DELETE FROM recipients WHERE advised_at IS NULL AND opted_in IS NULL")

    def _redact_waiting(self, case: Case, account: Account) -> None:
        """Drop the waiting warning to the account; waiting alerts say no more than the case does."""
        for id, name, payload, begun_at in self.query(
            "SELECT id, effect, payload, begun_at FROM outbox WHERE case_id = ? AND settled_at IS NULL", (case.id,)
        ):
            effect = self._opened(name, payload)
            if isinstance(effect, AdviseTarget) and effect.target == account:
                self.db.conn.execute("DELETE FROM outbox WHERE id = ?", (id,))
                if begun_at is None:  # otherwise it may arrive
                    self._was_not_written_to(effect)
            elif isinstance(effect, AlertModerators | UpdateAlert):
                self._rewrite(id, replace(effect, alert=view(case)))
            elif isinstance(effect, PageModerators) and effect.role == account.id:
                self._rewrite(id, replace(effect, role=None))

    def _forget_moderator(self, account: Account) -> None:
        """Keep what somebody did as a moderator without who did it, and do not call them to urgent cases any more."""
        self.db.conn.execute(
            "UPDATE audit SET account = '', who = NULL, note = NULL WHERE platform = ? AND account = ?",
            self._key(account),
        )
        for space, chosen in self._calling(account):
            kept = msgspec.json.encode(chosen | {"page_role": ""})
            self.db.conn.execute("UPDATE spaces SET settings = ? WHERE space = ?", (self.seal.close(kept), space))
        for case in self._paging(account):
            self._write_case(replace(case, page=None))
            self._redact_waiting(replace(case, page=None), account)

    def _calling(self, account: Account) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the spaces that call the account to urgent cases, with what they chose."""
        for space, settings in self.query("SELECT space, settings FROM spaces WHERE settings IS NOT NULL"):
            chosen = msgspec.json.decode(self.seal.open(settings), type=dict[str, Any])
            if chosen.get("page_role") == account.id:
                yield space, chosen

    def _paging(self, account: Account) -> Iterator[Case]:
        """Yield the cases to which the account is called."""
        cases = (self._case(body) for (body,) in self.query("SELECT body FROM cases"))
        yield from (case for case in cases if case.page == account.id)

    def _note(self, space: str, act: str, now: float, case: str | None = None) -> None:
        """Add a line to the audit trail that names nobody."""
        line = {"space": space, "case_id": case, "at": now, "platform": "", "account": "", "act": act}
        self.db.table("audit").insert(line)
