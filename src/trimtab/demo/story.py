"""The demo's plot: a fault that is there from the start is found and cured; a harmful change made on purpose is undone.

`main` is what the command line calls. The agent is assembled and run exactly as `trimtab run` does it; the story only watches
its journal and its clients, and once asks it, as an operator would, for a change that is bound to do harm.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from trimtab.demo.load import ClientView
from trimtab.demo.report import Check, Phase, Report, as_json, show
from trimtab.demo.scene import TARGET_SECONDS, Scene, scene
from trimtab.domain.actions import ActionRecord, ActionState, JournalRow
from trimtab.domain.errors import Conflict, TrimtabError
from trimtab.domain.levers import LeverValue
from trimtab.domain.ports import Journal
from trimtab.domain.verdicts import VerdictStatus

if TYPE_CHECKING:
    from rich.console import Console

HARMFUL = ("shop/prefetch_pages", 24)  # each page fetched ahead costs every request 8 ms more of a worker's time
LIMIT_SECONDS = 180.0  # the whole story, start and clean-up included
UNDO_SECONDS = 30.0  # what noticing and undoing it may take
FILL_SECONDS = 4.0  # until the service's queue is full: the agent is to meet the fault, not its onset
RECOVER_SECONDS = 40.0  # what clients may need to recover, on a machine that has other things to do
WINDOW_SECONDS = 6.0  # over which clients are asked what they felt
CLEAN_UP_SECONDS = 5.0
_POLL = 0.25
T = TypeVar("T")
_KEPT = (ActionState.KEPT, ActionState.KEPT_ON_PROBATION)
FILE_WIDTH = 130  # columns where the output is no terminal
INTERRUPTED = 130  # the exit status of a program ended by Ctrl-C


class Agent(Protocol):
    """What the story needs of the agent."""

    @property
    def journal(self) -> Journal:
        """Where everything that it does is written."""
        ...

    async def submit(self, lever_id: str, value: LeverValue, *, reason: str, actor: str) -> ActionRecord:
        """Ask for a change. Raises `Conflict` where it may not be made now."""
        ...


def main(json: bool = False, duration_limit: float = LIMIT_SECONDS) -> int:
    """Tell the story once and print it; returns the exit status: 0 only where every step of it succeeded.

    `json` prints one document instead of the tables; `duration_limit` (seconds) gives up when it is exceeded.
    """
    from rich.console import Console

    console = Console(quiet=json)
    if not console.is_terminal:
        console = Console(quiet=json, width=FILE_WIDTH)
    report = Report(started_at=time.time())
    try:
        asyncio.run(_tell_within(report, console, duration_limit))
    except (KeyboardInterrupt, asyncio.CancelledError):
        Console(stderr=True).print("Stopped. Everything that the demo started has ended.")
        return INTERRUPTED
    except TrimtabError as error:
        report.ended_early = str(error)
    report.seconds = time.time() - report.started_at
    if json:
        print(as_json(report))  # noqa: T201 (the product)
    else:
        show(report, console)
    return 0 if report.ok else 1


async def _tell_within(report: Report, console: Console, limit_seconds: float) -> None:
    from trimtab.assembly import assemble, load_settings
    from trimtab.assembly.logs import configure_logging

    task = asyncio.current_task()
    if task is not None:
        for name in (
            signal.SIGINT,
            signal.SIGTERM,
        ):  # named, because a shell starts what runs in the background with SIGINT ignored
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    console.print("Starting a service with one worker, and clients who send 120 requests a second …", highlight=False)
    with scene(limit_seconds + CLEAN_UP_SECONDS) as stage:
        await asyncio.sleep(FILL_SECONDS)
        settings = load_settings(stage.config)
        configure_logging(settings)
        agent = assemble(settings)
        console.print(f"The agent answers at {stage.agent_url} (try /agent/status).", highlight=False)
        running = asyncio.create_task(agent.run())
        story = Story(stage, agent, report, console)
        try:
            async with asyncio.timeout(limit_seconds - CLEAN_UP_SECONDS):
                await story.tell(running)
        except TimeoutError:
            report.ended_early = f"{limit_seconds:.0f} s were over while waiting for {story.waiting_for}"
        finally:
            agent.stop()
            await asyncio.wait([running], timeout=CLEAN_UP_SECONDS)


class Story:
    """One telling: what is waited for, what was seen."""

    def __init__(self, stage: Scene, agent: Agent, report: Report, console: Console) -> None:
        self.waiting_for = "the clients"
        self._stage = stage
        self._agent = agent
        self._report = report
        self._console = console
        self._told: set[int] = set()

    async def tell(self, running: asyncio.Task[None]) -> None:
        """The whole of it. Raises `TrimtabError` where the agent ends before the story does."""
        self._running = running
        with self._console.status("") if self._console.is_terminal else _Silent() as status:
            self._status = status
            await self._see_the_fault()
            cure = await self._see_the_cure()
            harm = await self._do_harm(cure)
            await self._see_it_undone(harm)
        self._report.actions = [r for r in reversed(await self._agent.journal.recent(20)) if r.executed_at is not None]

    async def _see_the_fault(self) -> None:
        view = await self._until("clients to arrive", lambda: _ready(self._stage.clients.last(3.0)))
        slow = f"p95 {view.p95_seconds * 1000:.0f} ms" if view.p95_seconds is not None else "no good answer"
        self._say(f"clients feel {slow}, {view.error_ratio:.0%} of requests fail; the goal is {TARGET_SECONDS * 1000:.0f} ms")

    async def _see_the_cure(self) -> ActionRecord:
        """Wait until a change of the workers stands, proven, and clients are served within the goal."""

        async def cured() -> ActionRecord | None:
            standing = [r for r in await self._actions("shop/workers") if r.state in _KEPT and _improved(r)]
            view = self._stage.clients.last(WINDOW_SECONDS)
            return standing[-1] if standing and _within_goal(view) else None

        last = await self._until("the agent to learn what is usual, find the fault, change a lever and prove it", cured)
        first = next(r for r in await self._actions("shop/workers") if r.executed_at is not None)
        began, ended = first.executed_at or 0.0, last.ended_at or time.time()
        workers = f"workers {first.action.from_value} → {last.action.to_value}"
        await self._until("clients to feel it", lambda: _ready(time.time() > ended + WINDOW_SECONDS))
        self._phase(f"{first.action.from_value} worker", began - WINDOW_SECONDS, began)
        self._phase(workers, ended, ended + WINDOW_SECONDS)
        verdict = last.verdict
        low, high = (verdict.low, verdict.high) if verdict is not None else (None, None)
        better = f"{low:.0%} to {high:.0%} better" if low is not None and high is not None else "interval not given"
        self._check("fault found, changed, proven and kept", _improved(last), f"{workers}, {better} than without the change")
        return last

    async def _do_harm(self, cure: ActionRecord) -> ActionRecord:
        """Ask for the harmful change as soon as the agent may make one."""
        lever_id, value = HARMFUL

        async def asked() -> ActionRecord | None:
            if any(record.state.in_flight for record in await self._agent.journal.recent(20)):
                return None
            try:
                return await self._agent.submit(lever_id, value, reason="the demo does harm on purpose", actor="demo")
            except Conflict as refusal:
                self.waiting_for = f"leave to make a harmful change ({refusal})"
                return None

        harm = await self._until("a calm moment for a harmful change", asked)
        self._say(f"asked the agent, on purpose, for {lever_id} = {value}")
        return harm

    async def _see_it_undone(self, harm: ActionRecord) -> None:
        async def ended() -> ActionRecord | None:
            record = await self._agent.journal.get(harm.action_id)
            return record if record is not None and record.state.terminal else None

        record = await self._until("the harm to be seen and undone", ended)
        began, done = record.executed_at or record.since, record.ended_at or time.time()
        undone = record.state is ActionState.ROLLED_BACK and done - began <= UNDO_SECONDS
        why = record.rollback_reason or record.reason
        self._check("harmful change seen and undone", undone, f"{record.state.value} after {done - began:.1f} s: {why}")
        held = await asyncio.to_thread(self._stage.read_lever, "prefetch_pages")
        self._check("lever restored", held == record.action.from_value, f"the service says prefetch_pages = {held}")
        self._phase("harm done", began, done + 2.0)  # answers that the harm delays come after it is undone
        patience = done + RECOVER_SECONDS

        async def recovered() -> ClientView | None:
            view = self._stage.clients.last(WINDOW_SECONDS)
            return view if time.time() > done + WINDOW_SECONDS + 2.0 and (_within_goal(view) or time.time() > patience) else None

        view = await self._until("clients to recover", recovered)
        self._report.phases.append(Phase("undone", view))
        felt = f"p95 {view.p95_seconds * 1000:.0f} ms" if view.p95_seconds is not None else "no good answer"
        self._check("clients served within the goal again", _within_goal(view), f"{felt}, goal {TARGET_SECONDS * 1000:.0f} ms")

    # -- the means of telling

    async def _until(self, what: str, look: Callable[[], Awaitable[T | None]]) -> T:
        """Wait for `look` to see something, telling meanwhile what the agent does."""
        self.waiting_for = what
        while True:
            await self._follow()
            self._status.update(f"waiting for {what}")
            seen = await look()
            if seen is not None:
                return seen
            if self._running.done():
                await self._running  # raises what it ended with
                raise TrimtabError(f"the agent ended while the demo waited for {what}")
            await asyncio.sleep(_POLL)

    async def _follow(self) -> None:
        """Tell every row of the journal that is new."""
        rows: list[JournalRow] = []
        for record in await self._agent.journal.recent(20):
            rows += [row for row in await self._agent.journal.history(record.action_id) if row.seq not in self._told]
        for row in sorted(rows, key=lambda row: row.seq):
            self._told.add(row.seq)
            self._report.rows.append(row)
            state = row.to_state.value if row.to_state is not None else row.kind
            self._say(f"{state.replace('_', ' ')}: {row.reason}", at=row.at)

    async def _actions(self, lever_id: str) -> Sequence[ActionRecord]:
        return [r for r in reversed(await self._agent.journal.recent(20)) if r.action.lever_id == lever_id]

    def _phase(self, name: str, start: float, end: float) -> None:
        self._report.phases.append(Phase(name, self._stage.clients.between(start, end)))

    def _check(self, name: str, ok: bool, detail: str) -> None:
        self._report.checks.append(Check(name, ok, detail))

    def _say(self, text: str, at: float | None = None) -> None:
        elapsed = (at if at is not None else time.time()) - self._report.started_at
        self._console.print(f"{elapsed:6.1f} s  {text}", highlight=False, markup=False, soft_wrap=True)


class _Silent:
    """A status line where nobody watches: nothing."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, status: str) -> None:
        """Show nothing."""


async def _ready(value: T) -> T | None:
    """`value` as something that `_until` can wait for: None and False mean not yet."""
    return value or None


def _within_goal(view: ClientView | None) -> bool:
    return view is not None and view.p95_seconds is not None and view.p95_seconds <= TARGET_SECONDS


def _improved(record: ActionRecord) -> bool:
    return record.verdict is not None and record.verdict.status is VerdictStatus.IMPROVED
