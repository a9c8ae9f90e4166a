"""Weigh every configuration by what would follow from it: receding-horizon control by rollouts.

Called by the predictive policy. Each configuration is put in force now, in each of many ways that the load may go on and under
each particle of what the element can bear; from the next step on a plain rule follows the load. Only the first step is
ever carried out, then all is weighed anew (model-predictive control: Mayne et al. 2000, Automatica 36; rollouts of a base
policy: Bertsekas & Castañon 1999, Journal of Heuristics 5). That the horizon looks past the lead time of every lever is what
Moreno, Cámara, Garlan & Schmerl (2015), "Proactive self-adaptation under uncertainty: a probabilistic model checking approach",
ESEC/FSE, showed to matter, on this very kind of cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.plan.regulation.costs import Prices
from trimtab.plan.regulation.forecast import Ways
from trimtab.plan.regulation.knobs import Knob
from trimtab.plan.regulation.model import Posterior, crowding, lightening, r_sequence, reach_of
from trimtab.plan.regulation.past import Past

Array = NDArray[np.float64]
Places = NDArray[np.intp]

SURE = 0.25  # log scale of what is not known of a metric one step ahead
LONGEST_LEAD = 10  # steps
DRAIN = 0.3  # of its capacity that an element has left, at the end of the horizon, for what still waits
SLOW = 0.25  # steps: a lever with a longer lead time is slow
AIM = 0.8  # utilisation that the plain rule of a rollout plans for


@dataclass(frozen=True, slots=True)
class Weighed:
    """The configurations (c, knobs), what each costs over the horizon (c,), and the share of steps with a miss (c,)."""

    configurations: Array
    cost: Array
    missed: Array


@dataclass(frozen=True, slots=True)
class Rollout:
    """What a rollout needs to know and never changes. Shapes: s ways, k configurations of all knobs, p positions of a knob."""

    past: Past
    knobs: Sequence[Knob]
    positions: Sequence[Array]  # (p,) for each knob, in rising order
    grid: Places  # (k, knobs) places in `positions`
    configurations: Array  # (k, knobs)
    factors: Sequence[Array]  # (s, p)
    theta: Array  # (s,)
    steady: Array
    bend: Array
    lighter: Array
    leads: Sequence[Array]  # steps (s,)
    prices: Prices


def weigh(
    past: Past,
    knobs: Sequence[Knob],
    posterior: Posterior,
    prices: Prices,
    load: Ways,
    set_before: Sequence[Array],
    candidates: Array,
) -> Weighed:
    """What follows from each of `candidates` (c, knobs).

    `set_before` (LONGEST_LEAD,) for each knob: what it was set to, a step apart, newest first.
    """
    drawn = _paired(load, posterior)
    rollout = _rollout(past, knobs, posterior, drawn, prices)
    weights = load.weights
    first = np.stack([np.searchsorted(rollout.positions[i], candidates[:, i] - 1e-9) for i in range(len(knobs))], axis=1)
    c, s = len(candidates), len(weights)
    history = [
        np.broadcast_to(np.searchsorted(rollout.positions[i], _snap(rollout.positions[i], before)), (c, s, LONGEST_LEAD)).copy()
        for i, before in enumerate(set_before)
    ]
    waiting = np.broadcast_to(posterior.backlog[drawn], (c, s)).copy()
    places = np.broadcast_to(first[:, np.newaxis, :], (c, s, len(knobs)))
    seen = np.broadcast_to(past.load[-1], (s,))
    cost, missed = np.zeros(c), np.zeros(c)
    for step in range(load.paths.shape[1]):
        if step:
            places = _rule(rollout, history, waiting, seen, first)
        history = [np.concatenate([places[:, :, i, np.newaxis], h[:, :, :-1]], axis=2) for i, h in enumerate(history)]
        now = load.paths[:, step]
        demand, bend, steady = rollout.theta * now, rollout.bend, rollout.steady
        for i, knob in enumerate(knobs):
            by = _in_effect(rollout, i, history[i])
            demand, bend = demand * by, bend * crowding(knob, by)
            steady = steady * lightening(knob, by, rollout.lighter)
        after = np.maximum(waiting + (demand - 1.0) * past.every, 0.0)
        says = reach_of(past, demand, 0.5 * (waiting + after), steady, bend, now)
        waiting = after
        fails = 1.0 / (1.0 + np.exp(np.clip(-np.log(says) / SURE, -50.0, 50.0)))
        values = np.stack([rollout.positions[i][places[:, :, i]] for i in range(len(knobs))], axis=-1)
        spent = np.einsum("csi,i->cs", values, prices.fixed) + now * np.einsum("csi,i->cs", values, prices.each)
        cost += (spent + prices.of_a_miss(now) * fails) @ weights
        missed += fails @ weights
        seen = now
    drained = np.minimum(waiting / (DRAIN * past.every), LONGEST_LEAD)  # steps until what still waits is worked off
    cost += (prices.of_a_miss(load.paths[:, -1]) * drained) @ weights
    return Weighed(candidates, cost, missed / load.paths.shape[1])


def _snap(positions: Array, values: Array) -> Array:
    return np.asarray(positions[np.abs(values[:, np.newaxis] - positions[np.newaxis, :]).argmin(axis=1)])


def _paired(load: Ways, posterior: Posterior) -> Places:
    """A particle for each way."""
    u = r_sequence(len(load.weights), 1)[:, 0]
    return np.minimum((u * posterior.theta.size).astype(np.intp), posterior.theta.size - 1)


def _rollout(past: Past, knobs: Sequence[Knob], posterior: Posterior, drawn: Places, prices: Prices) -> Rollout:
    positions = [knob.positions() for knob in knobs]
    grid = np.stack(np.meshgrid(*[np.arange(p.size) for p in positions], indexing="ij"), axis=-1).reshape(-1, len(knobs))
    configurations = np.stack([positions[i][grid[:, i]] for i in range(len(knobs))], axis=1)
    factors = [posterior.factor(i, knob, positions[i])[drawn] for i, knob in enumerate(knobs)]
    leads = [np.minimum(posterior.leads[i][drawn] / past.every, LONGEST_LEAD - 1.001) for i in range(len(knobs))]
    return Rollout(
        past,
        knobs,
        positions,
        grid,
        configurations,
        factors,
        posterior.theta[drawn],
        posterior.steady[drawn],
        posterior.bend[drawn],
        posterior.lighter[drawn],
        leads,
        prices,
    )


def _in_effect(rollout: Rollout, i: int, history: Places) -> Array:
    """(c, s): a knob's factor over a step, with help in force once it has stood for its lead time."""
    help_way = rollout.knobs[i].help
    whole = np.floor(rollout.leads[i]).astype(np.intp)
    share = rollout.leads[i] - whole
    stood = np.minimum.accumulate(history * help_way, axis=2) * help_way if help_way else history
    rows = np.arange(history.shape[1])
    near = rollout.factors[i][rows, stood[:, rows, whole]]
    far = rollout.factors[i][rows, stood[:, rows, np.minimum(whole + 1, LONGEST_LEAD - 1)]]
    return np.asarray((1.0 - share) * near + share * far)


def _rule(rollout: Rollout, history: Sequence[Places], waiting: Array, seen: Array, held: Places) -> Places:
    """(c, s, knobs): the plain rule, which a rollout goes on by.

    Slow levers stay where a candidate has put them (`held`) until more is needed in the end. Quick ones are set anew each step,
    to the cheapest that serves the load with what is there of the slow ones.
    """
    cost = rollout.prices.of(rollout.configurations, seen)  # (s, k)
    alone = rollout.theta[:, np.newaxis] * seen[:, np.newaxis]
    demand = alone
    for i in range(len(rollout.knobs)):
        demand = demand * rollout.factors[i][:, rollout.grid[:, i]]
    dear = 1e6 * (1.0 + np.abs(cost).max())
    target = rollout.grid[(cost + dear * np.maximum(demand - AIM, 0.0)).argmin(axis=1)]  # (s, knobs)
    now = np.broadcast_to(alone, (*waiting.shape, len(rollout.grid)))
    fixed: Array = np.zeros(now.shape)
    for i, knob in enumerate(rollout.knobs):
        if np.mean(rollout.leads[i]) > SLOW:
            aim = np.maximum(knob.help * target[:, i], knob.help * held[:, np.newaxis, i]) * (knob.help or 1)
            fixed = fixed + dear * dear * (rollout.grid[:, i] != aim[:, :, np.newaxis])
            then = np.concatenate([aim[:, :, np.newaxis], history[i][:, :, :-1]], axis=2)
            now = now * _in_effect(rollout, i, then)[:, :, np.newaxis]
        else:
            now = now * rollout.factors[i][:, rollout.grid[:, i]]
    urgent = now + (waiting / rollout.past.every)[:, :, np.newaxis]
    return np.asarray(rollout.grid[(cost + fixed + dear * np.maximum(urgent - AIM, 0.0)).argmin(axis=2)])
