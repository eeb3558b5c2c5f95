"""The database's schema, as migrations; never change an old one, add another under it."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("haven")

SEALED = (
    ("seal", "proof"),
    ("cases", "body"),
    ("outbox", "payload"),
    ("recipients", "who"),
    ("audit", "who"),
    ("audit", "note"),
    ("spaces", "settings"),
    ("former_keys", "signing"),
    ("former_keys", "blinding"),
)
UNSWEPT, SWEPT = "PRAGMA user_version = 1", "PRAGMA user_version = 0"

_SCHEMA = (
    "CREATE TABLE seal (id INTEGER PRIMARY KEY CHECK (id = 1), proof BLOB NOT NULL)",
    """CREATE TABLE cases (
        id TEXT PRIMARY KEY, space TEXT NOT NULL, kind TEXT NOT NULL,
        platform TEXT NOT NULL, account TEXT NOT NULL, seen_at TEXT NOT NULL, body BLOB NOT NULL)""",
    "CREATE INDEX cases_about ON cases (space, platform, account, kind, seen_at)",
    "CREATE INDEX cases_seen ON cases (space, seen_at)",
    """CREATE TABLE targets (
        case_id TEXT NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
        platform TEXT NOT NULL, account TEXT NOT NULL,
        PRIMARY KEY (case_id, platform, account)) WITHOUT ROWID""",
    "CREATE INDEX targets_account ON targets (platform, account)",
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, case_id TEXT NOT NULL REFERENCES cases (id) ON DELETE CASCADE,
        platform TEXT NOT NULL, effect TEXT NOT NULL, payload BLOB, attempts INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL, due_at REAL NOT NULL, settled_at REAL, outcome TEXT, detail TEXT)""",
    "CREATE INDEX outbox_due ON outbox (platform, due_at) WHERE settled_at IS NULL",
    "CREATE INDEX outbox_case ON outbox (case_id)",
    """CREATE TABLE recipients (
        platform TEXT NOT NULL, account TEXT NOT NULL, opted_in INTEGER, advised_at TEXT,
        PRIMARY KEY (platform, account)) WITHOUT ROWID""",
)


@migrations()
def m001_initial(db: Database) -> None:
    """Create the first schema; `body` and `payload` are sealed."""
    for statement in _SCHEMA:
        db.conn.execute(statement)


@migrations()
def m002_spaces_and_audit(db: Database) -> None:
    """Add what each space chose and what moderators did; a note goes with its case, the line that it was made stays."""
    for statement in (
        "CREATE TABLE spaces (space TEXT PRIMARY KEY, settings TEXT, seen_at REAL) WITHOUT ROWID",
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT, space TEXT NOT NULL, case_id TEXT, at REAL NOT NULL,
            platform TEXT NOT NULL, account TEXT NOT NULL, act TEXT NOT NULL, note BLOB)""",
        "CREATE INDEX audit_case ON audit (case_id)",
        "CREATE INDEX audit_space ON audit (space, at)",
        """CREATE TRIGGER case_erased AFTER DELETE ON cases BEGIN
            UPDATE audit SET note = NULL WHERE case_id = OLD.id; END""",
        "CREATE INDEX outbox_warned ON outbox (platform, settled_at) WHERE outcome = 'delivered'",
    ):
        db.conn.execute(statement)


@migrations()
def m003_begun(db: Database) -> None:
    """Add when an attempt began whose end nobody knows."""
    db.conn.execute("ALTER TABLE outbox ADD COLUMN begun_at REAL")


@migrations()
def m004_hashed_accounts(db: Database) -> None:
    """Let keyed hashes stand for accounts, and seal who did what and what each space chose.

    `Database` lends the functions. What was readable before is still in the file: it has to be swept afterwards.
    """
    for statement in (
        "UPDATE cases SET account = hashed(platform, account), space = placed(space)",
        "UPDATE targets SET account = hashed(platform, account)",
        "ALTER TABLE recipients ADD COLUMN who BLOB",
        "UPDATE recipients SET who = sealed(account), account = hashed(platform, account)",
        "ALTER TABLE audit ADD COLUMN who BLOB",
        "UPDATE audit SET who = sealed(account), account = hashed(platform, account)",
        "UPDATE spaces SET settings = sealed(settings) WHERE settings IS NOT NULL",
        "CREATE TABLE former_keys (until REAL PRIMARY KEY, signing BLOB NOT NULL)",
        UNSWEPT,
    ):
        db.conn.execute(statement)


@migrations()
def m005_campaigns_and_feedback(db: Database) -> None:
    """Add what links cases of one campaign, by keyed hashes, and the scores of cases that moderators ruled on."""
    for statement in (
        """CREATE TABLE campaigns (
            case_id TEXT PRIMARY KEY REFERENCES cases (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            campaign TEXT NOT NULL, at REAL NOT NULL, leader TEXT,
            dismissed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
        "CREATE INDEX campaigns_at ON campaigns (campaign, at)",
        """CREATE TABLE marks (
            mark BLOB NOT NULL, case_id TEXT NOT NULL REFERENCES campaigns (case_id) ON DELETE CASCADE,
            PRIMARY KEY (mark, case_id)) WITHOUT ROWID""",
        "CREATE INDEX marks_case ON marks (case_id)",
        """CREATE TABLE feedback (
            case_id TEXT PRIMARY KEY REFERENCES cases (id) ON DELETE CASCADE,
            score REAL NOT NULL, ruling TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID""",
    ):
        db.conn.execute(statement)


@migrations()
def m006_marks_outlive_a_key(db: Database) -> None:
    """Add what marks were blinded with before a change of the key."""
    db.conn.execute("ALTER TABLE former_keys ADD COLUMN blinding BLOB")


@migrations()
def m007_all_who_despair(db: Database) -> None:
    """Let everybody who despairs be found in the cases that say so; `Database` lends the functions."""
    db.conn.execute(
        """INSERT OR IGNORE INTO targets
        SELECT cases.id, json_extract(value, '$.platform'),
            hashed(json_extract(value, '$.platform'), json_extract(value, '$.id'))
        FROM cases, json_each(opened(body), '$.also_despairing')"""
    )


@migrations()
def m008_cases_of_an_account(db: Database) -> None:
    """Find the cases about an account in every space without reading all of them."""
    db.conn.execute("CREATE INDEX cases_account ON cases (platform, account)")
