"""The agent: one scheduler that turns monitor → analyze → plan → execute → learn (MAPE-K; Kephart and Chess, 2003).

`turn(now)` runs whichever stages are due or were woken, always in this order. The wall clock drives it in production, a virtual
one in tests, simulation and replay: the same code, the same decisions. What it is made of is put together in `assembly`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import structlog

from trimtab.domain.actions import ActionState as S
from trimtab.domain.actions import Choice, Decision, OptimizationAction, Plan
from trimtab.domain.errors import SensorError, StoreError, TrimtabError
from trimtab.domain.metrics import Reading, Severity
from trimtab.domain.ports import Sensor
from trimtab.domain.situation import Situation
from trimtab.execute import recovery
from trimtab.execute.aftercare import Aftercare
from trimtab.loop.clocks import VirtualClock
from trimtab.loop.crew import Crew
from trimtab.loop.desk import Desk
from trimtab.loop.holds import report_holds
from trimtab.loop.housekeeping import Housekeeping
from trimtab.loop.learning import Learning
from trimtab.loop.loads import load_levels
from trimtab.loop.parts import Parts
from trimtab.loop.schedule import Schedule, Stage
from trimtab.plan import BASELINE_SAMPLES, make_plan

if TYPE_CHECKING:
    from pathlib import Path

LOOK_AGAIN_SECONDS = 0.9  # a critical reading is confirmed this soon, so that it leads to action within five seconds
LEAST_REST_SECONDS = 0.01  # between two turns: whatever is overdue, the loop leaves the processor to others
NEXT_READ_SECONDS = 0.25  # from a read that has ended to the next that waited for it: they begin several at a time
BUSY_SECONDS = 1.0  # how often an action under way is looked after at the least
AT_ONCE_SECONDS = 6.0  # that a person waits at most for what was asked: one effect time-out and a second
STOP_PATIENCE = 0.5  # seconds that work under way gets to end by itself when the agent stops
UNDECIDED_SECONDS = 5.0  # a proposal is decided in the turn that enters it; one that is not was cut off


class AutonomousAgent(Desk):
    """Watches, decides, acts, proves and learns. Make one with `from_config`; `await agent.run()` until `agent.stop()`."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.learning = Learning(self.book)
        self.plan = Plan(parts.clock.now(), "No action yet: starting")
        self.started_at = parts.clock.now()
        self.started = False  # whether it ever was at work, the interface and all
        self.url: str | None = None  # of the interface, once it is there
        self._woken = asyncio.Event()
        self._ignored: set[str] = set()
        self._aftercare = Aftercare(self.book, self.evidence)
        self._housekeeping = Housekeeping(
            parts.store, self.book, keep_samples=parts.retention_seconds, keep_journal=parts.journal_retention_seconds,
            first=self.learning.before_pruning, alarm=self._in_trouble, started_at=self.started_at,
            in_turn=isinstance(parts.clock, VirtualClock))  # fmt: skip
        self._closed = False
        self._log = structlog.get_logger("trimtab")
        self._crew = Crew(None if isinstance(parts.clock, VirtualClock) else 0.25)
        self.schedule = Schedule(parts.periods, self.started_at, self._woken.set)

    @classmethod
    def from_config(cls, path: str | Path) -> AutonomousAgent:
        """The agent that a configuration file describes. Raises `ConfigError` with every mistake in it."""
        from trimtab.assembly import assemble, load_settings

        return assemble(load_settings(path))

    # -- the loop

    async def turn(self, now: float) -> float:
        """One turn of the loop: whatever is due or was woken, in this order. Returns when the next stage is due."""
        self.throttle.look(now, self.monitor, self.schedule, self.evidence, self.book)
        if self.monitor.next_due() <= now:
            self.schedule.wake(Stage.MONITOR)
        for stage, step in (
            (Stage.MONITOR, self._monitor),
            (Stage.ANALYZE, self._analyze),
            (Stage.PLAN, self._plan),
            (Stage.EXECUTE, self._execute),
            (Stage.LEARN, self._learn),
        ):
            if self.schedule.take(stage, now):
                await self._fail_closed(stage, step, now)
        return self.next_due()

    async def _monitor(self, now: float) -> None:
        """Read every sensor that is due, and every lever that no action is moving."""
        for sensor in self.monitor.due(now):
            self._crew.start(f"read {sensor.element}/{sensor.name}", self._read(sensor, now))
        moving = {record.action.lever_id for record in self.book.under_way()}
        for lever_id in self.levers.states.keys() - moving:
            state = self.levers.states[lever_id]
            if now - state.read_at >= self.parts.periods[Stage.MONITOR] * self.throttle.factor_of(state.spec.element) - 1e-6:
                self._crew.start(f"look {lever_id}", self._look(lever_id))
        await self._crew.settle()
        await self._keep(self.levers.take_readings())
        await self._housekeeping.look(now)
        await self.lookout.look(now)

    async def _analyze(self, now: float) -> None:
        """Turn the readings into how goals and guards stand, and into symptoms."""
        before = self.evidence.analysis
        with self.throttle.analysing(now):
            analysis = self.parts.analyzer.analyze(self.monitor, now, self.parts.settle_by_element, self.recent_changes)
        self.evidence.analysis, self.evidence.now = analysis, now
        self.own_goals = self.parts.own_goals.look(self.monitor, now)
        report_holds(before, analysis, self._log)
        self._look_closer(now)
        known = {symptom.symptom_id for symptom in before.symptoms}
        if any(symptom.kind == "goal_missed" or symptom.symptom_id not in known for symptom in analysis.symptoms):
            self.schedule.wake(Stage.PLAN)
        if self.book.under_way() or self.book.in_state(S.KEPT_ON_PROBATION, S.KEPT):
            self.schedule.wake(Stage.EXECUTE)

    async def _plan(self, now: float) -> None:
        """Decide what to do about the symptoms, and enter what is to be done into the book."""
        await self._try_the_journal(now)
        self.plan = make_plan(self.situation(now), self.parts.optimizers, self.learning.beliefs, self.parts.plan_settings)
        for action, decision in self.plan.decided:
            await self._enter(action, decision, now)

    async def _execute(self, now: float) -> None:
        """Take every action one step further: start it, look after it, prove it, or undo it."""
        for record in self.executor.due(now):
            self._crew.start(f"advance {record.action_id}", self._advance(record.action_id))
        for lever_id in self.regulation.regulators:
            self._crew.start(f"regulate {lever_id}", self._regulate(lever_id))
        await self._crew.settle()
        await self._aftercare.look(now)
        await self.gatekeeper.look(now)
        for record in self.book.in_state(S.PROPOSED):
            if now - record.since > UNDECIDED_SECONDS:
                await self.book.move(record, S.EXPIRED, "its decision could not be written; proposed anew if still needed", now)
        for record in self.book.in_state(S.AWAITING_APPROVAL):
            if record.expires_at is not None and now > record.expires_at:
                await self.book.move(record, S.EXPIRED, "nobody approved it in time", now)
        if self.book.under_way() or self.book.in_state(S.SCHEDULED):
            self.schedule.wake(Stage.EXECUTE, now + min(BUSY_SECONDS, self.parts.periods[Stage.EXECUTE]))

    async def _learn(self, now: float) -> None:
        """Let what ended change what is believed; the journal notes the belief before and after."""
        if await self.learning.look(now):
            self.schedule.wake(Stage.PLAN)

    # -- parts of the steps

    def _look_closer(self, now: float) -> None:
        """What is critical is read again within a second, until it is confirmed and its level is known well enough to act."""
        critical = [symptom for symptom in self.evidence.analysis.symptoms if symptom.severity is Severity.CRITICAL]
        known = self.evidence.baseline_counts(self.book.records, self.levers.states) if critical else {}
        for symptom in critical:
            enough = symptom.confirmed and known.get(symptom.goal_id or "", BASELINE_SAMPLES) >= BASELINE_SAMPLES
            if not enough and self.monitor.look_again(symptom.element, now + LOOK_AGAIN_SECONDS):
                self.schedule.wake(Stage.MONITOR, now + LOOK_AGAIN_SECONDS)

    async def _read(self, sensor: Sensor, now: float) -> None:
        result: Sequence[Reading] | Exception
        try:
            result = await asyncio.wait_for(sensor.read(now), max(1.0, min(self.monitor.period_of(sensor), 10.0)))
        except TimeoutError:
            result = SensorError(f"{sensor.name} did not answer in time")
        except Exception as error:
            result = error if isinstance(error, SensorError) else SensorError(f"{sensor.name}: {type(error).__name__}: {error}")
        good = self.monitor.post(sensor, result, self.clock.now())
        self.schedule.wake(Stage.ANALYZE, self.throttle.after_reading())
        self.schedule.wake(Stage.MONITOR, max(self.monitor.next_due(), self.clock.now() + NEXT_READ_SECONDS))
        await self._keep(good)

    async def _keep(self, readings: Sequence[Reading]) -> None:
        if not readings:
            return
        began = self.clock.now()
        try:
            await self.parts.store.write(readings)
            self._out_of_trouble("metrics")
        except StoreError as error:
            self._in_trouble("metrics", f"HOLD: the metric store cannot be written: {error}")
        self.parts.selfwatch.store_write = self.clock.now() - began

    async def _look(self, lever_id: str) -> None:
        readable = self.levers.states[lever_id].trust.ok or not self.levers.states[lever_id].read_at
        try:
            await self.levers.look(lever_id, self.clock.now())
        except TrimtabError as error:
            if readable:
                self._log.warning("Lever unreadable", lever=lever_id, reason=str(error))

    async def _enter(self, action: OptimizationAction, decision: Decision, now: float) -> None:
        if decision.choice is Choice.WAIT or (decision.choice is Choice.IGNORE and action.plan_hash in self._ignored):
            return
        belief = self.learning.beliefs.of(action).numbers()
        record = await self.book.propose(action, decision, now, belief_before=belief, simulated=self.parts.simulated)
        if decision.choice is Choice.ACT:
            await self.book.move(record, S.SCHEDULED, decision.reason, now)
            self.schedule.wake(Stage.EXECUTE)
        elif decision.choice is Choice.ASK:
            await self.book.move(record, S.AWAITING_APPROVAL, decision.reason, now, expires_at=now + self.parts.approval_seconds)
        else:
            self._ignored.add(action.plan_hash)
            await self.book.move(record, S.IGNORED, decision.reason, now)

    async def _advance(self, action_id: str) -> None:
        before = self.book.get(action_id).state
        try:
            await self.executor.advance(action_id)
            self._out_of_trouble(action_id)
        except StoreError as error:
            self._in_trouble("journal", f"HOLD: the journal cannot be written, so that nothing may be done: {error}")
            return
        except Exception as error:
            self._in_trouble(action_id, f"HOLD: {action_id} cannot go on: {type(error).__name__}: {error}")
            self._log.exception("Action stuck", action_id=action_id)
            return
        if (record := self.book.get(action_id)).state is not before:
            self._aftercare.undone(record)
            self.schedule.wake(Stage.EXECUTE)
            self.schedule.wake(Stage.LEARN)

    async def _regulate(self, lever_id: str) -> None:
        try:
            await self.regulation.regulators[lever_id].turn()
        except StoreError as error:
            self._in_trouble("journal", f"HOLD: the journal cannot be written, so that nothing may be done: {error}")

    async def _at_once(self, *action_ids: str) -> None:
        await asyncio.gather(*(self._take_further(action_id) for action_id in action_ids))

    async def _take_further(self, action_id: str) -> None:
        work = f"advance {action_id}"
        await self._crew.wait_for(work, AT_ONCE_SECONDS)  # one that began before the request has not heard of it
        self._crew.start(work, self._advance(action_id))
        await self._crew.wait_for(work, AT_ONCE_SECONDS)

    async def _try_the_journal(self, now: float) -> None:
        """After it was lost, nothing is decided until a row has been written again."""
        if "journal" in self._troubles:
            await self.book.note("note", "the journal can be written again", now)
            self._out_of_trouble("journal")

    async def _remember(self, now: float) -> None:
        """Fill the windows of what goals and guards rest on from the store: a restart need not learn its baseline anew."""
        try:
            analyzer, series = self.parts.analyzer, await self.parts.store.series()
            known = {one.metric_id: one for one in series if one.name in analyzer.remembered}
            found = await self.parts.store.read(list(known), now - self.parts.window_seconds, now)
            self.monitor.restore([(known[key], one.times.tolist(), one.values.tolist()) for key, one in found.items()])
        except StoreError as error:
            self._in_trouble("metrics", f"HOLD: the metric store cannot be read: {error}")

    async def _fail_closed(self, stage: Stage, step: Callable[[float], Any], now: float) -> None:
        """A stage that fails stops no other: the loop goes on, nothing is decided on what failed, and the reason is shown."""
        try:
            await step(now)
            self._out_of_trouble(stage.value)
        except Exception as error:
            source = "journal" if isinstance(error, StoreError) else stage.value
            reason = f"HOLD: {stage} failed: {error if isinstance(error, TrimtabError) else repr(error)}"
            if self._in_trouble(source, reason) and not isinstance(error, TrimtabError):
                self._log.exception("Stage failed", stage=stage.value)
            if stage is Stage.ANALYZE:
                self.evidence.distrust(f"the analysis failed: {error}")

    def _in_trouble(self, source: str, reason: str) -> bool:
        """Nothing new is decided or started until `source` works again; returns whether that is news."""
        if news := self._troubles.get(source) != reason:
            self._log.error("Hold", reason=reason)
        self._troubles[source] = reason
        self.executor.hold = self.trouble
        return news

    def _out_of_trouble(self, source: str) -> None:
        if self._troubles.pop(source, None) is not None:
            self._log.info("Hold released", subject=source)
            self.executor.hold = self.trouble

    def situation(self, now: float) -> Situation:
        """All that planning may look at now."""
        return Situation(now, self.evidence.analysis, dict(self.levers.states), self.book.records, self.gatekeeper.paused,
                         self.evidence.baseline_counts(self.book.records, self.levers.states), self.trouble,
                         self.gatekeeper.paused_because(now), self.gatekeeper.harm_dates(now),
                         load_levels(self.monitor, {state.spec.element for state in self.levers.states.values()}))  # fmt: skip

    async def preview(self, samples: int = 7, pause: float = 1.0) -> Plan:
        """What would be planned now, from `samples` fresh looks `pause` seconds apart. Nothing is entered, and nothing set."""
        for round_ in range(samples):
            if round_:
                await asyncio.sleep(min(pause, self.parts.periods[Stage.MONITOR]))
            now = self.clock.now()
            looks = (self._look(lever_id) for lever_id in self.levers.states)
            await asyncio.gather(*(self._read(sensor, now) for sensor in self.parts.sensors), *looks)
            await self._analyze(now)
        return make_plan(self.situation(now), self.parts.optimizers, self.learning.beliefs, self.parts.plan_settings)

    def next_due(self) -> float:
        """When the loop has to turn again."""
        return min(self.schedule.next_due(), self.monitor.next_due())

    # -- its life

    async def run(self) -> None:
        """Turn until `stop` is called; what was begun is finished or undone within five seconds of that."""
        async with self.running():
            await self.keep_turning()

    async def keep_turning(self) -> None:
        """Turn whenever something is due, until `stop`; what `run` does once all is open."""
        while not self._stopping:
            due = self.next_due()
            await self._rest(due)
            began = self.clock.now()
            self.parts.selfwatch.lag = max(0.0, began - due) if due > self.started_at else 0.0
            await self.turn(began)
            self.parts.selfwatch.turn = self.clock.now() - began

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AutonomousAgent]:
        """Opened and recovered on the way in, everything undone and closed on the way out; who turns the loop is free."""
        with self.parts.hold():
            try:
                await self.open()
                async with self.parts.serve(self) if self.parts.serve is not None else nullcontext() as url:
                    self._say_started(url)
                    self._housekeeping.begin()
                    yield self
            finally:
                await self.close()

    async def open(self) -> None:
        """Read the journal, and bring what an earlier run left onto its way to an end."""
        now = self.clock.now()
        await self.book.open(now)
        await self.regulation.open(now)
        await recovery.recover(self.executor, now, simulated=self.parts.simulated)
        await self._remember(now)
        await self.gatekeeper.open(now)
        self.book.ended = []
        await self.learning.open(now)
        self._running = True

    def _say_started(self, url: str | None) -> None:
        """One line with what an operator looks for first; only once everything is there, the interface too."""
        self.started, self.url, origin = True, url, self.parts.origin
        where = {"config": origin.path, "data": origin.data} if origin is not None else {}
        self._log.info("Agent started", pid=os.getpid(), **where, url=url or "off", levers=len(self.levers.states),
                       sensors=len(self.parts.sensors))  # fmt: skip

    async def close(self) -> None:
        """Take back what is unproven, and release everything."""
        if self._closed:
            return
        self._closed, self._running = True, False
        await self._crew.settle(STOP_PATIENCE)
        await self._crew.dismiss()
        for what, close in (
            ("housekeeping", self._housekeeping.close),
            ("actions under way", self._wind_down),
            *((f"sensor {sensor.name}", sensor.close) for sensor in self.parts.sensors),
            ("levers", self.levers.close),
            ("metric store", self.parts.store.close),
            ("journal", self.journal.close),
            *((("connections", self.parts.release),) if self.parts.release is not None else ()),
        ):
            try:
                await close()
            except Exception as error:  # one thing that will not close must not keep the rest open
                self._log.error("Could not close", what=what, error=f"{type(error).__name__}: {error}")
        if self.started:
            self._log.info("Agent stopped")

    async def _wind_down(self) -> None:
        left = await recovery.wind_down(self.executor)
        if left:
            self._log.warning("Left for the next start", actions=list(left))

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._stopping = True
        self._woken.set()

    async def _rest(self, until: float) -> None:
        self._woken.clear()
        rest = max(until - self.clock.now(), LEAST_REST_SECONDS)
        if not self._stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), rest)
