"""The predictive policy on a queue: what it learns, and how it follows load."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from plan.regulation_world import DIMMER, SERVERS, Queue, run, view
from trimtab.domain.regulation import Move
from trimtab.plan.regulation import Predictive, Reactive
from trimtab.plan.regulation.costs import declared_prices, missed_rows, prices_of
from trimtab.plan.regulation.forecast import ways
from trimtab.plan.regulation.knobs import knobs_of
from trimtab.plan.regulation.model import learn
from trimtab.plan.regulation.past import felt, past_of, track


def wave(t):
    return 22.0 - 18.0 * np.cos(2.0 * np.pi * t / 5400.0)


def square(t):
    return 12.0 if t % 3600.0 < 1800.0 else 36.0


def reversals(moves, lever_id):
    ways_taken = [move.to_value > move.from_value for move in moves if move.lever_id == lever_id]
    return sum(a != b for a, b in pairwise(ways_taken))


def test_it_follows_a_wave_with_few_moves_and_fewer_misses_than_standing_still():
    _, waits, stood, moves = run(Predictive(), Queue(wave, servers=3), minutes=80, specs=(SERVERS,))
    _, still, _, _ = run(Predictive(), Queue(wave, servers=3, helps=True), minutes=80, specs=())
    servers = np.array([values["servers"] for values in stood])
    assert (waits > 1.0).mean() < (still > 1.0).mean() / 3.0
    assert servers.mean() < 5.0
    assert reversals(moves, "web/servers") <= 6


def test_a_square_wave_is_followed_without_chasing_its_noise():
    _, _, stood, moves = run(Predictive(), Queue(square, servers=3, boot=60.0), minutes=75, specs=(SERVERS,))
    servers = np.array([values["servers"] for values in stood])
    assert servers[45:60].mean() > servers[15:30].mean()
    assert reversals(moves, "web/servers") <= 8  # two edges


def test_where_nothing_helps_it_does_not_swing():
    _, _, _, moves = run(Predictive(), Queue(lambda t: 20.0, helps=False), minutes=40, specs=(SERVERS,))
    assert reversals(moves, "web/servers") <= 4


def test_it_learns_capacity_and_lead_time():
    queue = Queue(wave, servers=6, boot=180.0)
    made, waits, rates = [], [], []
    for minute in range(90):
        wanted = 2 if minute < 15 else 5 if minute < 60 else 3
        if wanted != queue.levers["servers"]:
            made.append(Move("web/servers", queue.levers["servers"], wanted, queue.now, ""))
            queue.set("servers", wanted)
        rate, wait = queue.step()
        rates.append(rate)
        waits.append(wait)
    seen = view(waits, rates, moves=made, levers=((SERVERS, 3), (DIMMER, 1.0)))
    past, knobs = past_of(seen), knobs_of(seen)
    belief = learn(past, knobs, seen.moves, missed_rows(past, knobs, seen.moves))
    three = 1.0 / (belief.theta * belief.factor(0, knobs[0], np.array([3.0]))[:, 0])
    assert np.median(three) == pytest.approx(30.0, rel=0.2)
    assert 90.0 <= np.median(belief.leads[0]) <= 300.0


def test_prices_are_learned_from_a_measured_benefit():
    rng = np.random.default_rng(4)
    load = 20.0 + 5.0 * np.sin(np.arange(40) / 5.0)
    servers = np.where(np.arange(40) < 20, 3.0, 2.0)
    worth = 60.0 * (1.5 * load - 5.0 * servers) + rng.normal(0.0, 5.0, 40)
    made = [Move("web/servers", 3, 2, 1201.0, "")]
    seen = view([0.1] * 40, load, moves=made, levers=((SERVERS, 2), (DIMMER, 1.0)))
    past = replace(past_of(seen), worth=worth)
    knobs = knobs_of(seen)
    prices = prices_of(past, knobs, seen.moves, missed_rows(past, knobs, seen.moves))
    assert prices.fixed[0] + prices.each[0] * 20.0 == pytest.approx(300.0, rel=0.15)
    assert prices.miss > 300.0


def test_without_prices_the_first_lever_is_the_cheaper_one_and_a_miss_costs_more_than_all():
    prices = declared_prices(knobs_of(view([0.1] * 3)), 20.0)
    spans = np.array([5.0, 1.0])
    full = np.abs(prices.fixed) * spans
    assert full[0] < full[1]
    assert prices.miss > full.sum()


def test_help_counts_after_its_lead_time_and_what_is_taken_away_is_gone_at_once():
    moves = [Move("a/x", 1, 3, 60.0, ""), Move("a/x", 3, 2, 300.0, "")]
    when, values = track(moves, "a/x", 2.0)
    times = 60.0 * np.arange(1, 8)
    assert felt(times, 60.0, when, values, 1, 0.0).mean(axis=1).tolist() == [1, 3, 3, 3, 3, 2, 2]
    assert felt(times, 60.0, when, values, 1, 120.0).mean(axis=1).tolist() == [1, 1, 1, 3, 3, 2, 2]


def test_bursts_that_came_before_may_come_again():
    calm, burst = [14.0] * 9, [42.0] * 4
    load = np.array((calm + burst) * 4 + calm)
    foreseen = ways(load, 5)
    assert foreseen.weights.sum() == pytest.approx(1.0)
    assert foreseen.weights @ (foreseen.paths[:, 0] > 25.0) > 0.05
    steady = ways(np.full(60, 14.0), 5)
    assert steady.weights @ (steady.paths[:, 0] > 25.0) < 0.02


def test_a_change_that_stands_out_is_taken_at_its_word_and_may_go_on():
    calm = np.random.default_rng(5).normal(14.0, 0.4, 40)
    foreseen = ways(np.append(calm, 28.0), 5)
    assert foreseen.mean[0] > 25.0
    assert foreseen.weights @ (foreseen.paths[:, 0] > 34.0) > 0.1
    assert foreseen.weights @ (foreseen.paths[:, 0] < 18.0) > 0.05  # or it was for this sample only


def test_jumps_that_went_no_further_before_are_not_expected_to_go_further_now():
    rng = np.random.default_rng(6)
    once = np.append(rng.normal(12.0, 0.3, 40), 40.0)
    often = np.append(np.tile([12.0] * 8 + [40.0] * 4, 4) + rng.normal(0.0, 0.3, 48), [12.0] * 6 + [40.0])
    further = [float(seen.weights @ (seen.paths[:, 0] > 46.0)) for seen in (ways(once, 5), ways(often, 5))]
    assert further[1] < 0.6 * further[0]


def test_a_plateau_is_not_expected_to_rise_by_the_jump_that_led_there():
    rng = np.random.default_rng(7)
    load = np.concatenate([rng.normal(14.0, 0.3, 30), rng.normal(40.0, 0.5, 10)])
    foreseen = ways(load, 5)
    assert foreseen.weights @ (foreseen.paths[:, 3] > 46.0) < 0.03
    assert foreseen.mean[3] == pytest.approx(40.0, abs=1.0)


def test_a_lever_that_acts_at_once_is_known_to_do_so():
    rng, dimmer = np.random.default_rng(8), np.where(np.arange(40) < 30, 1.0, 0.5)
    load = rng.normal(20.0, 0.5, 40)
    used = load * (0.1 + 0.9 * dimmer) / 30.0
    made = [Move("web/dimmer", 1.0, 0.5, 60.0 * 30.0 + 0.1, "")]
    seen = view(
        0.1 * (1.0 + 0.5 * used / (1.0 - used)), load, moves=made, levers=((SERVERS, 3), (DIMMER, 0.5)), web_busy_ratio=used
    )
    past, knobs = past_of(seen), knobs_of(seen)
    belief = learn(past, knobs, seen.moves, missed_rows(past, knobs, seen.moves))
    assert np.median(belief.leads[1]) == 0.0  # though it is declared to settle in 20 s


def test_a_lead_time_that_one_move_has_shown_is_known():
    rng, stood = np.random.default_rng(2), np.where(np.arange(60) < 24, 1.0, 2.0)  # set at 20, serving four samples later
    load = rng.normal(8.0, 0.3, 60)
    used = load / (10.0 * stood)
    made = [Move("web/servers", 1, 2, 60.0 * 20.0 + 1.0, "")]
    seen = view(0.1 * (1.0 + 0.5 * used / (1.0 - used)), load, moves=made, levers=((SERVERS, 2),), web_busy_ratio=used)
    past, knobs = past_of(seen), knobs_of(seen)
    belief = learn(past, knobs, seen.moves, missed_rows(past, knobs, seen.moves))
    assert np.quantile(belief.leads[0], [0.2, 0.8]) == pytest.approx([240.0, 240.0], abs=45.0)


def test_a_utilisation_that_is_told_makes_the_capacity_known():
    load = np.random.default_rng(3).normal(8.0, 0.3, 12)
    seen = view([0.1] * 12, load, web_busy_ratio=load / 30.0)
    past, knobs = past_of(seen), knobs_of(seen)
    spread = {}
    for name, known in (("told", past), ("untold", replace(past, busy=None))):
        belief = learn(known, knobs, (), missed_rows(known, knobs, ()))
        three = 1.0 / (belief.theta * belief.factor(0, knobs[0], np.array([3.0]))[:, 0])
        spread[name] = np.quantile(three, [0.1, 0.5, 0.9])
    assert spread["told"][1] == pytest.approx(30.0, rel=0.15)
    assert np.ptp(np.log(spread["told"])) < 0.6 * np.ptp(np.log(spread["untold"]))


def test_the_longer_the_utilisation_is_as_the_formula_says_the_surer_is_the_capacity():
    rng, spread = np.random.default_rng(9), []
    for samples in (6, 60):
        load = rng.normal(20.0, 1.0, samples)
        used = load / 30.0 * np.exp(rng.normal(0.0, 0.02, samples))
        seen = view(0.1 * (1.0 + 0.5 * used / (1.0 - used)), load, web_busy_ratio=used)
        past, knobs = past_of(seen), knobs_of(seen)
        belief = learn(past, knobs, (), missed_rows(past, knobs, ()))
        used_by_one = np.log(belief.theta * belief.factor(0, knobs[0], np.array([3.0]))[:, 0])
        spread.append(float(np.quantile(used_by_one, 0.9) - np.quantile(used_by_one, 0.1)))
    assert spread[1] < 0.12 < spread[0]


def test_what_has_to_be_started_is_given_back_last():
    servers = replace(SERVERS, settle_seconds=0.0)
    dimmed = view([0.11] * 30, [12.0] * 30, levers=((servers, 4), (DIMMER, 0.5)))
    assert {move.lever_id for move in Predictive().next(dimmed)} == {"web/dimmer"}
    full = view([0.11] * 30, [12.0] * 30, levers=((servers, 4), (DIMMER, 1.0)))
    assert [(move.lever_id, move.to_value) for move in Predictive().next(full)] == [("web/servers", 3)]


def test_a_trend_is_carried_on():
    assert ways(np.linspace(10.0, 30.0, 21), 5).mean[-1] > 31.0


def test_without_a_load_it_does_as_the_reactive_policy():
    seen = view([0.1] * 5 + [1.5])
    assert Predictive().next(seen) == Reactive().next(seen) != ()


def test_names_of_the_load_and_of_the_goal_do_not_matter():
    seen = view([0.11] * 11 + [3.0], [20.0] * 11 + [60.0])
    metrics = {"xyz_seconds": seen.metrics["web_wait_seconds"], "tickets": seen.metrics["web_requests_per_second"]}
    goal = replace(seen.goals[0], goal=replace(seen.goals[0].goal, metric_name="xyz_seconds"))
    levers = {
        lever_id: replace(state, spec=replace(state.spec, follows=("tickets",), moves=(("xyz_seconds", state.spec.moves[0][1]),)))
        for lever_id, state in seen.levers.items()
    }
    other = replace(seen, metrics=metrics, goals=(goal,), levers=levers)
    assert Predictive().next(other) == Predictive().next(seen) != ()
