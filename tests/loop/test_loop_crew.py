"""Background work: one key at a time, a bounded wait for it, and an error that harms nobody else."""

from __future__ import annotations

import asyncio
import time

import pytest
import structlog

from trimtab.loop.crew import Crew


def test_one_key_is_worked_on_once_at_a_time_and_again_when_done():
    async def story():
        crew, done, gate = Crew(), [], asyncio.Event()

        async def work(name):
            await gate.wait()
            done.append(name)

        begun = [crew.start("a", work("first")), crew.start("a", work("second")), crew.start("b", work("other"))]
        assert crew.busy("a") and crew.busy("b") and not crew.busy("c")
        gate.set()
        await crew.settle()
        assert not crew.busy("a")
        begun.append(crew.start("a", work("third")))
        await crew.settle()
        return begun, done

    begun, done = asyncio.run(story())
    assert begun == [True, False, True, True]  # and no warning about a coroutine that was never awaited
    assert sorted(done) == ["first", "other", "third"]


@pytest.mark.parametrize("patience", [0.05, None], ids=["bounded", "waits for all"])
def test_patience_bounds_how_long_the_loop_waits(patience):
    async def story():
        crew, done = Crew(patience), []

        async def slow():
            await asyncio.sleep(0.3)
            done.append(1)

        began = time.monotonic()
        crew.start("slow", slow())
        await crew.settle()
        waited, late = time.monotonic() - began, crew.busy("slow")
        await crew.settle(5.0)
        return waited, late, done

    waited, late, done = asyncio.run(story())
    assert late is (patience is not None)
    assert waited < 0.25 if patience else waited >= 0.29
    assert done == [1]  # what was late reports by itself


def test_settling_with_nothing_under_way_returns_at_once():
    asyncio.run(asyncio.wait_for(Crew(None).settle(), 1.0))


def test_dismiss_cancels_and_waits_until_it_has_stopped():
    async def story():
        crew, seen = Crew(), []

        async def stubborn():
            try:
                await asyncio.sleep(60.0)
            except asyncio.CancelledError:
                await asyncio.sleep(0.02)  # needs a moment to let go
                seen.append("let go")
                raise

        crew.start("a", stubborn())
        await asyncio.sleep(0)
        await crew.dismiss()
        return seen, crew.busy("a"), [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(story()) == (["let go"], False, [])


def test_an_error_in_one_piece_of_work_is_logged_and_forgotten():
    async def story():
        crew, done = Crew(), []

        async def broken():
            raise ZeroDivisionError("by design")

        async def sound():
            done.append(1)

        crew.start("broken", broken())
        crew.start("sound", sound())
        await crew.settle()
        return crew.busy("broken"), crew.start("broken", sound()), await crew.settle(), done

    with structlog.testing.capture_logs() as logs:
        busy, again, _, done = asyncio.run(story())
    assert (busy, again, done) == (False, True, [1, 1])
    assert [(line["work"], line["error"], line["log_level"]) for line in logs] == [
        ("broken", "ZeroDivisionError: by design", "error")
    ]
