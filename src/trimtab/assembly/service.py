"""`trimtab run` from the first lock to the last: one agent after another on one data folder, each with the settings of its time.

A reload is a restart within the process (decision 10): the running agent undoes what is unproven and ends, and a new one is
put together and recovers from the journal, as at every start. The folder's lock is held across, so that no second agent gets in
between. Where the new one cannot start, the settings before it are used again, and that is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from trimtab.agent import AutonomousAgent
from trimtab.assembly import moving
from trimtab.assembly.logs import configure_logging
from trimtab.assembly.process import config_path, load_settings
from trimtab.assembly.signals import Signals
from trimtab.assembly.wiring import Stores, assemble, on_disk
from trimtab.config import Settings
from trimtab.config.changes import changes
from trimtab.domain.errors import ConfigError, Conflict, StoreError, TrimtabError
from trimtab.loop.parts import Origin
from trimtab.storage.folder import DataFolder
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.storage.tokens import TokenStore

NAMED = 12  # changed settings that one line names


@dataclass(frozen=True, slots=True)
class Note:
    """What the next agent writes into the journal once it is at work."""

    kind: str  # reloaded | reload_failed
    reason: str
    actor: str


class Service:
    """The process of an agent. `stop` ends it, `reload` renews it; so do SIGINT and SIGTERM, and SIGHUP."""

    def __init__(self, path: str | Path | None = None) -> None:
        """Read the configuration. Raises `ConfigError` with every mistake in it."""
        self.path = config_path(path).absolute()
        self.settings = load_settings(self.path)
        self._agent: AutonomousAgent | None = None
        self._started_at: float | None = None  # of the process: a reload does not begin it anew
        self._at_work = False  # whether the agent has got as far as turning
        self._next: tuple[Settings, Note] | None = None
        self._busy = self._again = self._stopping = False
        self._locks: dict[Path, ExitStack] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("trimtab")

    async def run(self) -> None:
        """Run until `stop`. Raises what keeps the first agent from starting."""
        try:
            with Signals(stop=self.stop, reload=lambda: self._spawn(self._reload_by_signal())):
                await self._try_address(self.settings)
                await self._live(self.settings)
                while self._next is not None and not self._stopping:
                    following, self._next = self._next, None
                    await self._renew(*following)
        finally:
            self._hold_only(None)

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._stopping = True
        if self._agent is not None:
            self._agent.stop()

    async def reload(self, actor: str) -> Sequence[str]:
        """Go on with the configuration as the file has it now; returns which settings changed, and renews the agent if any did.

        Raises `ConfigError` where it cannot be used, and `Conflict` while another reload is under way; then nothing changes.
        """
        agent = self._agent
        if agent is None or self._busy or self._stopping:
            under_way = "a stop" if self._stopping else "a reload" if self._busy else "a start"
            raise Conflict(f"{under_way} is under way: nothing was reloaded anew", remedy="Ask again in a few seconds")
        self._busy, made = True, list[Path]()
        try:
            settings = await asyncio.to_thread(load_settings, self.path)
            if self._moves(settings):
                moving.check(agent, settings.storage.path)
                made = moving.missing(settings.storage.path)
            await self._try_out(settings)
        except Exception as error:  # a plug-in's, too: nothing has been given up yet, and the next attempt is free
            self._busy = False
            known = error if isinstance(error, TrimtabError) else TrimtabError(f"{type(error).__name__}: {error}")
            refused = error if isinstance(error, ConfigError) else ConfigError(known.message, remedy=known.remedy)
            await self._refuse(agent, refused, actor, made)
            raise refused from error
        changed = changes(self.settings, settings)
        _origin(agent).problem = None
        if changed:
            self._next = settings, Note("reloaded", f"Configuration reloaded: {_named(changed)} changed", actor)
            self._spawn(self._make_way(agent))
        else:
            self._log.info("Configuration not reloaded: nothing has changed", actor=actor)
            self._busy = False
        return changed

    # -- one agent after another

    async def _try_address(self, settings: Settings) -> None:
        """Before the first start there: who is refused leaves no data folder behind."""
        if settings.api.enabled and moving.missing(settings.storage.path):
            from trimtab.api.server import try_address

            await try_address(settings.api.host, settings.api.port)

    async def _live(self, settings: Settings, note: Note | None = None, problem: str | None = None) -> None:
        """Put an agent together and let it turn until it is stopped."""
        self._at_work = False
        self._hold(settings.storage.path)  # first: who is refused leaves no trace, not even in the log
        configure_logging(settings)
        agent = self._agent = assemble(settings, stores=replace(on_disk(settings), lock=nullcontext))
        agent.parts.origin = Origin(str(self.path), str(settings.storage.path), agent.now(), problem)
        agent.parts.reload = self.reload
        self._started_at = agent.started_at = self._started_at or agent.started_at
        if self._stopping:
            agent.stop()
        async with agent.running():
            self._at_work, self._busy, self.settings = True, False, settings
            self._hold_only(settings.storage.path)
            if agent.url is not None:
                DataFolder(settings.storage.path).announce(agent.url)
            if note is not None:
                await self._note(agent, note)
            if self._again:
                self._again = False
                self._spawn(self._reload_by_signal())
            await agent.keep_turning()

    async def _renew(self, settings: Settings, note: Note) -> None:
        """Go on with `settings`; where no agent starts with them, with those before."""
        self._at_work = False
        try:
            if self._agent is not None and self._moves(settings):
                moving.carry_pause(self._agent, settings.storage.path)
            await self._live(settings, note)
        except Exception as error:
            if self._at_work:
                raise
            reason = str(error) if isinstance(error, TrimtabError) else f"{type(error).__name__}: {error}"
            problem = f"the reloaded configuration could not be started with, the one before it is in use again: {reason}"
            failed = Note("reload_failed", problem, note.actor)
            await self._live(self.settings, failed, problem)

    async def _make_way(self, agent: AutonomousAgent) -> None:
        """Undo what is unproven while the interface still answers, then let the agent end."""
        try:
            await agent.wind_down("the configuration is reloaded")
        finally:
            agent.stop()

    # -- parts of a reload

    async def _try_out(self, settings: Settings) -> None:
        """Find what is wrong before anything is given up: put an agent together in memory, and take the folder."""
        self._hold(settings.storage.path)
        tokens = TokenStore(DataFolder(settings.storage.path).access_path)
        trial = assemble(settings, stores=Stores(MemoryJournal(), MemoryMetricStore(), tokens=tokens))
        try:
            if trial.parts.serve is not None and (settings.api.port != self.settings.api.port or not self.settings.api.enabled):
                async with trial.parts.serve(trial):  # for a moment: the port can be had
                    pass
        finally:
            await trial.close()

    def _moves(self, settings: Settings) -> bool:
        return settings.storage.path != self.settings.storage.path

    async def _refuse(self, agent: AutonomousAgent, error: ConfigError, actor: str, made: list[Path]) -> None:
        self._hold_only(self.settings.storage.path)
        moving.take_away(made)
        problem = ": ".join(filter(None, (error.message, "; ".join(error.problems))))
        _origin(agent).problem = problem
        self._log.error("Configuration not reloaded: the settings in use stay in use", reason=problem, actor=actor)
        await self._note(agent, Note("reload_refused", f"asked for by {actor}: {problem}", actor))

    async def _note(self, agent: AutonomousAgent, note: Note) -> None:
        if note.kind == "reloaded":
            self._log.info(note.reason, actor=note.actor)
        elif note.kind == "reload_failed":
            self._log.error("Configuration not reloaded", reason=note.reason, actor=note.actor)
        try:
            await agent.book.note(note.kind, note.reason, agent.now(), actor=note.actor)
        except StoreError as error:  # it is said in the log; the reload itself does not rest on it
            self._log.error("Not in the journal", reason=note.reason, error=str(error))

    async def _reload_by_signal(self) -> None:
        try:
            await self.reload("signal SIGHUP")
        except ConfigError:
            pass  # said where it was found
        except Conflict:
            self._again = not self._stopping  # once the one under way is over

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the locks: two at once only while an agent moves from one folder to another

    def _hold(self, folder: Path) -> None:
        """Raises `AlreadyRunning`, `StoreError`."""
        if folder not in self._locks:
            with ExitStack() as stack:
                stack.enter_context(DataFolder(folder).lock())
                self._locks[folder] = stack.pop_all()

    def _hold_only(self, folder: Path | None) -> None:
        for other in [each for each in self._locks if each != folder]:
            self._locks.pop(other).close()


def _origin(agent: AutonomousAgent) -> Origin:
    assert agent.parts.origin is not None  # `_live` has set it
    return agent.parts.origin


def _named(changed: Sequence[str]) -> str:
    """The changed settings in one line.

    >>> _named(["goals", "api.port"])
    'goals, api.port'
    """
    return ", ".join(changed[:NAMED]) + (f" and {len(changed) - NAMED} more" if len(changed) > NAMED else "")
