"""What is pushed is acknowledged once it is written; what there is no room for is shed by priority, counted, or put off."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import monitor.pushing as p
from trimtab.domain.errors import StoreError
from trimtab.loop.delivery import Delivery, Priority
from trimtab.loop.inbox import Inbox, Overloaded
from trimtab.monitor.ingest import Malformed

NOW = 1_790_000_000_000


class Store:
    def __init__(self, slow=None, broken=False):
        self.rows, self.calls, self.slow, self.broken, self.fails = [], 0, slow, broken, 0

    async def write_columns(self, series, times, values):
        self.calls += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.broken or self.fails:
            self.fails = max(0, self.fails - 1)
            raise StoreError("the disk is full")
        self.rows += zip([each.metric_id for each in series], times.tolist(), values.tolist(), strict=True)


class Ear:
    element, match, sources = "checkout", {"job": "checkout"}, frozenset({"requests_total"})

    def __init__(self):
        self.heard = []

    def hear(self, series, timestamp, value):
        self.heard.append((series.metric_id, timestamp, value))


def body(name, count=1, job="checkout", start=0):
    return b"".join(p.series({"__name__": name, "job": job, "i": str(start + i)}, (float(i), NOW)) for i in range(count))


def inbox(store, ear=None, clock=lambda: 0.0, most=100):
    return Inbox(store, Delivery([ear or Ear()], {"p95_seconds"}), clock, lambda: NOW / 1000, most_waiting=most)


def push(box, body):
    return box.take("remote write", "", body)


def test_what_is_acknowledged_is_written_and_heard_under_its_element():
    store, ear = Store(), Ear()
    box = inbox(store, ear)
    asyncio.run(push(box, body("p95_seconds") + body("load", job="other")))
    assert sorted(row[0] for row in store.rows) == ['/load{i="0",job="other"}', 'checkout/p95_seconds{i="0"}']
    assert ear.heard == [('checkout/p95_seconds{i="0"}', NOW / 1000, 0.0)]
    assert box.tally.accepted == 2


def test_bodies_that_come_while_one_is_written_are_each_acknowledged_after_their_own_write():
    async def go():
        gate = asyncio.Event()
        store = Store(gate)
        box = inbox(store)
        tasks = [asyncio.create_task(push(box, body("a", 5, start=10 * i))) for i in range(4)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)
        gate.set()
        await asyncio.gather(*tasks)
        return len(store.rows), box.tally.accepted

    assert asyncio.run(go()) == (20, 20)


def test_what_cannot_be_written_is_not_acknowledged_and_the_next_body_is_tried():
    store = Store(broken=True)
    box = inbox(store)

    async def go():
        with pytest.raises(StoreError):
            await push(box, body("a"))
        store.broken = False
        await push(box, body("a"))

    asyncio.run(go())
    assert (len(store.rows), box.tally.accepted) == (1, 1)


def test_what_there_is_no_room_for_is_shed_by_priority_and_counted():
    async def go():
        gate = asyncio.Event()
        store = Store(gate)
        box = inbox(store)
        tasks = []
        for name, job in (("p95_seconds", "checkout"),) * 5:  # 50 of 100 places
            tasks.append(asyncio.create_task(push(box, body(name, 10, job, start=10 * len(tasks)))))
            await asyncio.sleep(0)
        mixed = body("p95_seconds", 10, start=500) + body("disk", 10, start=500) + body("x", 6, "other", start=500)
        tasks.append(asyncio.create_task(push(box, mixed)))  # 76: only what is needed
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(push(box, body("disk", 10, start=600) + body("x", 4, "other", start=600))))  # 74
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*tasks)
        return box.tally

    tally = asyncio.run(go())
    assert tally.shed == {"needed": 0, "known": 10, "other": 10}
    assert tally.accepted == 50 + 10 + 10


def test_where_nothing_fits_the_sender_is_asked_to_come_again():
    async def go():
        gate = asyncio.Event()
        box = inbox(Store(gate), most=10)
        first = asyncio.create_task(push(box, body("p95_seconds", 10)))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await push(box, body("p95_seconds"))
        gate.set()
        await first
        await push(box, body("p95_seconds", start=50))
        return box.tally

    tally = asyncio.run(go())
    assert (tally.put_off, tally.accepted) == (1, 11)


def test_decoding_takes_half_of_a_core_at_most():
    time, pauses = [0.0], itertools.cycle([0.1, 0.1, 0.8])  # to a body, to its decoding, to the end of that

    def clock():
        time[0] += next(pauses)
        return time[0]

    async def go():
        box, put_off = inbox(Store(), clock=clock), 0
        next(pauses), next(pauses)
        for i in range(30):
            try:
                await push(box, body("a", start=i))
            except Overloaded:
                put_off += 1
        return put_off

    assert 0 < asyncio.run(go()) < 30


@pytest.mark.parametrize(("encoding", "body"), [("br", b""), ("snappy", b"\xff\xff"), ("", b"\x0a\x05ab"), ("gzip", b"x")])
def test_a_malformed_body_is_refused_and_counted(encoding, body):
    box = inbox(Store())
    with pytest.raises(Malformed):
        asyncio.run(box.take("remote write", encoding, body))
    assert box.tally.malformed == 1


def test_goals_come_first_then_elements_then_the_rest():
    from trimtab.domain.metrics import Series

    delivery = Delivery([Ear()], {"p95_seconds"})
    series = (("p95_seconds", "checkout"), ("requests_total", "checkout"), ("disk", "checkout"), ("p95_seconds", ""))
    about = [delivery._of(Series.named(name, element))[1] for name, element in series]
    assert about == [Priority.NEEDED, Priority.NEEDED, Priority.KNOWN, Priority.OTHER]


def test_what_is_dated_ahead_of_our_clock_is_left_out_and_counted():
    store, ear = Store(), Ear()
    box = inbox(store, ear)
    soon, later = (p.series({"__name__": "p95_seconds", "job": "checkout"}, (1.0, NOW + ahead)) for ahead in (60_000, 86_400_000))
    asyncio.run(push(box, soon + later))
    assert [at for _, at, _ in store.rows] == [at for _, at, _ in ear.heard] == [NOW / 1000 + 60]
    assert (box.tally.accepted, box.tally.early) == (1, 1)


def test_nobody_pushes_what_a_lever_of_an_element_held():
    store = Store()
    box = inbox(store)
    held = {"__name__": "trimtab_lever_value", "lever": "servers"}
    asyncio.run(push(box, p.series({**held, "job": "checkout"}, (9.0, NOW)) + p.series({**held, "job": "trimtab"}, (9.0, NOW))))
    assert [name for name, *_ in store.rows] == ['/trimtab_lever_value{job="trimtab",lever="servers"}']
    assert box.tally.refused == 1


def test_a_delta_that_could_not_be_written_counts_once_when_it_is_sent_again():
    store = Store(broken=True)
    box = inbox(store)
    delta = p.export({}, p.counter("orders", "", p.point(5, NOW / 1000), temporality=1))

    async def go():
        for _ in range(2):
            with pytest.raises(StoreError):
                await box.take("otlp", "", delta)
        store.broken = False
        await box.take("otlp", "", delta)

    asyncio.run(go())
    assert [value for *_, value in store.rows] == [5.0]


def test_what_was_added_up_upon_a_delta_that_is_lost_is_not_written_either():
    async def go():
        store = Store(asyncio.Event())
        box = inbox(store)
        bodies = [p.export({}, p.counter("orders", "", p.point(5, NOW / 1000 + i), temporality=1)) for i in range(3)]
        tasks = []
        for each in bodies:
            tasks.append(asyncio.create_task(box.take("otlp", "", each)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        store.fails = 1
        store.slow.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(box.take("otlp", "", each) for each in bodies))
        return ended, sorted(value for *_, value in store.rows)

    ended, values = asyncio.run(go())
    assert all(isinstance(each, StoreError) for each in ended)
    assert values == [5.0, 10.0, 15.0]
