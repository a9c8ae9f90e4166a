"""kill -9 in the middle of writing: whatever was acknowledged is there, and the chain holds."""

import random
import subprocess
import sys

from trimtab.storage.journal import SqliteJournal
from trimtab.testing.records import run

WRITER = """
import asyncio, sys
from trimtab.domain.actions import ActionState as S
from trimtab.storage.journal import SqliteJournal
from trimtab.testing.records import a_record, moved

async def main(path):
    journal = SqliteJournal(path)
    start = (await journal.head())[0]
    for number in range(100_000):
        record = a_record(f"a-{start}-{number}")
        before = None
        for state in (S.PROPOSED, S.SCHEDULED, S.APPLYING, S.SETTLING, S.KEPT):
            record = moved(record, state)
            row = await journal.record(record, before)
            print(row.seq, row.hash, record.action_id, state, flush=True)
            before = state

asyncio.run(main(sys.argv[1]))
"""


def killed_writer(path, acknowledgements):
    """Start a writer, kill it after so many rows; returns every row it acknowledged, to the last one in the pipe."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as child:
        seen = [child.stdout.readline() for _ in range(acknowledgements)]
        child.kill()
        seen += child.stdout.read().splitlines(keepends=True)
    assert child.returncode == -9
    return [line.split() for line in seen if line.endswith("\n")]


def test_every_acknowledged_row_survives_a_kill(tmp_path):
    rng = random.Random(7)
    path = tmp_path / "journal.db"
    acknowledged = []
    for _ in range(5):
        acknowledged += killed_writer(path, rng.randint(1, 60))
        journal = SqliteJournal(path)
        length = run(journal.verify())
        assert length - int(acknowledged[-1][0]) in (0, 1)  # one row may be durable that the child could not speak of any more
        run(journal.close())
    journal = SqliteJournal(path)
    rows = {row.seq: row for action in {line[2] for line in acknowledged} for row in run(journal.history(action))}
    assert all((rows[int(seq)].hash, rows[int(seq)].to_state) == (sealed, state) for seq, sealed, _, state in acknowledged)
    assert len(acknowledged) > 50
    ended = {action for _, _, action, state in acknowledged if state == "kept"}
    assert ended.isdisjoint(record.action_id for record in run(journal.unfinished()))
