"""The predictive policy: learn what the element can bear, foresee the load, weigh what would follow, make the first step.

Called once a turn for each element whose regulation is `predictive`. Pure. Where there is no load to follow, or nothing is
known of a goal that load could endanger, it does what the reactive policy does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.regulation import Move, RegulationView
from trimtab.plan.regulation.ahead import LONGEST_LEAD, Weighed, weigh
from trimtab.plan.regulation.costs import Prices, missed_rows, prices_of
from trimtab.plan.regulation.forecast import ways
from trimtab.plan.regulation.knobs import Knob, guarded, knobs_of, move
from trimtab.plan.regulation.model import Posterior, counted, learn
from trimtab.plan.regulation.past import Past, load_names, past_of, track
from trimtab.plan.regulation.reactive import Reactive

Array = NDArray[np.float64]

FEWEST = 3  # rows before anything is relaxed
BEYOND = 4  # steps that the horizon looks past the longest lead time
HORIZONS = (5, 12)  # steps, least and most
RELUCTANCE = 0.2  # a move must save more than this share of what it moves costs in a step (move suppression)
REST, REST_COUNTED = 1.5, 5.0  # steps after help in which a lever is not relaxed; what is started and stopped rests longer
MOST_KNOBS = 3  # that are planned together; of more, the first ones


class Predictive:
    """`horizon` in steps of the sensor's interval; None: past the longest lead time. 1 is a myopic policy, for comparison."""

    def __init__(self, horizon: int | None = None) -> None:
        self.horizon = horizon
        self._decided: tuple[object, Sequence[Move]] | None = None

    def next(self, view: RegulationView) -> Sequence[Move]:
        """See `domain.regulation.Policy`. Between two samples the answer stays the same, and is not worked out again."""
        seen = _seen(view)
        if self._decided is None or self._decided[0] != seen:
            self._decided = seen, self._weighed(view)
        return tuple(replace(wanted, at=view.now) for wanted in self._decided[1])

    def _weighed(self, view: RegulationView) -> Sequence[Move]:
        knobs = tuple(knob for knob in knobs_of(view) if knob.help)[:MOST_KNOBS]
        if not _seen_now(view):
            return ()
        past = past_of(view)
        if past is None or not knobs or not past.told.any():
            return Reactive().next(view)
        if view.moves and past.times[-1] <= view.moves[-1].at:
            return ()  # nothing was seen since
        missed = missed_rows(past, knobs, view.moves)
        prices = prices_of(past, knobs, view.moves, missed)
        posterior = learn(past, knobs, view.moves, missed)
        load = ways(past.load, self.horizon or _horizon(past, posterior))
        weighed = weigh(past, knobs, posterior, prices, load, _before(view, knobs, past), _candidates(view, knobs, past))
        best = int(np.argmin(weighed.cost + RELUCTANCE * _effort(knobs, weighed, prices, past)))
        why = _reason(past, float(load.mean[-1]), posterior, float(weighed.missed[best]))
        chosen = weighed.configurations[best].tolist()
        return tuple(move(knob, to, view.now, why) for knob, to in zip(knobs, chosen, strict=True) if to != knob.value)


def _seen(view: RegulationView) -> object:
    """What tells one view from another: the newest samples, where the levers stand, what was moved, and how guards are."""
    newest = tuple(
        (name, float(times[-1]), repr(float(values[-1]))) for name, (times, values) in sorted(view.metrics.items()) if times.size
    )
    stood = tuple((lever_id, state.spec, state.value, state.frozen, state.trust) for lever_id, state in view.levers.items())
    return view.element, newest, stood, view.moves, view.guards


def _seen_now(view: RegulationView) -> bool:
    """Whether the newest sample of the load and of every goal is there: what cannot be seen is not acted on."""
    names = {*load_names(view), *(state.goal.metric_name for state in view.goals)} & set(view.metrics)
    return all(view.metrics[name][1].size and np.isfinite(view.metrics[name][1][-1]) for name in names)


def _horizon(past: Past, posterior: Posterior) -> int:
    longest = max(float(np.mean(lead)) for lead in posterior.leads)
    return int(np.clip(np.ceil(longest / past.every) + BEYOND, *HORIZONS))


def _before(view: RegulationView, knobs: Sequence[Knob], past: Past) -> list[Array]:
    """What each knob was set to (LONGEST_LEAD,), a step apart, newest first."""
    points = view.now - past.every * (np.arange(LONGEST_LEAD) + 0.5)
    tracks = (track(view.moves, knob.spec.lever_id, knob.value) for knob in knobs)
    return [np.asarray(values[np.searchsorted(when, points, side="right")]) for when, values in tracks]


def _candidates(view: RegulationView, knobs: Sequence[Knob], past: Past) -> Array:
    """Configurations (c, knobs) within reach: help as far as it goes; relaxing one step at a time, not while a goal is missed.

    What has to be started is given back last: while anything else helps in its place, it is needed.
    """
    missed = past.reach is not None and bool(past.reach[-1] > 1.0)
    allowed = []
    stopgap = any(not counted(knob) and knob.value != knob.clip(knob.low if knob.help > 0 else knob.high) for knob in knobs)
    for knob in knobs:
        shut = guarded(knob, view.guards)
        still = missed or past.times.size < FEWEST or _rests(view, knob, past) or (stopgap and counted(knob))
        least = knob.value if still else knob.nudged(-1)
        within = [p for p in knob.positions().tolist() if (p - least) * knob.help >= 0.0]
        allowed.append([p for p in within if p == knob.value or (1 if p > knob.value else -1) not in shut])
    found = np.stack(np.meshgrid(*allowed, indexing="ij"), axis=-1).reshape(-1, len(knobs))
    away = (found != np.array([knob.value for knob in knobs])).any(axis=1)
    return np.asarray(found[away] if missed and away.any() else found)


def _rests(view: RegulationView, knob: Knob, past: Past) -> bool:
    """Whether a lever gave help so lately that it is not relaxed yet: load that has just risen often rises again."""
    mine = [made for made in view.moves if made.lever_id == knob.spec.lever_id and not isinstance(made.to_value, str)]
    if not mine or (float(mine[-1].to_value) - float(mine[-1].from_value)) * knob.help <= 0.0:
        return False
    return view.now < mine[-1].at + (REST_COUNTED if counted(knob) else REST) * past.every


def _effort(knobs: Sequence[Knob], weighed: Weighed, prices: Prices, past: Past) -> Array:
    """What the difference to each configuration costs in a step (c,)."""
    away = np.abs(weighed.configurations - np.array([knob.value for knob in knobs]))
    return np.asarray(away @ np.abs(prices.fixed + prices.each * past.load[-1]))


def _reason(past: Past, expected: float, posterior: Posterior, missed: float) -> str:
    lead = max(float(np.mean(lead)) for lead in posterior.leads)
    return (
        f"load {past.load[-1]:.3g}, expected to be {expected:.3g}; capacity {1.0 / float(np.mean(posterior.theta)):.3g} at most, "
        f"lead time {lead:.0f} s; a goal would be missed {missed:.1%} of the time"
    )
