"""The agent's desk: what people, the REST interface and the command line see of it and ask of it.

Everything that is read here was put down by the last turn; everything that is asked becomes a journalled transition, and wakes
the stage that carries it out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from trimtab.domain.access import proof
from trimtab.domain.actions import OURSELVES, ActionRecord, JournalRow, OptimizationAction, Plan
from trimtab.domain.actions import ActionState as S
from trimtab.domain.diagnosis import Change
from trimtab.domain.errors import Conflict, NotFound, StoreError
from trimtab.domain.forecasts import Foretold
from trimtab.domain.goals import GoalState
from trimtab.domain.levers import LeverValue
from trimtab.domain.metrics import Aggregate, Series, Trust
from trimtab.execute import requests
from trimtab.execute.regulation import Regulations
from trimtab.loop.changes import recent_changes
from trimtab.loop.foresight import look_ahead
from trimtab.loop.gatekeeper import Gatekeeper
from trimtab.loop.lookout import Lookout
from trimtab.loop.parts import Parts
from trimtab.loop.schedule import Schedule, Stage
from trimtab.loop.status import status_of
from trimtab.loop.throttle import Throttle

TAKE_BACK_SECONDS = 4.0  # that a person waits for everything to be undone; what is late goes on


class Desk:
    """The reading and asking half of an `AutonomousAgent`."""

    schedule: Schedule
    plan: Plan
    started_at: float  # Unix seconds

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.clock, self.monitor, self.executor, self.evidence = parts.clock, parts.monitor, parts.executor, parts.evidence
        self.book, self.levers, self.journal = parts.executor.book, parts.executor.levers, parts.executor.book.journal
        self.regulation = parts.regulation or Regulations(parts.executor)
        self.gatekeeper = Gatekeeper(parts.executor, parts.plan_settings, parts.pause_file)
        self.lookout = Lookout(parts.store, parts.monitor, parts.analyzer, parts.evidence)
        self.own_goals: tuple[GoalState, ...] = ()  # what the agent may cost, and does
        self.throttle = Throttle(parts.pace, parts.cpu_seconds, parts.selfwatch, parts.attention)
        self._troubles: dict[str, str] = {}  # what does not work → why nothing may be decided until it does
        self._running = self._stopping = False

    def get_status(self) -> dict[str, Any]:
        """How the agent and its goals stand, in the fields of `GET /agent/status`."""
        return status_of(self)

    def prove(self, challenge: str, host: str, port: int) -> str:
        """What only the agent of this data folder, reached there, can answer; "" where it keeps nothing on disk."""
        try:
            secret = self.parts.identity()
        except StoreError:  # nobody is told a wrong one
            return ""
        return proof(secret, challenge, host, port) if secret else ""

    @property
    def trouble(self) -> str | None:
        """Why nothing may be decided or started at all, None where nothing stands in the way."""
        return next(iter(self._troubles.values()), None)

    @property
    def state(self) -> str:
        """starting | running | hold | paused | stopping."""
        if not self._running:
            return "starting" if not self._stopping else "stopping"
        if self.gatekeeper.paused:
            return "paused"
        return "hold" if self._gated else "running"

    @property
    def _gated(self) -> bool:
        """Whether a storm halts it, or what decisions rest on cannot be trusted: a store, a goal, a guard, a lever."""
        analysis = self.evidence.analysis
        trusts = [state.trust for state in analysis.goals] + [state.trust for state in analysis.guards]
        trusts += [state.trust for state in self.levers.states.values() if state.read_at]
        stormy = self.gatekeeper.closing is not None or self.gatekeeper.storm(self.clock.now()) is not None
        return stormy or self.trouble is not None or not all(trust.ok for trust in trusts)

    @property
    def holds(self) -> tuple[str, ...]:
        """Why nothing is decided about what: one sentence each."""
        levers = (state.trust.reason for state in self.levers.states.values() if not state.trust.ok and state.read_at)
        return (*self.gatekeeper.holds(self.clock.now()), *self._troubles.values(), *self.evidence.analysis.holds, *levers)

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether the agent is at work, and if not, why."""
        if not self._running:
            return False, "the agent is starting or has stopped"
        return (True, "") if self.trouble is None else (False, self.trouble)

    @property
    def completed_actions(self) -> list[ActionRecord]:
        """The actions that have ended, failed ones too, oldest first."""
        return [record for record in self.book.records if record.state.terminal]

    @property
    def counts(self) -> Mapping[S, int]:
        """How many actions are in each state, of all that the journal knows."""
        return self.book.counts

    def get_recent_actions(self, count: int = 10) -> list[ActionRecord]:
        """The latest actions, newest first."""
        return list(reversed(self.book.records))[:count]

    def goal_states(self) -> list[GoalState]:
        """How the goals stood at the last analysis; the agent's own come last."""
        return [*self.evidence.analysis.goals, *self.own_goals]

    def series(self) -> list[tuple[Series, float | None, float | None, Trust]]:
        """Every series with its latest sample (value, time) and whether it can be trusted."""
        now = self.clock.now()
        found = []
        for series in self.monitor.series():
            window = self.monitor.window(series.metric_id)
            last = (float(window.v[-1]), float(window.t[-1])) if len(window.t) else (None, None)
            found.append((series, *last, self.monitor.trust(series.metric_id, now)))
        return found

    @property
    def recent_changes(self) -> list[Change]:
        """What was changed within the time that the windows show: our own actions, and other hands at our levers."""
        now, reach = self.clock.now(), self.parts.window_seconds
        return recent_changes(self.book.records, self.levers.states.values(), now, reach)

    def now(self) -> float:
        """The agent's time, Unix seconds."""
        return self.clock.now()

    async def past(
        self, metric_id: str, start: float, end: float, step: float, aggregate: Aggregate
    ) -> Sequence[tuple[float, float]]:
        """(begin, figure) of each bucket of `step` seconds of one series, from the store. Raises `NotFound`."""
        found = await self.parts.store.downsampled(metric_id, start, end, step, aggregate)
        if not found and all(series.metric_id != metric_id for series in await self.parts.store.series()):
            raise NotFound(f"no series {metric_id!r} was ever written", remedy="GET /agent/series names those that are read")
        return found

    async def explain(self, action_id: str) -> tuple[ActionRecord, list[JournalRow]]:
        """An action with every row that the journal has of it. Raises `NotFound`."""
        record = await self.journal.get(action_id) or self.book.get(action_id)
        return record, list(await self.journal.history(action_id))

    async def forecast(self, seconds: float, metric: str | None = None) -> list[Foretold]:
        """What is expected within `seconds`: of all series called `metric`, else of what a person asks about first.

        Raises `NotFound`, `StoreError`.
        """
        return await look_ahead(self, seconds, metric)

    async def approve(self, action_id: str, *, approved: bool = True, plan_hash: str | None = None, actor: str) -> ActionRecord:
        """Approve or reject an action that awaits it. Raises `NotFound`, `Conflict`."""
        answer = requests.approve if approved else requests.reject
        record = await answer(self.executor, action_id, self.clock.now(), actor=actor, plan_hash=plan_hash)
        self.schedule.wake(Stage.EXECUTE)
        return record

    async def rollback_action(self, action: ActionRecord | OptimizationAction | str, *, actor: str = "caller") -> ActionRecord:
        """Take an action back, and return it as it stands then: undone and read back, unless its lever keeps us waiting.

        Raises `NotFound`, `Conflict`.
        """
        action_id = action if isinstance(action, str) else action.action_id
        await requests.roll_back(self.executor, action_id, self.clock.now(), actor=actor)
        await self._at_once(action_id)
        return self.book.get(action_id)

    async def _at_once(self, *action_ids: str) -> None:
        """Take actions further now, without waiting for the next turn."""
        self.schedule.wake(Stage.EXECUTE)

    rollback = rollback_action

    async def pause(self, actor: str, *, undo: bool = False) -> Sequence[str]:
        """Start nothing new from this moment on; what is under way is finished or undone. Survives a restart.

        With `undo`, whatever is under way is taken back at once, and what waits to start is withdrawn; returns their ids.
        """
        await self.gatekeeper.pause(actor, self.clock.now())
        return await self._take_all_back(actor) if undo else ()

    async def _take_all_back(self, actor: str) -> Sequence[str]:
        taken, because = [], f"paused by {actor}, with what was under way taken back"  # which says nothing against the change
        for record in (*self.book.under_way(), *self.book.in_state(S.SCHEDULED)):
            with suppress(Conflict):  # it is being taken back already
                await requests.roll_back(self.executor, record.action_id, self.clock.now(), actor=OURSELVES, because=because)
                taken.append(record.action_id)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._at_once(*taken), TAKE_BACK_SECONDS)
        return taken

    async def wind_down(self, reason: str) -> None:
        """Start nothing more, and undo what is unproven while still answering; what does not get done is done at the end."""
        self.gatekeeper.closing = reason
        taken = [record.action_id for record in self.book.under_way()]
        for action_id in taken:
            self.executor.recall(action_id, f"{reason} before the change was proven", OURSELVES)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._at_once(*taken), TAKE_BACK_SECONDS)

    async def resume(self, actor: str) -> None:
        """Start again, after a pause or a storm halt. The file that pauses is for whoever made it to remove."""
        await self.gatekeeper.resume(actor, self.clock.now())
        self.schedule.wake(Stage.PLAN)

    async def reload(self, actor: str) -> Sequence[str]:
        """Read the configuration anew and go on with it; returns which settings changed.

        Raises `ConfigError` with every mistake, in which case nothing changes, and `Conflict` where this cannot be done now.
        """
        if self.parts.reload is None:
            raise Conflict("this agent cannot reload its configuration", remedy="Only one that `trimtab run` started can")
        return await self.parts.reload(actor)

    async def submit(self, lever_id: str, value: LeverValue, *, reason: str, actor: str) -> ActionRecord:
        """Try a change that a person asks for, like any other: journalled, guarded, judged, and undone unless it proves itself.

        Raises `NotFound` for an unknown lever, `Conflict` where the value is not allowed or there is no goal to judge it by.
        """
        now = self.clock.now()
        action = requests.requested_action(self.executor, self.evidence.analysis.goals, lever_id, value, reason, now)
        record = await self.book.propose(action, None, now, actor=actor, simulated=self.parts.simulated, requested=True)
        record = await self.book.move(record, S.SCHEDULED, f"asked for by {actor}: {reason}", now, actor=actor, approved_by=actor)
        self.schedule.wake(Stage.EXECUTE)
        return record
