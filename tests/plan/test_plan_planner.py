"""The whole plan: its order, its one sentence, its purity."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest

from plan.plan_world import (
    COLD,
    GOAL,
    GOOD,
    IMPROVED,
    INCONCLUSIVE,
    METRIC,
    NOW,
    STALE,
    WORKERS,
    WORSE,
    Believing,
    Proposing,
    action,
    goal_state,
    lever,
    record,
    situation,
    symptom,
)
from trimtab.domain.actions import ActionState, Choice
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Analysis, Goal
from trimtab.domain.levers import ActionPriority, Autonomy, LeverSpec
from trimtab.plan import LeverSearch, PlanSettings, make_plan

S = ActionState


def planned(world, beliefs=None, *, optimizers=None, **settings):
    return make_plan(world, optimizers or [LeverSearch()], beliefs or Believing(), PlanSettings(**settings))


def test_a_missed_goal_and_a_lever_become_an_action():
    plan = planned(situation())
    assert [(a.lever_id, a.to_value, d.choice) for a, d in plan.decided] == [("checkout/workers", 3, Choice.ACT)]
    assert plan.changes == (plan.decided[0][0],)
    assert plan.sentence.startswith(
        "Acting: raise checkout/workers from 1 to 3 to bring checkout_p95_seconds 0.61 s down to 0.2 s"
    )
    assert plan.at == NOW


def test_settings_have_the_documented_defaults():
    assert make_plan(situation(), [LeverSearch()], Believing()).decided == planned(situation()).decided


COST = Goal("monthly_cost", 75.0, Direction.MINIMIZE)
SENTENCES = {
    "goal-met": (situation(current=0.12), "No action: checkout_p95_seconds 0.12 s meets its goal of 0.2 s"),
    "cooldown": (situation(records=(record(at=NOW - 260),)), "No action: cool-down of checkout/workers, 40 s left"),
    "hold": (situation(trust=STALE), "No action. HOLD: checkout_p95_seconds is stale: the last sample is 95 s old"),
    "hold-in-words": (situation(trust=STALE, holds=("p95 went silent",)), "No action. HOLD: p95 went silent"),
    "store-lost": (situation(trouble="HOLD: the journal cannot be written"), "No action. HOLD: the journal cannot be written"),
    "paused": (situation(paused=True), "No action: paused: nothing new starts until a person resumes"),
    "paused-and-met": (situation(current=0.1, paused=True), "No action: paused: nothing new starts until a person resumes"),
    "under-way": (
        situation(records=(record(S.SETTLING, at=NOW - 5),)),
        "No action: checkout/workers 1 → 3 is under way (settling)",
    ),
    "exhausted": (
        situation(lever(value=16)),
        "No action: checkout_p95_seconds 0.61 s misses its goal of 0.2 s, and nothing is left to try on checkout/workers",
    ),
    "no-lever": (
        replace(situation(), levers={}),
        "No action: checkout_p95_seconds 0.61 s misses its goal of 0.2 s, and checkout has no lever to try",
    ),
    "lever-unread": (
        situation(lever(value=None, trust=STALE)),
        "No action: checkout_p95_seconds 0.61 s misses its goal of 0.2 s, "
        "checkout/workers cannot be trusted: is stale: the last sample is 95 s old",
    ),
    "no-symptom-yet": (
        situation(symptoms=()),
        "No action: checkout_p95_seconds 0.61 s misses its goal of 0.2 s, not yet for long enough to be a symptom",
    ),
    "no-goal": (replace(situation(), analysis=Analysis(NOW)), "No action: no goal is set"),
    "observe": (
        situation(lever(replace(WORKERS, autonomy=Autonomy.OBSERVE))),
        "No action: checkout/workers 1 → 3: its lever is only watched: autonomy observe",
    ),
    "failed-just-now": (
        situation(records=(record(S.ROLLED_BACK, at=NOW - 100, verdict=None),)),
        "No action: cool-down of checkout/workers, 200 s left",
    ),
    "three-goals": (
        replace(
            situation(),
            analysis=Analysis(NOW, (goal_state(0.1), goal_state(60.0, COST), goal_state(0.15, element="search"))),
        ),
        "No action: checkout_p95_seconds 0.1 s meets its goal of 0.2 s, monthly_cost 60 meets its goal of 75 and 1 more",
    ),
}


@pytest.mark.parametrize(("world", "expected"), SENTENCES.values(), ids=SENTENCES)
def test_the_sentence_when_nothing_is_done(world, expected):
    plan = planned(world)
    assert plan.sentence == expected
    assert plan.changes == ()


def test_asking_says_so():
    plan = planned(situation(lever(replace(WORKERS, risk_level=0.5))))
    assert plan.sentence.startswith("Asking: raise checkout/workers from 1 to 3") and "unproven" in plan.sentence


def test_what_is_not_trusted_is_said_beside_an_action():
    plan = planned(situation(holds=("search_p95_seconds is stale",)))
    assert plan.sentence.startswith("Acting: raise") and plan.sentence.endswith("HOLD: search_p95_seconds is stale")


def test_ids_are_new_even_within_one_second():
    world = situation(lever(), lever(replace(WORKERS, element="db")), records=(record(action_id="workers_increase_100000"),))
    ids = [a.action_id for a, _ in planned(world).decided]
    assert sorted(ids) == ["workers_increase_100000_2", "workers_increase_100000_3"]


class Broken:
    def propose(self, situation):
        raise KeyError("cpu")


def test_a_broken_optimizer_stops_nobody_else_and_is_named():
    plan = planned(situation(), optimizers=[Broken(), LeverSearch()])
    assert len(plan.changes) == 1
    assert plan.sentence.endswith("Broken could not propose anything: KeyError: 'cpu'")


def on(name, **changes):
    return action(action_id=name, action_type=f"{name}_set", lever=name, from_value=1, to_value=3, **changes)


def belief(improvement=0.1, p_success=0.5):
    return replace(COLD, improvement=improvement, p_success=p_success)


ORDERS = {
    "priority": (
        [on("a", priority=ActionPriority.LOW, expected_improvement=0.9), on("b", priority=ActionPriority.HIGH)],
        {},
        "ba",
    ),
    "believed-improvement": ([on("a"), on("b")], {"b_set": belief(0.3)}, "ba"),
    "what-did-nothing-steps-back": ([on("a"), on("b")], {"a_set": belief(0.05)}, "ba"),
    "lower-risk": ([on("a", risk_level=0.3), on("b", risk_level=0.2)], {}, "ba"),
    "past-success": ([on("a"), on("b")], {"b_set": belief(0.1, 0.7)}, "ba"),
    "declared-effect": ([on("a"), on("known")], {}, "ka"),
    "name": ([on("b"), on("a")], {}, "ab"),
}


@pytest.mark.parametrize(("proposals", "known", "expected"), ORDERS.values(), ids=ORDERS)
def test_order(proposals, known, expected):
    specs = [
        LeverSpec(name, "checkout", bounds=(0, 9), moves=((METRIC, "down"),) if name == "known" else ())
        for name in ("a", "b", "known")
    ]
    plan = planned(situation(*(lever(s, 1) for s in specs)), Believing(COLD, **known), optimizers=[Proposing(*proposals)])
    assert "".join(a.lever[0] for a, _ in plan.decided) == expected


def at_noop_levers(*records):
    spec = LeverSpec("b", "checkout", bounds=(0, 9))
    world = situation(lever(spec, 5), lever(replace(spec, name="a"), 5), records=records)
    return [a.action_type for a, _ in planned(world).decided]


def test_a_lever_that_came_to_nothing_one_way_steps_behind_one_not_yet_tried():
    failed = record(
        S.ROLLED_BACK, at=NOW - 4000, verdict=INCONCLUSIVE, lever="a", action_type="a_increase", from_value=5, to_value=7
    )
    assert at_noop_levers() == ["a_increase", "b_increase"]
    assert at_noop_levers(failed) == ["b_increase", "a_decrease"]


def test_a_lever_that_seemed_to_help_and_could_not_be_proven_goes_first_again():
    seemed = replace(INCONCLUSIVE, effect=0.4, low=-0.1, high=0.6)
    tried = record(S.ROLLED_BACK, at=NOW - 4000, verdict=seemed, lever="b", action_type="b_increase", from_value=5, to_value=7)
    assert at_noop_levers(tried) == ["b_increase", "a_increase"]
    assert at_noop_levers(replace(tried, verdict=replace(seemed, futile=True)))[0] == "a_increase"
    assert at_noop_levers(replace(tried, verdict=replace(seemed, effect=0.02)))[0] == "a_increase"
    assert at_noop_levers(replace(tried, verdict=replace(seemed, effect=0.12, low=-0.5)))[0] == "a_increase"


def test_where_one_way_made_it_worse_the_other_goes_first():
    worse = record(S.ROLLED_BACK, at=NOW - 4000, verdict=WORSE, lever="b", action_type="b_increase", from_value=5, to_value=7)
    assert at_noop_levers(worse) == ["b_decrease", "a_increase"]


def test_one_exploration_at_a_time_then_the_next_lever():
    cache = LeverSpec("cache", "checkout", bounds=(0, 100))
    world = situation(lever(), lever(cache, 10))
    first = planned(world)
    assert [(a.lever, d.choice.value) for a, d in first.decided] == [("workers", "act"), ("cache", "wait")]
    tried = record(S.ROLLED_BACK, at=NOW - 301, verdict=INCONCLUSIVE)
    disappointed = Believing(
        COLD, workers_increase=replace(COLD, improvement=0.067, p_success=0.33, trials=1, consecutive_failures=1)
    )
    then = planned(replace(world, records=(tried,)), disappointed)
    assert [(a.lever, d.choice.value) for a, d in then.decided] == [("cache", "act"), ("workers", "wait")]


def test_a_climb_goes_on_while_the_goal_is_missed_by_far():
    """Each step verified: 1 → 3, then twice as far, until the goal is close."""
    value, records, seen = 1, [], []
    for turn, current in enumerate((2.0, 1.4, 0.9, 0.25)):
        now = NOW + 1000.0 * turn
        world = replace(situation(lever(value=value), current=current), now=now, records=tuple(records))
        ((proposal, decision),) = planned(world, Believing(GOOD if turn else COLD)).decided
        assert decision.choice is Choice.ACT
        seen.append(proposal.to_value)
        verdict = IMPROVED
        records.append(replace(record(S.KEPT, at=now, verdict=verdict), action=proposal))
        value = proposal.to_value
    assert seen == [3, 7, 15, 16]


def test_the_same_situation_yields_an_equal_plan_also_after_pickling():
    world = situation(lever(), lever(LeverSpec("cache", "checkout", bounds=(0, 100)), 10), records=(record(S.ROLLED_BACK),))
    plan = planned(world)
    assert planned(copy.deepcopy(world)) == plan == planned(pickle.loads(pickle.dumps(world)))
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_two_missed_goals_share_a_lever_once():
    throughput = Goal("checkout_requests_per_second", 100.0, Direction.MAXIMIZE)
    analysis = Analysis(NOW, (goal_state(), goal_state(50.0, throughput)), (), (symptom(), symptom(throughput)))
    plan = planned(replace(situation(), analysis=analysis))
    assert sorted(d.choice.value for _, d in plan.decided) == ["act", "wait"]
    assert len({a.action_id for a, _ in plan.decided}) == 2
    assert {a.goal_id for a, _ in plan.decided} == {GOAL.goal_id, throughput.goal_id}
