"""The job on a SQLite database: start it, probe it, take it back. Called by `execute`, through `JobLever`.

`start` returns when the write lock is had; the rest runs in a thread. What is done is read from the database itself, so that a
restart knows it, and after kill -9 in the midst there is nothing: SQLite's transactions see to that.

What was taken back stays absent for its key until it is started anew, though another hand has built the like since; and so is
what went with its table. That alone the database does not show: `past` remembers it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from trimtab.domain.errors import LeverError, Permanent, Retryable
from trimtab.domain.levers import ABSENT, BROKEN, DONE, RUNNING
from trimtab.systems.aside import Aside, StillBusy
from trimtab.systems.sqlite import claim
from trimtab.systems.sqlite.build import Build
from trimtab.systems.sqlite.connection import opened, writing
from trimtab.systems.sqlite.effect import Effect, name_of, taken
from trimtab.systems.sqlite.past import BEGUN, TAKEN_BACK, Past

CALL_SECONDS = 4.5  # for one call: the agent gives five
WAIT_SECONDS = 2.0  # of them for the locks of others
STOP_SECONDS = 1.5  # and for a build to roll back

Result = TypeVar("Result")


class SqliteJob:
    """Runs `effect` on `database`."""

    def __init__(self, database: Path, effect: Effect) -> None:
        self._database = database
        self._effect = effect
        self._builds: dict[str, Build] = {}
        self._past = Past(database)
        self._looking = Aside(f"sqlite {database} probe")
        self._changing = Aside(f"sqlite {database} job")

    async def start(self, key: str) -> None:
        """Begin. `Permanent` where the table or a column is not there, or the name is taken; `Retryable` where it is locked."""
        await self._aside(self._changing, lambda: self._start(key))

    async def probe(self, key: str) -> str:
        """absent, running, done, or broken: the name is taken by something else, or the build failed, as the log says."""
        return await self._aside(self._looking, lambda: self._probe(key))

    async def undo(self, key: str) -> None:
        """Break off what runs, and take back what is ours. `Permanent` where what is there is not."""
        await self._aside(self._changing, lambda: self._undo(key))

    async def close(self) -> None:
        """Break off what runs."""
        for build in [build for build in self._builds.values() if build.running]:
            await asyncio.to_thread(build.stop, STOP_SECONDS)

    def _start(self, key: str) -> None:
        if self._under_way(key) or claim.held(self._database, name_of(key)):
            return  # asked first: whoever builds may keep readers out
        self._builds.pop(key, None)
        state = self._state(key)
        if state == BROKEN:
            raise self._effect.broken(key)
        if state == ABSENT:
            self._look_afresh(key)
        mine = claim.take(self._database, name_of(key)) if state == ABSENT else None
        if mine is None:
            return  # done, or another process of ours was quicker
        self._past.note(key, BEGUN)
        self._builds[key] = Build(self._database, self._effect, key, mine)
        try:
            self._builds[key].begin()
        except LeverError:
            del self._builds[key]
            raise

    def _probe(self, key: str) -> str:
        if self._under_way(key) or claim.held(self._database, name_of(key)):  # asked first: whoever ends now has committed
            return RUNNING
        state = self._state(key)
        failed = key in self._builds and self._builds[key].error is not None
        return BROKEN if failed and state != DONE else state

    def _undo(self, key: str) -> None:
        build = self._builds.get(key)
        if build is not None and not build.stop(STOP_SECONDS):
            raise Retryable(f"{key} is being broken off", remedy="It is rolled back; look again in a moment")
        self._builds.pop(key, None)
        if claim.held(self._database, name_of(key)):
            raise Retryable(f"another trimtab process works on {key}", remedy="Stop that one, or wait until it has ended")
        with opened(self._database, write=True, wait_seconds=WAIT_SECONDS) as db, writing(db, WAIT_SECONDS):
            if taken(db, key) or self._past.of(key) != TAKEN_BACK:
                self._effect.unmake(db, key)
                self._past.note(key, TAKEN_BACK)  # before it is committed: as long as ours stands, the mark says nothing

    def _look_afresh(self, key: str) -> None:
        """Raises `Permanent` where it cannot be built, or nothing would be, and so nothing of ours could be taken back."""
        with opened(self._database, wait_seconds=WAIT_SECONDS) as db:
            if self._effect.state(db, key) == DONE and (error := self._effect.spared(db, key)) is not None:
                raise error

    def _under_way(self, key: str) -> bool:
        return key in self._builds and self._builds[key].running

    def _state(self, key: str) -> str:
        with opened(self._database, wait_seconds=WAIT_SECONDS) as db:
            past = "" if taken(db, key) else self._past.of(key)
            if past == TAKEN_BACK:
                return ABSENT
            try:
                return self._effect.state(db, key)
            except Permanent:
                if past == BEGUN:  # its table is gone, and it with the table
                    return ABSENT
                raise

    async def _aside(self, place: Aside, call: Callable[[], Result]) -> Result:
        try:
            return await place.run(call, CALL_SECONDS)
        except TimeoutError:
            raise Retryable(f"{self._database}: no answer within {CALL_SECONDS:g} s") from None
        except StillBusy as error:
            raise Retryable(str(error)) from error
