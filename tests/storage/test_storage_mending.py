"""A damaged metric store is moved aside and begun anew, once, whoever finds it out; any other trouble is not."""

import asyncio

import pytest

from trimtab.domain.errors import StoreDamaged, StoreError
from trimtab.domain.metrics import Reading, Series
from trimtab.storage.memory import MemoryMetricStore
from trimtab.storage.mending import MendingMetricStore
from trimtab.testing.records import run

SERIES = Series.named("queue_length", "shop")


class Damaged(MemoryMetricStore):
    """Finds out that it is damaged when it is asked."""

    error: StoreError = StoreDamaged("the file is damaged")

    async def write(self, readings):
        await asyncio.sleep(0)
        raise self.error

    async def query(self, metric_id, start, end):
        await asyncio.sleep(0)
        raise self.error


def mending(path, first):
    made, said = [], []

    def make(path):
        path.write_text(str(len(made)))
        made.append(path)
        return first if len(made) == 1 else MemoryMetricStore()

    return MendingMetricStore(path, make, said.append), made, said


def test_what_was_to_be_written_is_written_to_the_new_one(tmp_path):
    store, made, said = mending(tmp_path / "m.db", Damaged())
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"m.db{suffix}").write_text(suffix)
    run(store.write([Reading(SERIES, 1.0, 10.0)]))
    assert run(store.query(SERIES.metric_id, 0.0, 99.0)) == [(10.0, 1.0)]
    assert len(made) == 2
    assert len(said) == 1 and "the file is damaged. It was moved to" in said[0] and "m.db.damaged-" in said[0]
    (aside,) = [path for path in tmp_path.glob("m.db.damaged-*") if not path.name.endswith(("-wal", "-shm"))]
    assert [(tmp_path / f"{aside.name}{suffix}").read_text() for suffix in ("", "-wal", "-shm")] == ["0", "-wal", "-shm"]


def test_two_that_find_out_at_once_begin_anew_once(tmp_path):
    store, made, _ = mending(tmp_path / "m.db", Damaged())

    async def both():
        await asyncio.gather(store.write([Reading(SERIES, 1.0, 10.0)]), store.query(SERIES.metric_id, 0.0, 99.0))

    run(both())
    assert len(made) == 2


def test_any_other_trouble_is_not_a_reason(tmp_path):
    first = Damaged()
    first.error = StoreError("the disk is full")
    store, made, said = mending(tmp_path / "m.db", first)
    with pytest.raises(StoreError, match="disk is full"):
        run(store.write([Reading(SERIES, 1.0, 10.0)]))
    assert (len(made), said) == (1, [])
