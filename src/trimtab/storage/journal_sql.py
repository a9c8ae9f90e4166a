"""The shape of the journal's file and every question asked of it. Read by `journal` only.

Whatever runs at each turn or each request goes by an index: a test reads the plans.
"""

from __future__ import annotations

from trimtab.domain.actions import MOVE, MOVES_TOLD, ActionState
from trimtab.storage.database import Schema
from trimtab.storage.pruning import STAYING

SCHEMA = Schema(
    application_id=0x74726A31,  # "trj1"
    version=2,  # 1 → 2: the same tables; the rows may begin with a checkpoint, which version 1 would take for damage
    migrations={1: ()},
    statements=(
        """CREATE TABLE journal (
            seq INTEGER PRIMARY KEY, at REAL, kind TEXT NOT NULL, action_id TEXT NOT NULL, from_state TEXT, to_state TEXT,
            actor TEXT NOT NULL, reason TEXT NOT NULL, data TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL)""",
        "CREATE INDEX journal_of_action ON journal (action_id, seq)",
        "CREATE INDEX journal_by_kind ON journal (kind, seq)",
        """CREATE TABLE actions (
            ordinal INTEGER PRIMARY KEY, action_id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL UNIQUE, state TEXT NOT NULL,
            type TEXT NOT NULL, created_at REAL, executed_at REAL, since REAL, record TEXT NOT NULL)""",
        "CREATE INDEX actions_by_age ON actions (created_at, ordinal)",
        "CREATE INDEX actions_by_state ON actions (state, created_at, ordinal)",
        "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL)",
        "INSERT INTO head VALUES (1, 0, '')",
    ),
)

UNFINISHED = tuple(state for state in ActionState if not state.terminal or state is ActionState.KEPT_ON_PROBATION)
_MARKS = ",".join("?" * len(UNFINISHED))
_COLUMNS = "seq, at, kind, action_id, from_state, to_state, actor, reason, data, previous, hash"

SELECT_RECENT = "SELECT record FROM actions ORDER BY created_at DESC, ordinal DESC LIMIT ?"
SELECT_UNFINISHED = f"SELECT record FROM actions WHERE state IN ({_MARKS}) ORDER BY created_at, ordinal"
SELECT_COUNTS = "SELECT state, count(*) FROM actions GROUP BY state"
SELECT_ACTION = "SELECT record FROM actions WHERE action_id = ?"
SELECT_STATE = "SELECT state, record FROM actions WHERE action_id = ?"
SELECT_HISTORY = f"""SELECT {_COLUMNS} FROM journal WHERE action_id = ?1 AND (kind <> '{MOVE}' OR seq IN
    (SELECT seq FROM journal WHERE action_id = ?1 AND kind = '{MOVE}' ORDER BY seq DESC LIMIT {MOVES_TOLD})) ORDER BY seq"""
SELECT_NOTES = f"SELECT {_COLUMNS} FROM journal WHERE kind = ? ORDER BY seq DESC LIMIT ?"
SELECT_LAST = f"SELECT {_COLUMNS} FROM journal ORDER BY seq DESC LIMIT 1"
SELECT_BATCH = f"SELECT {_COLUMNS} FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"
SELECT_PRUNED = f"SELECT {_COLUMNS} FROM journal WHERE kind = 'pruned' ORDER BY seq DESC LIMIT 1"
SELECT_STAYING = f"""SELECT min(j.seq) FROM journal j LEFT JOIN actions a ON a.action_id = j.action_id
    WHERE j.seq > ? AND j.seq <= ? AND (j.at >= ? OR a.since >= ? OR a.state IN ({",".join("?" * len(STAYING))}))"""
SELECT_PAUSE_IN_FORCE = """SELECT min(seq) FROM journal WHERE kind = 'paused'
    AND seq > (SELECT coalesce(max(seq), 0) FROM journal WHERE kind = 'resumed')"""
SELECT_STANDING = "SELECT seq, action_id, state, record FROM actions WHERE seq > ? AND seq <= ?"
SELECT_WHERE = "SELECT seq, record FROM actions WHERE action_id = ?"
SELECT_KEPT_AFTER = f"SELECT record FROM actions WHERE state = '{ActionState.KEPT}' AND executed_at > ?"
SELECT_LATER = "SELECT seq FROM journal WHERE action_id = ? AND kind = ? AND seq > ? LIMIT 1"

INSERT_ROW = f"INSERT INTO journal ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
UPSERT_ACTION = """INSERT INTO actions (action_id, seq, state, type, created_at, executed_at, since, record)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (action_id) DO UPDATE SET seq = excluded.seq, state = excluded.state,
    executed_at = excluded.executed_at, since = excluded.since, record = excluded.record"""
