"""Which value is tried next: step sizes, ways, memory of what did harm; and the laws that every proposed value obeys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plan.plan_world import (
    GOAL,
    IMPROVED,
    INCONCLUSIVE,
    METRIC,
    NOW,
    STALE,
    WORKERS,
    WORSE,
    goal_state,
    guard,
    lever,
    record,
    situation,
    symptom,
)
from trimtab.domain.actions import ActionState
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Analysis, Goal
from trimtab.domain.levers import LeverKind, LeverSpec, Mode
from trimtab.plan import LeverSearch
from trimtab.plan.steps import Grid, step_from

S = ActionState
FAR, CLOSE = 0.61, 0.25  # p95 against a goal of 0.2: missed by more than twice, and by a quarter
UNKNOWN = replace(WORKERS, moves=())


def proposed(spec=WORKERS, value=1, *, current=FAR, records=(), **rest):
    return LeverSearch().propose(situation(lever(spec, value), current=current, records=tuple(records), **rest))


def values(*args, **kwargs):
    return [a.to_value for a in proposed(*args, **kwargs)]


def undone(start, end, verdict=INCONCLUSIVE, *, at=NOW - 4000, **rest):
    kind = "workers_increase" if end > start else "workers_decrease"
    return record(S.ROLLED_BACK, at=at, from_value=start, to_value=end, verdict=verdict, action_type=kind, **rest)


def kept(start, end, verdict=IMPROVED, *, at=NOW - 4000):
    kind = "workers_increase" if end > start else "workers_decrease"
    return record(S.KEPT, at=at, from_value=start, to_value=end, verdict=verdict, action_type=kind)


def test_a_proposal_is_complete_and_says_what_it_is_for():
    (action,) = proposed()
    assert action.description == "raise checkout/workers from 1 to 3 to bring checkout_p95_seconds 0.61 s down to 0.2 s"
    assert (action.action_id, action.action_type) == ("workers_increase_100000", "workers_increase")
    assert (action.goal_id, action.metric_name) == (GOAL.goal_id, METRIC)
    assert action.trigger_metric_id == f"checkout/{METRIC}"
    assert action.locks == {"checkout"}
    assert (action.risk_level, action.expected_improvement, action.success_probability) == (0.3, 0.1, 0.5)


WIDE = replace(WORKERS, bounds=(0, 100))
STEPS = {
    # current, value, records, guard → next
    "missed-a-little": (WIDE, 50, CLOSE, (), 0.001, [55]),
    "missed-by-far": (WIDE, 50, FAR, (), 0.001, [63]),  # 12.5 rounds up
    "far-but-a-guard-is-near": (WIDE, 50, FAR, (), 0.0085, [55]),
    "guard-broken-already": (WIDE, 50, FAR, (), 0.5, [55]),
    "never-under-one-step": (replace(WIDE, step=20), 40, CLOSE, (), 0.001, [60]),
    "helped-and-still-far": (WIDE, 20, FAR, (kept(0, 20),), 0.001, [60]),
    "helped-and-now-close": (WIDE, 20, CLOSE, (kept(0, 20),), 0.001, [38]),  # 20 gave 30 %: a quarter more takes 18
    "helped-but-a-guard-is-near": (WIDE, 20, FAR, (kept(0, 20),), 0.009, [25]),
    "too-small-to-see": (WIDE, 10, CLOSE, (undone(10, 20),), 0.001, [30]),
    "too-small-twice": (WIDE, 10, CLOSE, (undone(10, 20, at=NOW - 9000), undone(10, 30)), 0.001, [50]),
    "at-most-half-the-range": (WIDE, 0, CLOSE, (undone(0, 40),), 0.001, [50]),
    "clamped": (WIDE, 97, FAR, (), 0.001, [100]),
    "at-the-bound": (WIDE, 100, FAR, (), 0.001, []),
    "out-of-bounds-by-hand": (WIDE, 140, FAR, (), 0.001, []),
    "below-the-bounds": (replace(WIDE, bounds=(10, 100)), 3, CLOSE, (), 0.001, [10]),
    "off-the-grid": (replace(WIDE, step=10), 34, CLOSE, (), 0.001, [40]),
    "unbounded": (replace(WIDE, bounds=None), 7, CLOSE, (), 0.001, [8]),
    "unbounded-by-far": (replace(WIDE, bounds=None), 7, FAR, (), 0.001, [10]),
    # what did harm
    "breached": (WIDE, 50, FAR, (undone(50, 80, None, guard_breached="guard:x"),), 0.001, [63]),
    "breached-nearby": (WIDE, 50, FAR, (undone(50, 60, None, guard_breached="guard:x"),), 0.001, [55]),
    "worse-nearby": (WIDE, 50, FAR, (undone(50, 60, WORSE),), 0.001, [55]),
    "worse-next-door": (WIDE, 50, FAR, (undone(50, 51, WORSE),), 0.001, []),
    "already-beyond-the-harm": (WIDE, 70, FAR, (undone(50, 60, WORSE),), 0.001, []),
    "the-nearest-harm-counts": (WIDE, 50, FAR, (undone(50, 54, WORSE), undone(50, 80, WORSE)), 0.001, [52]),
    "lever-being-moved": (WIDE, 50, FAR, (record(S.ROLLING_BACK, from_value=50, to_value=60, guard_breached="g"),), 0.001, []),
    "harm-forgotten": (WIDE, 50, FAR, (undone(50, 51, WORSE, at=NOW - 86_401),), 0.001, [63]),
    "harm-for-another-goal": (WIDE, 50, FAR, (undone(50, 51, WORSE, goal_id="goal:cost"),), 0.001, []),
    "harm-the-other-way": (WIDE, 50, FAR, (undone(60, 50, WORSE),), 0.001, [63]),
    "simulated-harm-is-none": (WIDE, 50, FAR, (undone(50, 51, WORSE, simulated=True),), 0.001, [63]),
    # floats
    "float": (
        LeverSpec("ratio", "checkout", LeverKind.FLOAT, (0.0, 1.0), 0.1, moves=((METRIC, "down"),)),
        0.2,
        CLOSE,
        (),
        0.0,
        [0.3],
    ),
    "float-down": (
        LeverSpec("r", "checkout", LeverKind.FLOAT, (0.0, 1.0), 0.1, moves=((METRIC, "up"),)),
        0.3,
        FAR,
        (),
        0.0,
        [0.2],
    ),
}


@pytest.mark.parametrize(("spec", "value", "current", "records", "error_ratio", "expected"), STEPS.values(), ids=STEPS)
def test_the_next_value(spec, value, current, records, error_ratio, expected):
    assert values(spec, value, current=current, records=records, guards=(guard(error_ratio),)) == expected


@pytest.mark.parametrize(("locks", "expected"), [({"db"}, 55), ({"cache"}, 63)], ids=["depends on it", "does not"])
def test_a_guard_is_near_also_where_it_watches_what_the_lever_depends_on(locks, expected):
    spec = replace(WIDE, locks=frozenset(locks))
    assert values(spec, 50, guards=(replace(guard(0.0085), element="db"),)) == [expected]


WAYS = {
    "up-first": ((), 55),
    "down-after-up-failed": ((undone(50, 55),), 45),
    "down-after-up-did-harm": ((undone(50, 55, WORSE),), 45),
    "up-again-larger-after-both": ((undone(50, 55, at=NOW - 9000), undone(50, 45)), 60),
    "down-again-larger-after-both": ((undone(50, 45, at=NOW - 9000), undone(50, 55)), 40),
    "what-helped-goes-on": ((kept(55, 50),), 45),
    "what-helped-beats-untried": ((kept(45, 50),), 55),
    "up-forgiven-after-a-day": ((undone(50, 55, at=NOW - 90_000),), 55),
    "a-lever-out-of-reach-says-nothing": ((record(S.FAILED, from_value=50, to_value=55, acknowledged=False, at=NOW - 4000),), 55),
    "another-goals-trial-says-nothing": ((undone(50, 55, goal_id="goal:other"),), 55),
}


@pytest.mark.parametrize(("records", "expected"), WAYS.values(), ids=WAYS)
def test_the_way_where_none_is_declared(records, expected):
    spec = replace(UNKNOWN, bounds=(0, 100))
    assert values(spec, 50, current=CLOSE, records=records) == [expected]


@pytest.mark.parametrize(
    ("declared", "direction", "expected"),
    [
        ("down", Direction.MINIMIZE, 55),
        ("up", Direction.MINIMIZE, 45),
        ("up", Direction.MAXIMIZE, 55),
        ("down", Direction.MAXIMIZE, 45),
        ("unknown", Direction.MAXIMIZE, 55),
    ],
)
def test_the_declared_way(declared, direction, expected):
    goal = Goal(METRIC, 10.0, direction)
    state = goal_state(12.0 if direction is Direction.MINIMIZE else 9.0, goal)
    spec = replace(WORKERS, bounds=(0, 100), moves=((METRIC, declared),))
    world = replace(situation(lever(spec, 50)), analysis=Analysis(NOW, (state,), (), (symptom(goal),)))
    assert [a.to_value for a in LeverSearch().propose(world)] == [expected]


LRU = LeverSpec("policy", "checkout", LeverKind.CHOICE, choices=("fifo", "lru", "lfu", "arc"))
FLAG = LeverSpec("turbo", "checkout", LeverKind.BOOLEAN)


def chosen(to, verdict=INCONCLUSIVE, at=NOW - 4000, **rest):
    return record(
        S.ROLLED_BACK, at=at, lever="policy", action_type="policy_set", from_value="lru", to_value=to, verdict=verdict, **rest
    )


@pytest.mark.parametrize(
    ("spec", "value", "records", "expected"),
    [
        (LRU, "lru", (), ["lfu"]),
        (LRU, "lru", (chosen("lfu"),), ["fifo"]),
        (LRU, "lru", (chosen("lfu"), chosen("fifo")), ["arc"]),
        (LRU, "lru", (chosen("lfu", at=NOW - 5000), chosen("fifo"), chosen("arc")), ["lfu"]),
        (LRU, "lru", tuple(chosen(c, WORSE) for c in ("lfu", "fifo", "arc")), []),
        (LRU, "something else", (), ["fifo"]),
        (replace(LRU, moves=((METRIC, "up"),)), "lru", (), ["fifo"]),
        (replace(LRU, moves=((METRIC, "up"),)), "fifo", (), []),
        (FLAG, False, (), [True]),
        (FLAG, True, (), [False]),
    ],
    ids=["next", "untried", "farther", "oldest-failure", "all-harmful", "undeclared", "declared-way", "end", "on", "off"],
)
def test_choices_and_switches(spec, value, records, expected):
    proposals = proposed(spec, value, records=records)
    assert [a.to_value for a in proposals] == expected
    assert all(a.action_type == f"{spec.name}_set" and a.description.startswith("set checkout/") for a in proposals)


NOTHING = {
    "goal-met": situation(current=0.1),
    "goal-on-hold": situation(trust=STALE),
    "lever-unread": situation(lever(value=None)),
    "regulated": situation(lever(replace(WORKERS, mode=Mode.REGULATED))),
    "other-element": situation(lever(LeverSpec("depth", "search", bounds=(0, 9)))),
    "other-symptom": situation(symptoms=(symptom(kind="anomaly"),)),
    "symptom-of-no-goal": situation(symptoms=(symptom(goal_id=None),)),
}


@pytest.mark.parametrize("world", NOTHING.values(), ids=NOTHING)
def test_nothing_to_propose(world):
    assert LeverSearch().propose(world) == []


def test_a_lever_elsewhere_that_declares_the_metric_is_tried_too():
    pool = LeverSpec("pool", "db", bounds=(1, 20), moves=((METRIC, "down"),))
    assert [a.lever_id for a in LeverSearch().propose(situation(lever(), lever(pool, 5)))] == ["checkout/workers", "db/pool"]


steps = st.sampled_from([0.001, 0.01, 0.1, 0.25, 1.0, 3.0, 10.0])
specs = st.builds(
    lambda kind, low, count, step: LeverSpec("x", "e", kind, (low, low + count * max(step, 1.0)), step),
    st.sampled_from([LeverKind.INTEGER, LeverKind.FLOAT]),
    st.integers(-50, 50).map(float),
    st.floats(1.0, 60.0).map(lambda x: round(x, 2)),
    steps,
)


@settings(max_examples=50)
@given(specs, st.floats(-0.2, 1.2), st.sampled_from([1, -1]), st.floats(0.0, 0.6), st.none() | st.floats(0.0, 1.0))
def test_a_step_obeys_bounds_grid_way_and_harm(spec, where, way, share, harm):
    low, high = spec.bounds
    current = low + where * (high - low)
    current = round(current) if spec.kind is LeverKind.INTEGER else current
    unsafe = None if harm is None else low + harm * (high - low)
    value = step_from(spec, current, way, share * (high - low), unsafe)
    assume(value is not None)
    assert spec.allows(value)
    assert isinstance(value, int) == (spec.kind is LeverKind.INTEGER)
    assert (value - current) * way > 0
    position = Grid.of(spec).position(value)
    assert position == pytest.approx(round(position), abs=1e-6)
    assert unsafe is None or (unsafe - value) * way > 0


@given(specs, st.integers(0, 1000))
def test_small_steps_reach_the_end_of_the_range_and_stop(spec, start):
    grid = Grid.of(spec)
    value = grid.value(min(start, grid.last))
    for _ in range(grid.last + 2):
        further = step_from(spec, float(value), 1, spec.step)
        if further is None:
            break
        value = further
    assert value == grid.value(grid.last)


def test_where_a_way_helped_the_other_way_is_not_tried():
    """Up was credited, the next step up came to nothing: down would only take back what helped."""
    after = (kept(0, 20), undone(20, 25, at=NOW - 3000))
    assert values(replace(WIDE, moves=()), 20, current=CLOSE, records=after) == [30]


def test_where_the_way_that_helped_went_too_far_the_other_way_is_open_again():
    overshot = (kept(0, 20), undone(20, 25, WORSE, at=NOW - 3000))
    assert values(replace(WIDE, moves=()), 20, current=CLOSE, records=overshot) == [15]


SIZES = LeverSpec("size", "checkout", LeverKind.CHOICE, choices=("small", "medium", "large", "huge"))


def chosen(state, start, end, verdict, at):
    kind = f"{SIZES.name}_set"
    return record(state, at=at, lever=SIZES.name, from_value=start, to_value=end, verdict=verdict, action_type=kind)


@pytest.mark.parametrize(
    ("start", "end", "next_one"), [("small", "medium", "large"), ("large", "medium", "small")], ids=["up helped", "down helped"]
)
def test_choices_go_on_the_way_that_helped(start, end, next_one):
    records = (chosen(S.KEPT, start, end, IMPROVED, NOW - 4000),)
    assert values(SIZES, end, records=records) == [next_one]


def test_a_choice_that_seemed_to_help_is_tried_again_before_the_others():
    seemed = replace(INCONCLUSIVE, effect=0.4, low=-0.1, high=0.6)
    records = (chosen(S.ROLLED_BACK, "medium", "huge", seemed, NOW - 4000),)
    assert values(SIZES, "medium", records=records) == ["huge"]
    records = (chosen(S.ROLLED_BACK, "medium", "huge", replace(seemed, futile=True), NOW - 4000),)
    assert values(SIZES, "medium", records=records) == ["large"]
