"""The worker pool: takes what it can hold, refuses the rest, and grows and shrinks under load."""

from __future__ import annotations

import threading
import time

import pytest

from trimtab.demo.parts.pool import QueueFull, WorkerPool


@pytest.fixture
def gate():
    event = threading.Event()
    yield event
    event.set()


def wait_until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.002)


def test_a_full_queue_refuses_and_takes_again_once_there_is_room(gate):
    pool = WorkerPool(workers=1, queue_limit=2)
    held = pool.submit(gate.wait)
    wait_until(lambda: pool.queued == 0)
    waiting = [pool.submit(lambda n=n: n) for n in range(2)]
    with pytest.raises(QueueFull, match="2 jobs are waiting"):
        pool.submit(lambda: None)
    gate.set()
    assert [held.result(5), *(job.result(5) for job in waiting)] == [True, 0, 1]
    assert pool.submit(lambda: "again").result(5) == "again"
    pool.close()


@pytest.mark.parametrize("workers", [1, 3], ids=str)
def test_as_many_jobs_run_at_once_as_there_are_workers(workers, gate):
    pool = WorkerPool(workers=workers, queue_limit=20)
    running = []
    jobs = [pool.submit(lambda: (running.append(1), gate.wait())) for _ in range(6)]
    wait_until(lambda: len(running) == workers)
    time.sleep(0.02)
    assert len(running) == workers
    gate.set()
    for job in jobs:
        job.result(5)
    pool.close()


def test_it_grows_and_shrinks_while_jobs_wait(gate):
    pool = WorkerPool(workers=1, queue_limit=20)
    running = []
    jobs = [pool.submit(lambda: (running.append(1), gate.wait())) for _ in range(8)]
    pool.resize(4)
    wait_until(lambda: len(running) == 4)
    pool.resize(2)
    gate.set()
    for job in jobs:
        job.result(5)
    wait_until(lambda: sum(thread.name == "worker" and thread in pool._threads for thread in threading.enumerate()) == 2)
    pool.close()
    wait_until(lambda: not pool._threads)


def test_a_job_that_fails_tells_its_caller_and_leaves_the_worker_at_work():
    pool = WorkerPool(workers=1, queue_limit=4)
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(5)
    assert pool.submit(lambda: 1).result(5) == 1
    pool.close()


def test_closing_cancels_what_waits(gate):
    pool = WorkerPool(workers=1, queue_limit=4)
    pool.submit(gate.wait)
    wait_until(lambda: pool.queued == 0)
    waiting = pool.submit(lambda: 1)
    closing = threading.Thread(target=pool.close)
    closing.start()
    wait_until(waiting.cancelled)
    gate.set()
    closing.join(5)
