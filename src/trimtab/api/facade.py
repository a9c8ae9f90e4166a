"""What the REST interface needs of the agent. The agent satisfies `AgentFacade`; tests bring a small fake.

Everything here is called on the event loop that the agent runs in, never from a thread: what is not `async` sees one state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from trimtab.domain.actions import ActionRecord, ActionState, JournalRow, Plan
from trimtab.domain.forecasts import Foretold
from trimtab.domain.goals import GoalState
from trimtab.domain.metrics import Aggregate, Series, Trust

SeriesRow = tuple[Series, float | None, float | None, Trust]  # series, latest value, its Unix seconds, health


class AgentFacade(Protocol):
    """The running agent, as seen from outside. Reads change nothing; requests name their actor."""

    @property
    def state(self) -> str:
        """starting | running | hold | paused | stopping."""
        ...

    @property
    def started_at(self) -> float:
        """Unix seconds."""
        ...

    def prove(self, challenge: str, host: str, port: int) -> str:
        """What only the agent of this data folder can answer, where it was reached; empty where it has none."""
        ...

    @property
    def plan(self) -> Plan:
        """What the last planning came to."""
        ...

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether the loop is turning on usable data and stores, with the sentence that says why not."""
        ...

    def now(self) -> float:
        """The agent's clock, Unix seconds."""
        ...

    def get_status(self) -> Mapping[str, Any]:
        """The fields of `models.StatusOut`; more may follow."""
        ...

    @property
    def counts(self) -> Mapping[ActionState, int]:
        """How many actions are in each state, of all that the journal knows."""
        ...

    def get_recent_actions(self, count: int) -> Sequence[ActionRecord]:
        """The latest `count` actions, newest first."""
        ...

    def goal_states(self) -> Sequence[GoalState]:
        """Each goal as it stands."""
        ...

    def series(self) -> Sequence[SeriesRow]:
        """Each series that is read, with its latest value."""
        ...

    async def forecast(self, seconds: float, metric: str | None = None) -> Sequence[Foretold]:
        """What is expected within `seconds`. Raises `NotFound` for an unknown metric, `StoreError`."""
        ...

    async def past(
        self, metric_id: str, start: float, end: float, step: float, aggregate: Aggregate
    ) -> Sequence[tuple[float, float]]:
        """(begin, figure) of each bucket of `step` seconds that overlaps the range and holds a sample. Raises `NotFound`."""
        ...

    async def explain(self, action_id: str) -> tuple[ActionRecord, Sequence[JournalRow]]:
        """An action and its journal rows, in order. Raises `NotFound`."""
        ...

    async def approve(self, action_id: str, *, approved: bool, plan_hash: str | None, actor: str) -> ActionRecord:
        """Approve or reject. Raises `NotFound`; `Conflict` where it does not wait for approval or the plan is another by now."""
        ...

    async def rollback(self, action_id: str, *, actor: str) -> ActionRecord:
        """Take a change back. Raises `NotFound`; `Conflict` where nothing is there to take back."""
        ...

    async def pause(self, actor: str, *, undo: bool) -> Sequence[str]:
        """Start nothing new; pausing twice is pausing once. With `undo`, returns the ids of what is taken back."""
        ...

    async def resume(self, actor: str) -> None:
        """Go on."""
        ...

    async def reload(self, actor: str) -> Sequence[str]:
        """Go on with the configuration as it is now; returns what changed. Raises `ConfigError`, `Conflict`."""
        ...
