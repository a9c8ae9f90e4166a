"""Actions, the decisions about them, and the record that follows each through its life.

An `OptimizationAction` is a proposal and never changes. Where it stands is an `ActionRecord`, replaced at each step between two
states; `execute.states` holds the table of what may follow what, and the journal keeps every step as a `JournalRow`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from trimtab.domain.contexts import UNKNOWN, Context
from trimtab.domain.goals import GoalState
from trimtab.domain.levers import ActionPriority, LeverSpec, LeverValue, Reversibility, way
from trimtab.domain.metrics import Series
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.domain.words import setting

OURSELVES = "trimtab"  # the actor of what no person asked of this very action
MOVE = "move"  # the kind of row that a policy's move is noted as
MOVES_TOLD = 20  # of an action's moves, as many of the latest belong to its history: a policy makes hundreds a day
SAID_AGAIN = "said_again"  # in the data of a row that says again what pruning gave up: it is news to nobody


class ActionState(StrEnum):
    """Every state of an action; `execute.states` draws how they follow each other."""

    PROPOSED = "proposed"
    IGNORED = "ignored"
    AWAITING_APPROVAL = "awaiting_approval"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SCHEDULED = "scheduled"
    APPLYING = "applying"
    PROBING = "probing"
    SETTLING = "settling"
    VERIFYING = "verifying"
    ROLLING_BACK = "rolling_back"
    KEPT = "kept"
    KEPT_ON_PROBATION = "kept_on_probation"
    STEPPED_BACK = "stepped_back"
    YIELDED = "yielded"
    SIMULATED = "simulated"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    FAILED = "failed"

    @property
    def status(self) -> ActionStatus:
        """The coarse word that stored actions and the REST interface use."""
        return _STATUS[self]

    @property
    def in_flight(self) -> bool:
        """Whether an effect may be under way: such an action holds its locks."""
        return self.status is ActionStatus.EXECUTING

    @property
    def terminal(self) -> bool:
        """Whether the action has ended. One on probation has ended too, but is still watched."""
        return self.status in (ActionStatus.COMPLETED, ActionStatus.FAILED)


class ActionStatus(StrEnum):
    """Requirement F4's four words."""

    PENDING = "pending"
    EXECUTING = "executing"
    COMPLETED = "completed"
    FAILED = "failed"


_PENDING = (ActionState.PROPOSED, ActionState.AWAITING_APPROVAL, ActionState.SCHEDULED)
_EXECUTING = (
    ActionState.APPLYING,
    ActionState.SETTLING,
    ActionState.VERIFYING,
    ActionState.PROBING,
    ActionState.ROLLING_BACK,
)
_FAILED = (ActionState.FAILED, ActionState.ROLLED_BACK, ActionState.ROLLBACK_FAILED)
_STATUS: Mapping[ActionState, ActionStatus] = {
    **dict.fromkeys(ActionState, ActionStatus.COMPLETED),
    **dict.fromkeys(_PENDING, ActionStatus.PENDING),
    **dict.fromkeys(_EXECUTING, ActionStatus.EXECUTING),
    **dict.fromkeys(_FAILED, ActionStatus.FAILED),
}


class Choice(StrEnum):
    """What is decided of a proposal."""

    ACT = "act"
    WAIT = "wait"
    IGNORE = "ignore"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class OptimizationAction:
    """One small change to one lever, proposed for the sake of one goal.

    `from_value` is what the lever read when the action was planned; the plan is void once it reads something else.
    """

    action_id: str
    action_type: str  # what beliefs are kept by, e.g. workers_increase
    description: str
    element: str
    lever: str
    from_value: LeverValue
    to_value: LeverValue
    metric_name: str  # the goal's metric, which the verdict is about
    goal_id: str
    trigger: str  # the symptom in words
    trigger_metric_id: str
    expected_improvement: float
    success_probability: float
    risk_level: float
    priority: ActionPriority
    reversibility: Reversibility
    settle_seconds: float
    created_at: float
    locks: frozenset[str] = frozenset()  # names that no two actions hold at once; the element is always one
    module: str = "performance"
    context: Context = UNKNOWN  # what was true when it was planned

    def __post_init__(self) -> None:
        object.__setattr__(self, "locks", self.locks | {self.element})

    @classmethod
    def on(
        cls,
        spec: LeverSpec,
        from_value: LeverValue,
        to_value: LeverValue,
        *,
        goal: GoalState,
        action_type: str,
        description: str,
        trigger: str,
        now: float,
    ) -> Self:
        """The change of a declared lever, with the priors, the risk and the locks of its declaration, for the sake of `goal`.

        Its id is its type and second: who proposes several sees to `unique` ones.
        """
        return cls(
            action_id=f"{action_type}_{int(now)}",
            action_type=action_type,
            description=description,
            element=spec.element,
            lever=spec.name,
            from_value=from_value,
            to_value=to_value,
            metric_name=goal.goal.metric_name,
            goal_id=goal.goal.goal_id,
            trigger=trigger,
            trigger_metric_id=Series.named(goal.goal.metric_name, goal.element, dict(goal.goal.where)).metric_id,
            expected_improvement=spec.expected_improvement,
            success_probability=spec.success_probability,
            risk_level=spec.risk_level,
            priority=spec.priority,
            reversibility=spec.reversibility,
            settle_seconds=spec.settle_seconds,
            created_at=now,
            locks=spec.locks,
            module=spec.module,
        )

    @property
    def lever_id(self) -> str:
        """The lever that the action moves."""
        return f"{self.element}/{self.lever}"

    @property
    def way(self) -> int:
        """+1 where the action raises its lever, -1 where it lowers it, 0 where the lever has no scale."""
        return way(self.from_value, self.to_value)

    @property
    def move(self) -> str:
        """What is set in the fewest words, e.g. `shop/workers 2 → 4`."""
        return f"{self.lever_id} {setting(self.from_value)} → {setting(self.to_value)}"

    @property
    def held(self) -> frozenset[str]:
        """What no two actions may hold at once: the locks, the element among them, and the goal that judges it."""
        return self.locks | {self.goal_id}

    @property
    def parameters(self) -> dict[str, LeverValue]:
        """What is set, from what."""
        return {"lever": self.lever_id, "from": self.from_value, "to": self.to_value}

    @property
    def plan_hash(self) -> str:
        """What an approval is bound to: which lever, from which value to which, for which goal. Times do not count."""
        plan = [self.lever_id, self.from_value, self.to_value, self.goal_id, sorted(self.locks)]
        return hashlib.sha256(json.dumps(plan).encode()).hexdigest()[:16]


def unique(actions: Iterable[OptimizationAction], taken: Iterable[str]) -> list[OptimizationAction]:
    """The actions with ids that neither each other nor `taken` has."""
    seen, result = set(taken), []
    for action in actions:
        action_id, count = action.action_id, 1
        while action_id in seen:
            count += 1
            action_id = f"{action.action_id}_{count}"
        seen.add(action_id)
        result.append(action if action_id == action.action_id else replace(action, action_id=action_id))
    return result


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a proposal, with the numbers it rests on and the sentence that says why."""

    choice: Choice
    reason: str
    expected_value: float = 0.0
    score: float = 0.0
    p_success: float = 0.0
    p_harm: float = 0.0
    exploratory: bool = False  # decided on priors: nothing verified yet


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `learn` is told of an action that was really tried. Simulated ones never become outcomes."""

    action_id: str
    action_type: str
    element: str
    status: VerdictStatus
    effect: float | None  # relative, positive = better
    harmed: bool  # worse, or a guard breached
    at: float
    context: Context = UNKNOWN  # what was true when it was planned


@dataclass(frozen=True, slots=True)
class Switch:
    """One step of a trial that takes its change off and puts it on again: when its intent became durable, and which way."""

    at: float
    on: bool


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """An action with all that has become of it. Replaced, never changed, at every transition."""

    action: OptimizationAction
    state: ActionState
    since: float  # when it entered `state`
    reason: str  # why it is there: the sentence shown everywhere
    decision: Decision | None = None
    actor: str = OURSELVES  # who caused the last transition
    executed_at: float | None = None  # when the effect's intent became durable
    acknowledged: bool = False  # the lever was seen to hold our value
    ended_at: float | None = None
    snapshot: LeverValue | None = None  # what to restore
    expires_at: float | None = None  # of an approval
    approved_by: str | None = None
    verdict: Verdict | None = None
    error: str | None = None
    guard_breached: str | None = None  # the guard that ended the trial
    rollback_reason: str | None = None  # why it is being, or was, taken back
    undo_ends: ActionState = ActionState.ROLLED_BACK  # where taking it back ends: rolled_back or stepped_back
    guards_broken_before: tuple[tuple[str, float], ...] = ()  # guard id → value: broken before we acted
    goals_met_before: tuple[str, ...] = ()
    belief_before: Mapping[str, float] = field(default_factory=dict)
    simulated: bool = False
    interrupted: bool = False  # the agent ended while the effect was under way: no verdict can rest on what followed
    requested: bool = False  # a person asked for it: no goal needs to be missed for it to start
    in_place_at: float | None = None  # when the effect was first seen to be whole: a job takes its time

    switches: tuple[Switch, ...] = ()  # of a switchback; see `execute.switchback`

    @property
    def is_on(self) -> bool:
        """Whether its change is in force as far as the trial goes: not in the blocks of a switchback that are without it."""
        return not self.switches or self.switches[-1].on

    @property
    def last_set_at(self) -> float:
        """When its lever was last asked to move by the trial."""
        return self.switches[-1].at if self.switches else self.executed_at or self.since

    @property
    def effective_at(self) -> float:
        """From when on the change can show in a metric: once it is in place; before that is known, when it was set."""
        return self.in_place_at or self.executed_at or self.since

    @property
    def action_id(self) -> str:
        """The action's id."""
        return self.action.action_id

    @property
    def action_type(self) -> str:
        """The action's type."""
        return self.action.action_type

    @property
    def description(self) -> str:
        """The action in words."""
        return self.action.description

    @property
    def status(self) -> ActionStatus:
        """Pending, executing, completed or failed."""
        return self.state.status

    @property
    def success(self) -> bool | None:
        """True only for credited changes that stand, False for those undone or failed, None where nothing was tried or proven."""
        if self.status is ActionStatus.FAILED:
            return False
        credited = self.verdict is not None and self.verdict.status is VerdictStatus.IMPROVED
        standing = self.state in (ActionState.KEPT, ActionState.KEPT_ON_PROBATION)
        return True if credited and standing and not self.simulated else None

    @property
    def actual_improvement(self) -> float | None:
        """The verified relative effect, positive = better; None where none was verified."""
        return self.verdict.effect if self.verdict is not None and self.verdict.conclusive else None

    @property
    def outcome(self) -> Outcome | None:
        """What there is to learn: None for what was simulated, is not over, or ended without a verdict or a breach."""
        over = self.state.terminal and self.state is not ActionState.KEPT_ON_PROBATION
        conclusive = self.guard_breached is not None or (self.verdict is not None and self.verdict.conclusive)
        cut_short = (self.interrupted or self.state is ActionState.YIELDED) and not conclusive
        if self.simulated or not over or cut_short or (self.verdict is None and self.guard_breached is None):
            return None
        status = self.verdict.status if self.verdict is not None else VerdictStatus.INCONCLUSIVE
        harmed = status is VerdictStatus.WORSE or self.guard_breached is not None
        at = self.ended_at if self.ended_at is not None else self.since
        action = self.action
        return Outcome(
            action.action_id, action.action_type, action.element, status, self.actual_improvement, harmed, at, action.context
        )


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One line of the journal: a transition of an action, or a note about one, or about the agent (`action_id` empty).

    `hash` is the SHA-256, or the HMAC where a key is configured, over the row and `previous`: no row
    can be altered or removed unseen. Kinds of notes: paused, resumed, storm, reloaded, reload_refused, reload_failed, frozen,
    unfrozen, learned, beliefs, checked, recalled, pruned, policy, move, let_go, note.
    """

    seq: int
    at: float
    kind: str  # transition, or a kind of note
    action_id: str
    from_state: ActionState | None
    to_state: ActionState | None
    actor: str
    reason: str
    data: Mapping[str, object]
    previous: str
    hash: str


def pause_in_force(rows: Iterable[JournalRow]) -> JournalRow | None:
    """The first "paused" among `rows` after the last "resumed": who repeats a pause does not make it newer. In any order."""
    found = None
    for row in sorted(rows, key=lambda row: row.seq):
        if row.kind == "resumed":
            found = None
        elif row.kind == "paused":
            found = found or row
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """What one turn's planning came to: every proposal with its decision, and one sentence for the whole."""

    at: float
    sentence: str
    decided: tuple[tuple[OptimizationAction, Decision], ...] = ()

    @property
    def changes(self) -> tuple[OptimizationAction, ...]:
        """The proposals that would be carried out, or put before a person."""
        return tuple(action for action, decision in self.decided if decision.choice in (Choice.ACT, Choice.ASK))
