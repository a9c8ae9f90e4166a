"""What both policies may and may not do, whatever they see; and the reactive rule, case by case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan.regulation_world import DIMMER, ERRORS, GOOD, SERVERS, guard_state, view
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, Guard
from trimtab.domain.levers import Autonomy, LeverKind
from trimtab.domain.metrics import Health, Trust
from trimtab.domain.regulation import Move
from trimtab.domain.situation import LeverState
from trimtab.plan.regulation import Predictive, Reactive, policy_of
from trimtab.plan.regulation.knobs import Knob, guarded, helping, knobs_of
from trimtab.plan.regulation.past import load_risen

POLICIES = [Reactive, Predictive]
CALM, BUSY = [0.11] * 12, [0.11] * 11 + [3.0]
LOAD = [20.0, 21.0, 19.0, 20.0] * 3

waits = st.lists(st.floats(0.0, 50.0) | st.just(float("nan")), min_size=1, max_size=25)


@pytest.mark.parametrize("policy", POLICIES)
@given(wait=waits, servers=st.integers(1, 6), dim=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), data=st.data())
@settings(max_examples=40, deadline=None)
def test_moves_are_lawful_whatever_is_seen(policy, wait, servers, dim, data):
    load = data.draw(st.lists(st.floats(0.0, 500.0), min_size=len(wait), max_size=len(wait)))
    seen = view(wait, load, levers=((SERVERS, servers), (DIMMER, dim)))
    moves = policy().next(seen)
    assert moves == policy().next(seen)
    assert len({move.lever_id for move in moves}) == len(moves)
    for move in moves:
        state = seen.levers[move.lever_id]
        assert state.spec.allows(move.to_value)
        assert type(move.to_value) is type(state.value)
        assert move.from_value == state.value != move.to_value
        steps = (move.to_value - move.from_value) / state.spec.step
        assert steps == pytest.approx(round(steps))
        assert move.at == seen.now
        assert move.reason


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(view([*BUSY[:-1], float("nan")], LOAD), id="the goal's newest sample is no number"),
        pytest.param(replace(view(BUSY, LOAD), metrics={}), id="no metrics"),
        pytest.param(replace(view(BUSY, LOAD), levers={}), id="no levers"),
        pytest.param(replace(view(BUSY, LOAD), goals=()), id="no goals"),
        pytest.param(view(BUSY, LOAD, moves=[Move("web/servers", 2, 3, 720.0, "")]), id="nothing seen since the last move"),
        pytest.param(view(BUSY, LOAD, levers=((replace(SERVERS, autonomy=Autonomy.OBSERVE), 3),)), id="only observed"),
        pytest.param(
            view(BUSY, LOAD, levers=((replace(SERVERS, kind=LeverKind.CHOICE, choices=("a", "b")), "a"),)), id="no scale"
        ),
        pytest.param(view(BUSY, LOAD, levers=((SERVERS, 9),)), id="out of bounds"),
        pytest.param(view(BUSY, LOAD, levers=((SERVERS, 6), (DIMMER, 0.0))), id="all help is given"),
    ],
)
def test_nothing_is_moved(policy, seen):
    assert policy().next(seen) == ()


def test_a_load_that_cannot_be_seen_is_not_followed():
    assert Predictive().next(view(BUSY, [*LOAD[:-1], float("nan")])) == ()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_lever_that_may_not_be_touched_is_not(policy):
    seen = view(BUSY, LOAD)
    for change in ({"frozen": "a rollback failed"}, {"trust": Trust(Health.STALE)}, {"value": None}):
        state = replace(seen.levers["web/servers"], **change)
        moves = policy().next(replace(seen, levers={**seen.levers, "web/servers": state}))
        assert [move.lever_id for move in moves] == ["web/dimmer"]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_missed_goal_is_helped_at_once(policy):
    assert policy().next(view(BUSY, [*LOAD[:-1], 60.0]))


def test_the_reactive_policy_uses_levers_in_order_and_relaxes_in_reverse():
    def names(seen):
        return [(move.lever_id, move.to_value) for move in Reactive().next(seen)]

    assert names(view([0.1] * 5 + [1.5])) == [("web/servers", 4)]
    assert names(view([0.1] * 5 + [2.5])) == [("web/servers", 5)]
    assert names(view([0.1] * 5 + [1.5], levers=((SERVERS, 6), (DIMMER, 1.0)))) == [("web/dimmer", 0.75)]
    assert names(view([0.1] * 6, levers=((SERVERS, 6), (DIMMER, 0.5)))) == [("web/dimmer", 0.75)]
    assert names(view([0.1] * 6, levers=((SERVERS, 6), (DIMMER, 1.0)))) == [("web/servers", 5)]
    assert names(view([0.1] * 5 + [0.8])) == []


def test_the_reactive_policy_waits_for_what_is_on_its_way_and_helps_with_the_next_lever():
    slow = replace(SERVERS, settle_seconds=300.0)
    seen = view([1.5] * 6, moves=[Move("web/servers", 2, 3, 290.0, "")], levers=((slow, 3), (DIMMER, 1.0)))
    assert [move.lever_id for move in Reactive().next(seen)] == ["web/dimmer"]


def test_what_went_back_and_forth_is_relaxed_later():
    made = [Move("web/servers", 3, 4, 60.0, ""), Move("web/servers", 4, 3, 120.0, ""), Move("web/servers", 3, 4, 180.0, "")]
    assert Reactive().next(view([0.1] * 9, moves=made[:1]))
    assert not Reactive().next(view([0.1] * 9, moves=made))
    assert Reactive().next(view([0.1] * 40, moves=made))


@pytest.mark.parametrize("policy", POLICIES)
def test_no_lever_goes_further_towards_a_guard_that_is_near(policy):
    """More servers raise the errors here, and they are close to what is allowed."""
    servers = replace(SERVERS, moves=(*SERVERS.moves, ("web_error_ratio", "up")))
    seen = view(BUSY, [*LOAD[:-1], 60.0], guards=[guard_state(ERRORS, 0.0095)], levers=((servers, 3), (DIMMER, 1.0)))
    assert "web/servers" not in [move.lever_id for move in policy().next(seen)]
    calm = replace(seen, guards=(guard_state(ERRORS, 0.001),))
    assert "web/servers" in [move.lever_id for move in policy().next(calm)]


@pytest.mark.parametrize(
    ("moves", "guard", "value", "closed"),
    [
        pytest.param("up", ERRORS, 0.02, {1}, id="raising makes it worse"),
        pytest.param("down", ERRORS, 0.02, {-1}, id="lowering makes it worse"),
        pytest.param("unknown", ERRORS, 0.02, {-1}, id="unknown: only help"),
        pytest.param("up", ERRORS, 0.001, set(), id="far away"),
        pytest.param("up", ERRORS, None, {1, -1}, id="cannot be judged"),
        pytest.param("up", Guard("web_error_ratio", min=10.0, element="web"), 10.2, {-1}, id="a lower limit"),
    ],
)
def test_which_ways_a_guard_closes(moves, guard, value, closed):
    knob = Knob(replace(SERVERS, moves=(("web_error_ratio", moves),)), 3.0, help=1)
    assert guarded(knob, [guard_state(guard, value)]) == closed


@pytest.mark.parametrize(
    ("spec", "way"),
    [
        pytest.param(SERVERS, 1, id="declared to take it down"),
        pytest.param(DIMMER, -1, id="declared to take it up"),
        pytest.param(replace(DIMMER, moves=(), worth_per_request=0.5), -1, id="what brings in money costs capacity"),
        pytest.param(replace(DIMMER, moves=(), cost_per_second=1.0), 1, id="what costs money is good for something"),
        pytest.param(replace(SERVERS, moves=()), 1, id="a count is capacity"),
        pytest.param(replace(DIMMER, moves=()), 0, id="nobody knows"),
    ],
)
def test_which_way_helps(spec, way):
    assert helping(spec, view(CALM)) == way


def test_a_goal_to_be_held_above_its_target_is_helped_the_other_way():
    goal = Goal("web_hit_ratio", 0.9, Direction.MAXIMIZE)
    seen = view(CALM, web_hit_ratio=[0.95] * 11 + [0.5])
    states = (replace(seen.goals[0], goal=goal, current=0.5, latest=0.5),)
    entries = replace(SERVERS, name="entries", moves=(("web_hit_ratio", "up"),))
    state = LeverState(entries, 3, GOOD, seen.now)
    seen = replace(seen, goals=states, levers={"web/entries": state})
    assert [move.to_value for move in Reactive().next(seen)] == [4]


def test_positions_are_few_and_hold_both_ends():
    knob = Knob(replace(SERVERS, bounds=(1, 500)), 40.0, help=1)
    positions = knob.positions()
    assert positions.size <= 9
    assert {1.0, 39.0, 40.0, 41.0, 500.0} <= set(positions.tolist())
    assert (np.diff(positions) > 0).all()


def test_policies_go_by_name():
    assert isinstance(policy_of("reactive"), Reactive)
    assert isinstance(policy_of("predictive"), Predictive)
    with pytest.raises(KeyError):
        policy_of("hold")


def test_knobs_keep_the_order_of_the_configuration():
    assert [knob.spec.name for knob in knobs_of(view(CALM))] == ["servers", "dimmer"]


@pytest.mark.parametrize(
    ("load", "risen"),
    [
        ([20.0] * 12 + [45.0] * 5, True),
        ([20.0] * 12 + [20.0, 45.0, 20.0, 20.0, 20.0], True),
        ([20.0] * 12 + [21.0] * 5, False),
        ([45.0] * 3 + [20.0] * 9 + [45.0] * 5, False),
        ([20.0] * 12 + [45.0] * 2, False),
        (None, False),
    ],
    ids=["a jump", "a spike of which nobody knew", "noise", "as high as once before", "too few to say", "no load to be seen"],
)
def test_whether_load_is_past_what_was_before(load, risen):
    seen = view([0.1] * (17 if load is None else len(load)), load)
    assert load_risen(seen, 12.5 * 60.0) is risen
