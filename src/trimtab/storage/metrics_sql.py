"""The tables of the metric store, version 3, and what is asked of them.

`hot` has a row for every write, `blocks` what was sealed. Level 0: parts of 512 series, sealed hourly; 1: days of 32 series; 2
and 3: the same days rolled up to five minutes and to one hour. `damaged` is where a row goes whose bytes are not those that
were written. `samples` is version 2's only table; it is emptied in pieces (`takeover`).
"""

from trimtab.storage.database import Schema

PARTS, DAYS, FIVE_MINUTES, HOURS = range(4)

_SERIES = """CREATE TABLE series (
    id INTEGER PRIMARY KEY, metric_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, element TEXT NOT NULL,
    metric_type TEXT NOT NULL, unit TEXT NOT NULL, source TEXT NOT NULL, metadata TEXT NOT NULL, tags TEXT NOT NULL)"""
_RECENT = "CREATE TABLE recent (series INTEGER NOT NULL, timestamp REAL NOT NULL, value REAL NOT NULL)"
_SAMPLES = """CREATE TABLE samples (
    series INTEGER NOT NULL, timestamp REAL NOT NULL, value REAL NOT NULL,
    PRIMARY KEY (series, timestamp)) WITHOUT ROWID"""
_VERSION_3 = (
    """CREATE TABLE hot (
        number INTEGER PRIMARY KEY, first REAL NOT NULL, last REAL NOT NULL, samples INTEGER NOT NULL, checksum INTEGER NOT NULL,
        ids BLOB NOT NULL, times BLOB NOT NULL, numbers BLOB NOT NULL)""",
    """CREATE TABLE blocks (
        level INTEGER NOT NULL, shelf INTEGER NOT NULL, day INTEGER NOT NULL, part INTEGER NOT NULL,
        first REAL NOT NULL, last REAL NOT NULL, samples INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (level, shelf, day, part))""",
    """CREATE TABLE damaged (
        level INTEGER NOT NULL, shelf INTEGER NOT NULL, day INTEGER NOT NULL, part INTEGER NOT NULL,
        first REAL NOT NULL, last REAL NOT NULL, samples INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL)""",
    "CREATE TABLE horizon (pruned_before REAL NOT NULL)",
)

SCHEMA = Schema(
    application_id=0x74726D31,  # "trm1"
    version=3,
    statements=(_SERIES, _SAMPLES, *_VERSION_3),
    migrations={
        1: (_RECENT,),
        2: (
            "INSERT OR REPLACE INTO samples SELECT series, timestamp, value FROM recent ORDER BY series, timestamp, rowid",
            "DROP TABLE recent",
            *_VERSION_3,
        ),
    },
)

UPSERT_SERIES = """INSERT INTO series (metric_id, name, element, metric_type, unit, source, metadata, tags)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (metric_id) DO UPDATE SET metric_type = excluded.metric_type, unit = excluded.unit, source = excluded.source,
    metadata = excluded.metadata RETURNING id"""

INSERT_HOT = "INSERT INTO hot VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
SELECT_HOT = """SELECT number, checksum, ids, times, numbers FROM hot
    WHERE first <= ? AND last >= ? ORDER BY number"""
OLDEST_HOT = "SELECT number, checksum, ids, times, numbers, samples FROM hot ORDER BY number LIMIT ?"
DELETE_HOT = "DELETE FROM hot WHERE number <= ?"

INSERT_BLOCK = "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
SELECT_BLOCKS = """SELECT rowid, level, shelf, day, part, checksum, body FROM blocks
    WHERE level = ? AND shelf = ? AND day BETWEEN ? AND ? AND first <= ? AND last >= ? ORDER BY level, shelf, day, part"""
SOURCES = "SELECT rowid, first, last, samples FROM blocks WHERE level = ? AND shelf = ? AND day = ? ORDER BY part"
BLOCK = "SELECT rowid, level, shelf, day, part, checksum, body FROM blocks WHERE rowid = ?"
OPEN_DAYS = "SELECT DISTINCT shelf, day FROM blocks WHERE level = 0 AND day <= ? ORDER BY day, shelf"
DAYS_OF_SHELF = "SELECT DISTINCT day FROM blocks WHERE level = ? AND shelf = ? AND day BETWEEN ? AND ?"
COUNT_HOT = "SELECT coalesce(sum(samples), 0) FROM hot"
ONE_HOT = "SELECT number, checksum, ids, times, numbers FROM hot WHERE number = ?"
SPANS_OF_HOT = "SELECT first, last FROM hot WHERE first <= ? AND last >= ?"
NUMBERS = ("SELECT max(number) FROM hot", "SELECT max(part) FROM blocks WHERE level = 0")  # what was written last
HIGHEST = "SELECT coalesce(max(id), 0) FROM series"
HORIZON = "SELECT max(pruned_before) FROM horizon"

SET_ASIDE = {
    "hot": (
        """INSERT INTO damaged SELECT -1, 0, 0, number, first, last, samples, checksum, ids || times || numbers
        FROM hot WHERE number = ?""",
        "DELETE FROM hot WHERE number = ?",
    ),
    "blocks": ("INSERT INTO damaged SELECT * FROM blocks WHERE rowid = ?", "DELETE FROM blocks WHERE rowid = ?"),
}
OLD_HOT = "SELECT number, last, samples FROM hot WHERE number > ? AND first < ? ORDER BY number LIMIT ?"
OLD_BLOCKS = """SELECT rowid, last, samples FROM blocks
    WHERE rowid > ? AND level <= 1 AND day <= ? AND first < ? ORDER BY rowid LIMIT ?"""
DELETE_ROLLED_UP = "DELETE FROM blocks WHERE rowid IN (SELECT rowid FROM blocks WHERE level = ? AND day < ? LIMIT ?)"
