"""The demo's plot: a healthy service is outgrown by the world, part by part, and cured; then harm done on purpose is undone.

Called by `run`. It lets the faults in, watches the agent's journal and the service's own counters, and once asks the agent, as an
operator would, for a change that is bound to do harm. What is going to happen it tells nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from trimtab.demo.counters import compare
from trimtab.demo.faults import Fault
from trimtab.demo.report import Case, Check, Harm, Report, is_credited
from trimtab.demo.scene import Scene
from trimtab.demo.screen import Screen, better, quantity, telling
from trimtab.demo.setup import HARMFUL, PARTS
from trimtab.domain.actions import ActionRecord, ActionState, JournalRow, Plan
from trimtab.domain.errors import Conflict, TrimtabError
from trimtab.domain.levers import LeverValue
from trimtab.domain.ports import Journal
from trimtab.domain.words import setting

CALM_SECONDS = 60.0  # without a fault: how long the agent is watched doing nothing
FELT_SECONDS = 9.0  # a fault that the part's goal does not show by then is made larger
PATIENCE_SECONDS = 80.0  # with one fault, before the next sets in
ONSET_SECONDS = 2.0  # of a fault that do not count as before
WINDOW_SECONDS = 8.0  # over which after is measured
LONGEST_BEFORE = 20.0
LATELY_SECONDS = 4.0  # over which a goal is met again
UNDO_SECONDS = 30.0  # what noticing and undoing the harm may take
RECOVER_SECONDS = 30.0  # what the service may need afterwards
RESERVED_SECONDS = 40.0  # for the harm and the end: no fault is waited for beyond
OLD_NEWS_SECONDS = 20.0  # after its last step the journal has nothing new to say of an action
_POLL = 0.25
T = TypeVar("T")


class Agent(Protocol):
    """What the story needs of the agent."""

    plan: Plan  # of its last turn: why it does what it does, or nothing

    @property
    def journal(self) -> Journal:
        """Where everything that it does is written."""
        ...

    @property
    def holds(self) -> Sequence[str]:
        """Why nothing is decided about what."""
        ...

    async def submit(self, lever_id: str, value: LeverValue, *, reason: str, actor: str) -> ActionRecord:
        """Ask for a change. Raises `Conflict` where it may not be made now."""
        ...


class Story:
    """One telling, from the agent's start to the end of the harm. `deadline` is in Unix seconds."""

    def __init__(self, stage: Scene, agent: Agent, report: Report, screen: Screen, deadline: float) -> None:
        self._stage, self._agent, self._report, self._screen, self._deadline = stage, agent, report, screen, deadline
        self._told: set[int] = set()
        self._running: asyncio.Future[None] | None = None

    async def tell(self, drawn: Sequence[Fault], running: asyncio.Future[None]) -> None:
        """Tell it. `running` is the agent's run: where it ends before the story does, so does the story."""
        self._running = running
        self._say("the agent looks on, and learns what is usual")
        for fault in drawn:
            await self._pass(fault.after)
            await self._let_in(fault)
        if not drawn:
            await self._pass(CALM_SECONDS)
            self._say(f"nothing was wrong for {CALM_SECONDS:.0f} s")
        await self._wait_for_stragglers()
        harm = await self._do_harm()
        await self._see_it_undone(harm)
        await self._wait_for_stragglers()  # where something had to be taken back meanwhile
        self._settle_accounts()

    # -- the faults

    async def _let_in(self, fault: Fault) -> None:
        """Let the world outgrow a part, and wait until the agent has cured it, for a while."""
        case = Case(fault, PARTS[fault.element], time.time(), fault.world.words)
        self._report.cases.append(case)
        self._stage.change(fault.world)
        self._event(fault.world.words)
        await self._make_it_felt(case)

        async def over() -> bool | None:
            return _done(case) or time.time() > min(case.set_in_at + PATIENCE_SECONDS, self._deadline - RESERVED_SECONDS) or None

        await self._until(f"the agent to find and cure what is wrong with {case.part.element}", over)

    async def _make_it_felt(self, case: Case) -> None:
        part, late = case.part, case.set_in_at + FELT_SECONDS

        async def felt() -> bool | None:
            value = self._stage.counters.lately(part, 2.0)
            if value is not None and not part.met_by(value):
                return True
            return False if time.time() > late else None

        if not await self._until(f"{part.element} to feel it", felt):
            case.words = case.fault.worse.words
            self._stage.change(case.fault.worse)
            self._event(f"this machine does not feel that; {case.words}")

    async def _wait_for_stragglers(self) -> None:
        """Give what is not cured yet what time there is, and let what is under way come to an end."""

        async def over() -> bool | None:
            calm = not any(record.state.in_flight for record in await self._agent.journal.recent(20))
            return (
                (calm and all(_done(case) for case in self._report.cases))
                or time.time() > self._deadline - RESERVED_SECONDS
                or None
            )

        await self._until("what is under way to end", over)

    async def _look_at_cases(self) -> None:
        """See how every fault stands that has set in."""
        now, records = time.time(), await self._records()
        for case in self._report.cases:
            ours = [r for r in records if r.action.element == case.part.element and not r.requested]
            case.tried = [r for r in ours if r.executed_at is not None and r.executed_at > case.set_in_at]
            if not case.credited:
                case.cured_at = case.measured_until = None  # not yet, or what was kept has been taken back since
            elif case.cured_at is None and not any(r.state.in_flight for r in case.tried):
                case.cured_at = now if self._stage.counters.meets(case.part, LATELY_SECONDS) else None
            if case.cured_at is not None and not _done(case) and now >= case.cured_at + WINDOW_SECONDS:
                self._measure(case, case.cured_at, now)
                self._tell_cure(case)

    def _measure(self, case: Case, start: float, end: float) -> None:
        """Before: from when the fault was felt to the first change that stands. After: from `start` to `end`."""
        first = next((record.executed_at for record in (*case.credited, *case.tried)), None)
        until = first if first is not None else start
        since = max(case.set_in_at + ONSET_SECONDS, until - LONGEST_BEFORE)
        what, counters = case.part.goal, self._stage.counters
        case.before, case.after = counters.value(what, since, until), counters.value(what, start, end)
        before, after = counters.values(what, since, until), counters.values(what, start, end)
        case.measured, case.measured_until = compare(before, after, case.part.direction), end

    def _tell_cure(self, case: Case) -> None:
        metric = case.part.metric
        change = f"{quantity(metric, case.before)} → {quantity(metric, case.after)}"
        self._say(f"{case.part.element} is well again: the service itself measures {change}", "kept")

    # -- the harm

    async def _do_harm(self) -> ActionRecord:
        """Ask for the harmful change as soon as the agent may make one."""
        lever_id, value = HARMFUL

        async def asked() -> ActionRecord | None:
            if any(record.state.in_flight for record in await self._agent.journal.recent(20)):
                return None
            try:
                return await self._agent.submit(lever_id, value, reason="the demo does harm on purpose", actor="demo")
            except Conflict as refusal:
                self._screen.waiting_for = f"leave to make a harmful change ({refusal})"
                return None

        harm = await self._until("a calm moment for a harmful change", asked)
        self._event(f"now harm on purpose: the agent is asked for {lever_id} = {setting(value)}")
        return harm

    async def _see_it_undone(self, harm: ActionRecord) -> None:
        async def ended() -> ActionRecord | None:
            record = await self._agent.journal.get(harm.action_id)
            return record if record is not None and record.state.terminal else None

        record = await self._until("the harm to be seen and undone", ended)
        began, done = record.executed_at or record.since, record.ended_at or time.time()
        undone = record.state is ActionState.ROLLED_BACK and done - began <= UNDO_SECONDS
        self._report.harm = seen = Harm(record, undone, done - began)
        why = record.rollback_reason or record.reason
        self._check(
            "harmful change seen and undone", undone, f"{record.state.value.replace('_', ' ')} after {done - began:.1f} s: {why}"
        )
        held = await asyncio.to_thread(self._stage.read_lever, record.action.lever)
        self._check("lever restored", held == record.action.from_value, f"the service says {record.action.lever} = {held}")
        part, counters = PARTS[record.action.element], self._stage.counters

        async def recovered() -> bool | None:
            settled = time.time() > done + LATELY_SECONDS
            return (settled and counters.meets(part, LATELY_SECONDS)) or time.time() > done + RECOVER_SECONDS or None

        await self._until(f"{part.element} to recover", recovered)
        seen.before = counters.value(part.goal, began - WINDOW_SECONDS, began)
        seen.during = counters.value(part.goal, began, done + 2.0)  # answers that the harm delays come after it is undone
        seen.after = counters.lately(part, LATELY_SECONDS)

    # -- the end

    def _settle_accounts(self) -> None:
        """Every check that is not made on the way."""
        for case in self._report.cases:
            if not _done(case) and case.tried:
                self._measure(case, time.time() - WINDOW_SECONDS, time.time())
            told = f"{quantity(case.part.metric, case.before)} → {quantity(case.part.metric, case.after)}{_doubt(case)}"
            self._check(f"{case.fault.name} found, changed, proven and kept", case.improved, told)
        if len(self._report.cases) < self._report.faults_drawn:
            self._check("every fault was let in", False, "time was over before")
        wrong = self._kept_wrongly()
        self._check("nothing else kept", not wrong, ", ".join(wrong) or "no change stands that no fault called for")

    def _kept_wrongly(self) -> list[str]:
        """Changes that stand with credit on a part that nothing was wrong with, or that cannot have helped."""
        cured = {case.fault.cure: case.set_in_at for case in self._report.cases}
        standing = [record for record in self._report.actions if record.state is ActionState.KEPT or is_credited(record)]
        return [r.action.move for r in standing if (r.executed_at or 0.0) < cured.get(r.action.lever_id, float("inf"))]

    # -- the means of telling

    async def _until(self, what: str, look: Callable[[], Awaitable[T | None]]) -> T:
        """Wait for `look` to see something, telling meanwhile what the agent does."""
        self._screen.waiting_for = f"waiting for {what}"
        while True:
            await self._follow()
            await self._look_at_cases()
            self._screen.agent_says = says(self._agent)
            seen = await look()
            if seen is not None:
                return seen
            if self._running is not None and self._running.done():
                await self._running  # raises what it ended with
                raise TrimtabError(f"the agent ended while the demo waited for {what}")
            await asyncio.sleep(_POLL)

    async def _pass(self, seconds: float) -> None:
        end = time.time() + seconds

        async def over() -> bool | None:
            return time.time() >= end or None

        await self._until("something to happen", over)

    async def _follow(self) -> None:
        """Tell every row of the journal that is new."""
        rows: list[tuple[JournalRow, ActionRecord]] = []
        for record in await self._records():
            if time.time() - record.since > OLD_NEWS_SECONDS:
                continue
            rows += [(row, record) for row in await self._agent.journal.history(record.action_id) if row.seq not in self._told]
        for row, record in sorted(rows, key=lambda pair: pair[0].seq):
            self._told.add(row.seq)
            self._report.rows.append(row)
            told = telling(row, record)
            if told is not None:
                self._screen.say(*told, at=row.at)

    async def _records(self) -> list[ActionRecord]:
        """Every action so far, oldest first."""
        self._report.actions = list(reversed(await self._agent.journal.recent(100)))
        if self._report.first_improved_at is None:
            ends = [r.ended_at for r in self._report.actions if is_credited(r) and r.ended_at is not None]
            self._report.first_improved_at = min(ends, default=None)
        return self._report.actions

    def _check(self, name: str, ok: bool, detail: str) -> None:
        self._report.checks.append(Check(name, ok, detail))

    def _event(self, words: str) -> None:
        self._report.events.append((time.time(), words))
        self._say(words, "fault")

    def _say(self, text: str, mark: str = "say") -> None:
        self._screen.say(text, mark)


def says(agent: Agent) -> str:
    """What the agent says of itself, in a sentence."""
    return next(iter(agent.holds), agent.plan.sentence)


def _doubt(case: Case) -> str:
    """Why the service's own numbers do not confirm a cure; empty where they do. How much better it is, the verdict says."""
    if case.measured is None:
        return "; nothing that helped was found"
    return "" if case.measured.better else f"; by itself that proves nothing: {better(case.measured)}"


def _done(case: Case) -> bool:
    return case.measured_until is not None
