"""What every job keeps. Subclass `JobConformance` in a test module, provide `make()` and `effects()`; pytest runs the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from trimtab.domain.ports import Job

WORDS = ("absent", "running", "done", "broken")


class JobConformance:
    """The laws of a run-once effect: one key starts one effect, and what is probed is the truth."""

    async def make(self) -> Job:
        """A job whose target can be reached. Called inside each test's own event loop."""
        raise NotImplementedError

    async def effects(self) -> int:
        """How many effects stand at the target, those under way included."""
        raise NotImplementedError

    async def release(self) -> None:
        """Release what `make` borrowed."""

    def test_an_unknown_key_is_absent(self) -> None:
        """Nothing is claimed of a key that was never started."""

        async def law(job: Job) -> None:
            assert await job.probe("never-started") == "absent"

        self._holds(law)

    def test_starting_one_key_twice_starts_it_once(self) -> None:
        """A doubtful start may be sent again."""

        async def law(job: Job) -> None:
            before = await self.effects()
            await job.start("key-1")
            await job.start("key-1")
            assert await self.effects() == before + 1
            assert await job.probe("key-1") in ("running", "done")

        self._holds(law)

    def test_two_keys_are_two_effects(self) -> None:
        """Keys do not stand for each other."""

        async def law(job: Job) -> None:
            before = await self.effects()
            await job.start("key-1")
            await job.start("key-2")
            assert await self.effects() == before + 2

        self._holds(law)

    def test_undoing_takes_the_effect_back(self) -> None:
        """After undo the key is absent and the effect gone; undoing again is harmless."""

        async def law(job: Job) -> None:
            before = await self.effects()
            await job.start("key-1")
            await job.undo("key-1")
            await job.undo("key-1")
            assert await job.probe("key-1") == "absent"
            assert await self.effects() == before

        self._holds(law)

    def _holds(self, law: Callable[[Job], Awaitable[None]]) -> None:
        async def run() -> None:
            try:
                await law(await self.make())
            finally:
                await self.release()

        asyncio.run(run())
