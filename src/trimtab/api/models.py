"""The shapes that leave the agent, as the OpenAPI document shows them. `views` fills them; requests are in `requests`.

Times are RFC 3339 in UTC with a Z. A number that is not finite leaves as null. Fields are only ever added.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from trimtab.domain.actions import ActionState, ActionStatus, Choice
from trimtab.domain.direction import Direction
from trimtab.domain.levers import ActionPriority, LeverValue, Reversibility
from trimtab.domain.metrics import Aggregate, Health, MetricType
from trimtab.domain.verdicts import VerdictStatus

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-03-01T09:30:00.000Z"])]
ActionId = Annotated[str, Field(description="The action's id.", examples=["workers_increase_1699200000"])]
PlanHash = Annotated[str, Field(description="What an approval is bound to.", examples=["9f2c41d07be3a856"])]


class StatusGoal(BaseModel):
    """A goal in short."""

    model_config = ConfigDict(extra="allow")
    metric: str = Field(examples=["checkout_p95_seconds"])
    target: float | None = Field(examples=[0.2])
    current: float | None = Field(description="Mean over the goal's window; null while it cannot be trusted.", examples=[0.18])
    achieved: bool | None = Field(description="null while the data cannot be trusted.", examples=[True])
    hold: str | None = Field(None, description="Why nothing rests on this goal right now.", examples=[None])


class StatusStats(BaseModel):
    """What has come of the actions so far."""

    model_config = ConfigDict(extra="allow")
    total_actions: int = Field(examples=[7])
    successful_actions: int = Field(description="Credited by a verdict and still standing.", examples=[4])
    failed_actions: int = Field(description="Failed or taken back.", examples=[1])
    total_improvement: float | None = Field(description="Sum of the verified relative effects.", examples=[0.83])


class JournalHeadOut(BaseModel):
    """Where the journal ends; its hash covers every row before it."""

    model_config = ConfigDict(extra="allow")
    rows: int = Field(examples=[42])
    head: str = Field(description="Hash of the last row; empty in an empty journal.")


class WindowOut(BaseModel):
    """A maintenance window or a change freeze as it stands."""

    name: str = Field(examples=["nights"])
    kind: Literal["maintenance", "freeze"]
    elements: list[str] = Field(description="Which it is for; empty: all.", examples=[["db"]])
    open: bool = Field(description="Whether it is on now. Nothing starts while a freeze is, or while no maintenance window is.")
    changes_at: Timestamp | None = Field(description="When it opens or closes next; null: never.")
    says: str = Field(examples=["opens in 3 h 12 min (Fri 22:00 Europe/Berlin)"])


class PolicyMoveOut(BaseModel):
    """A move of a policy."""

    model_config = ConfigDict(populate_by_name=True)
    lever: str = Field(examples=["web/servers"])
    from_: LeverValue = Field(alias="from", examples=[2])
    to: LeverValue = Field(examples=[3])
    at: Timestamp
    reason: str = Field(examples=["38 requests a second are expected in 120 s"])


class RegulationOut(BaseModel):
    """An element's regulated levers, and the policy that moves them."""

    element: str = Field(examples=["web"])
    policy: str = Field(description="hold, reactive or predictive.", examples=["predictive"])
    action_id: str | None = Field(description="The action that started it; null while none is at work.")
    set_points: dict[str, LeverValue | None] = Field(description="What each lever reads.", examples=[{"web/servers": 3}])
    left_to_others: dict[str, Timestamp | None] = Field(
        description="Levers that another hand moved: until when they are left to it."
    )
    holding: str | None = Field(description="Why no move is made now.", examples=[None])
    moves: int = Field(description="How many moves the action has made.", examples=[12])
    last_moves: list[PolicyMoveOut] = Field(description="The latest five, newest first.")


class ConfigOut(BaseModel):
    """Which settings are in use."""

    path: str = Field(examples=["/etc/trimtab.yaml"])
    loaded_at: Timestamp
    problem: str | None = Field(description="Why what is in the file now is not in use; null where it is.", examples=[None])


class StatusOut(BaseModel):
    """How the agent stands. Further fields may follow."""

    model_config = ConfigDict(extra="allow")
    state: str = Field(examples=["running"])
    uptime_seconds: float | None = Field(examples=[3600.0])
    pending_actions: int = Field(description="Proposed, awaiting approval or scheduled.", examples=[1])
    active_actions: int = Field(description="Under way.", examples=[1])
    completed_actions: int = Field(examples=[5])
    goals: list[StatusGoal]
    stats: StatusStats
    holds: list[str] = Field(
        [], description="One sentence for each reason not to act.", examples=[["checkout_p95_seconds: stale"]]
    )
    pace: str | None = Field(None, description="Why intervals are longer than configured, where they are.", examples=[None])
    attention: list[str] = Field(
        [],
        description="How often sensors are read that are not read as configured, and why; how many series have a detector.",
        examples=[["shop/p95 is read every 45 s instead of 30 s: its goal p95_seconds, no surprise so far"]],
    )
    paused: bool = Field(False, description="Whether nothing new starts until a person says so.", examples=[False])
    paused_by: str | None = Field(None, description="Who paused it.", examples=["alice"])
    paused_since: Timestamp | None = Field(None, description="Since when.")
    pause_file: str | None = Field(None, description="The file that pauses it while it is there.", examples=[None])
    storm_halt: str | None = Field(None, description="Why nothing new starts after changes that did harm.", examples=[None])
    regulation: list[RegulationOut] = Field([], description="Levers that follow load.")
    windows: list[WindowOut] = Field([], description="Maintenance windows and change freezes.")
    config: ConfigOut | None = Field(None, description="Where the settings come from.")
    plan: str = Field("", description="What the last planning came to.", examples=["No action: every goal is met."])
    symptoms: list[str] = Field([], description="What is off, in words.")
    ahead: list[str] = Field([], description="Goals and guards that hold now and that a steady trend will cross, in words.")
    diagnoses: list[str] = Field([], description="Where it probably began: the suspected causes of each symptom, in words.")
    awaiting_approval: list[str] = Field([], description="Ids of the actions that wait for a person.")
    frozen_levers: dict[str, str] = Field({}, description="Levers that may not be touched, each with the reason.")
    simulation_mode: bool = Field(False, description="Whether nothing is really set.", examples=[False])
    journal: JournalHeadOut | None = Field(None, description="Where the journal ends.")


class ResultOut(BaseModel):
    """What an action came to."""

    success: bool | None = Field(description="null where nothing was tried or proven.", examples=[True])
    actual_improvement: float | None = Field(description="Verified relative effect; positive is better.", examples=[0.31])


class ActionOut(BaseModel):
    """An action with where it stands."""

    action_id: ActionId
    type: str = Field(examples=["workers_increase"])
    module: str = Field(examples=["performance"])
    description: str = Field(examples=["Raise checkout/workers from 2 to 4"])
    status: ActionStatus
    state: ActionState = Field(description="The precise state; `status` is its coarse word.")
    since: Timestamp | None = Field(description="When it entered the state.")
    reason: str = Field(description="The sentence that says why it is there.")
    actor: str = Field(description="Who caused the last transition.", examples=["trimtab", "alice", "local 127.0.0.1"])
    created_at: Timestamp | None
    executed_at: Timestamp | None = Field(description="When its effect was first intended, durably.")
    ended_at: Timestamp | None
    expires_at: Timestamp | None = Field(description="Until when it may be approved.")
    approved_by: str | None
    parameters: dict[str, LeverValue] = Field(examples=[{"lever": "checkout/workers", "from": 2, "to": 4}])
    goal_id: str = Field(examples=["goal:checkout:checkout_p95_seconds"])
    metric_name: str = Field(examples=["checkout_p95_seconds"])
    trigger: str = Field(description="The symptom in words.")
    trigger_metric_id: str
    expected_improvement: float | None = Field(examples=[0.1])
    risk_level: float | None = Field(examples=[0.3])
    priority: ActionPriority
    reversibility: Reversibility
    plan_hash: PlanHash
    simulated: bool = Field(description="Whether nothing was really set.")
    result: ResultOut
    error: str | None


class DecisionOut(BaseModel):
    """What was decided of a proposal, and the numbers that the decision rests on."""

    choice: Choice
    reason: str
    expected_value: float | None = Field(description="Expected improvement times the probability of success.", examples=[0.08])
    score: float | None = Field(
        description="Expected value less the risk, weighted with the probability of harm.", examples=[0.05]
    )
    p_success: float | None = Field(examples=[0.7])
    p_harm: float | None = Field(examples=[0.1])
    exploratory: bool = Field(description="Decided on priors: nothing is verified yet.")


class VerdictOut(BaseModel):
    """The effect against what would have happened without the action; relative, positive is better."""

    status: VerdictStatus
    effect: float | None = Field(examples=[0.31])
    low: float | None = Field(examples=[0.22])
    high: float | None = Field(examples=[0.39])
    method: str
    reason: str
    n_before: int
    n_after: int


class TransitionOut(BaseModel):
    """One row of the journal about an action."""

    seq: int
    at: Timestamp | None
    kind: str = Field(examples=["transition"])
    from_state: ActionState | None
    to_state: ActionState | None
    actor: str
    reason: str
    data: dict[str, JsonValue]
    hash: str = Field(description="Of this row and the one before it.")


class ActionDetailOut(ActionOut):
    """An action with the whole of its life."""

    explanation: str = Field(description="The story in sentences: what was off, what was decided, what came of it.")
    decision: DecisionOut | None
    verdict: VerdictOut | None
    snapshot: LeverValue | None = Field(description="The value to restore.")
    guard_breached: str | None
    rollback_reason: str | None
    context: dict[str, str] = Field(description="What was true when it was planned, as far as that was known.")
    belief_before: dict[str, float | None] = Field(
        description="What was believed before its outcome was known; until then, when it was proposed."
    )
    belief_after: dict[str, float | None] = Field(description="What was learned from it; empty until its outcome is known.")
    learned: str = Field(description="The same in words, with the context and where the strength comes from.")
    transitions: list[TransitionOut]


class GoalOut(BaseModel):
    """A goal and how it stands."""

    goal_id: str = Field(examples=["goal:checkout:checkout_p95_seconds"])
    metric_name: str = Field(examples=["checkout_p95_seconds"])
    element: str = Field(examples=["checkout"])
    target_value: float | None = Field(examples=[0.2])
    current_value: float | None = Field(description="Mean over the goal's window; null where there is none.", examples=[0.26])
    direction: Direction
    weight: float | None = Field(examples=[1.0])
    achieved: bool | None = Field(description="null while the data cannot be trusted.", examples=[False])
    progress: float = Field(ge=0.0, le=1.0, examples=[0.77])
    hold: str | None = Field(description="Why nothing rests on this goal right now; null where all is well.", examples=[None])


class ProposalOut(DecisionOut):
    """A proposal with its decision."""

    action_id: ActionId
    type: str = Field(examples=["workers_increase"])
    description: str
    lever: str = Field(examples=["checkout/workers"])
    from_value: LeverValue = Field(examples=[2])
    to_value: LeverValue = Field(examples=[4])
    goal_id: str
    priority: ActionPriority
    risk_level: float | None
    plan_hash: PlanHash


class PlanOut(BaseModel):
    """What the last planning came to."""

    at: Timestamp | None
    sentence: str = Field(examples=["No action: every goal is met."])
    changes: list[ProposalOut] = Field(description="What would be carried out, or put before a person.")
    decisions: list[ProposalOut] = Field(description="Every proposal, those decided against among them.")


class SeriesOut(BaseModel):
    """A series with its latest value."""

    metric_id: str = Field(examples=['checkout/p95_seconds{route="/pay"}'])
    metric_name: str = Field(examples=["p95_seconds"])
    element: str
    labels: dict[str, str]
    metric_type: MetricType
    unit: str = Field(examples=["seconds"])
    source: str
    value: float | None
    timestamp: Timestamp | None
    health: Health
    reason: str = Field(description="Why it is not trusted; empty where it is.")


class ExpectedOut(BaseModel):
    """The mean over one step; between low and high it lies with 90 %."""

    at: Timestamp | None = Field(description="When the step begins.")
    mean: float | None = Field(examples=[22.4])
    low: float | None = Field(examples=[19.8])
    high: float | None = Field(examples=[25.1])


class ReachedOut(BaseModel):
    """When a steady trend reaches the limit: expected, and the ends of the 90 % interval."""

    at: Timestamp | None
    earliest: Timestamp | None
    latest: Timestamp | None


class ForecastOut(BaseModel):
    """What is expected of one series, or of several as one."""

    about: Literal["goal", "guard", "saturation", "load", "cost", "series"] = Field(description="Why it is told.")
    element: str = Field(examples=["db"])
    metric_name: str = Field(examples=["disk_usage_percent"])
    sentence: str = Field(
        examples=["disk_usage_percent: 70 % now; in the next 24 h at most 76 % (90 %: 75 % to 77 %); 90 % in 3.2 days (90 %: …)"]
    )
    hold: str | None = Field(description="Why nothing is foretold; null where something is.", examples=[None])
    limit: float | None = Field(description="What should not be passed.", examples=[90.0])
    reached: ReachedOut | None = Field(description="null where no steady trend leads there.")
    step_seconds: float | None = Field(examples=[3600.0])
    course: list[ExpectedOut] = Field(description="The steps ahead, in order.")


class PastOut(BaseModel):
    """The past of a series, in steps."""

    metric_id: str = Field(examples=['checkout/p95_seconds{route="/pay"}'])
    aggregate: Aggregate
    step_seconds: float = Field(examples=[300.0])
    samples: list[tuple[float, float | None]] = Field(
        description="(begin of the step in Unix seconds, figure); steps without a sample are left out.",
        examples=[[[1763632800.0, 0.18], [1763633100.0, 0.21]]],
    )


class StateOut(BaseModel):
    """The agent's state after a request."""

    state: str = Field(examples=["paused"])
    actor: str = Field(description="Who asked.", examples=["alice"])


class PausedOut(StateOut):
    """The agent's state after it was paused."""

    taken_back: list[ActionId] = Field([], description="What was under way and is undone, or waited and is withdrawn.")


class ReloadOut(StateOut):
    """What a reload came to. The agent goes on with the new settings within seconds, maybe on another port."""

    changes: list[str] = Field(description="Which settings changed; where none did, nothing happens.", examples=[["goals"]])


class AliveOut(BaseModel):
    """The process answers."""

    status: str = Field(examples=["alive"])
    proof: str | None = Field(
        None,
        description="To a challenge: HMAC-SHA256 of it and of the address that was reached, by the data folder's secret.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )


class ReadyOut(BaseModel):
    """The loop turns."""

    ready: bool = Field(examples=[True])
    reason: str


class FieldProblem(BaseModel):
    """One mistake in a request."""

    where: str = Field(examples=["body.approved"])
    message: str = Field(examples=["Input should be a valid boolean"])


class Problem(BaseModel):
    """An error (RFC 9457): what happened, and what to do."""

    type: str = Field(json_schema_extra={"format": "uri"}, examples=["urn:trimtab:problem:conflict"])
    title: str = Field(examples=["The request does not fit the state that it meets"])
    status: int = Field(ge=400, le=599, examples=[409])
    detail: str
    instance: str = Field(json_schema_extra={"format": "uri-reference"}, examples=["/agent/action/approve"])
    errors: list[FieldProblem] = Field(default=[], description="Each mistake, where the request had several.")
