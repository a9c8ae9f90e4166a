"""What an element can bear: capacity for each lever position and each lever's lead time, learned from its own history.

A queue in front of a resource. With `load` arriving, utilisation is ρ = load · θ · Π f(x) over the levers; the goal's metric,
in units of its target, is R (1 + k ρ / (1 − ρ)) in a steady state, and beyond saturation work piles up by ρ − 1 seconds each
second (a fluid queue: Kleinrock 1976, "Queueing Systems II", ch. 2). f is (x / x₀)^−e for a lever whose raising helps
(capacity) and r + (1 − r)(x − low) / (high − low) for one whose lowering helps (demand); the latter takes R down with it, by f^q.
Where the element tells a utilisation, ρ is expected to be it, or in proportion to it. All of θ, R, k, e, r, q and the lead times
are uncertain: a cloud of particles is weighed by how well each explains the history (importance sampling in rounds that believe
history more and more; Del Moral, Doucet & Jasra 2006, "Sequential Monte Carlo samplers", JRSS B 68). There is no chance in it:
the cloud is a low-discrepancy sequence (Roberts 2018, the R sequence).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.levers import LeverKind
from trimtab.domain.regulation import Move
from trimtab.plan.regulation.knobs import Knob
from trimtab.plan.regulation.past import Past, felt, track

Array = NDArray[np.float64]

FIRST, PARTICLES = 1200, 320  # that are tried at first, and that are kept
ROUNDS = (0.05, 0.2, 0.6, 1.0)  # how much of what history says is believed, round by round
LEADS = np.array([0.0, 0.33, 0.67, 1.0, 1.33, 1.67, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0])  # steps
SPREAD = 0.2  # log scale of what the formula leaves unexplained
SPREAD_LATE = 0.5  # the same while work waits: who waits for whom, and since when within the interval, the formula does not know
SPREAD_BUSY = 0.1  # log scale of what it leaves unexplained of the utilisation that the element tells
WORTH_OF_HISTORY = 20.0  # samples: more of them say no more than so many, for the formula is only nearly right
EARLY_LEAD = 120.0  # seconds: scale of a lead time that is not as declared
UNSURE = 0.15  # relative: by how much capacity may differ all the same, since the formula is only nearly right,
UNSURE_LIKE = 5.0  # as if so many samples had said so; the utilisation that an element tells says how nearly
SOME = 24  # particles that each lead time is tried with
NEXT_TO_NOTHING = 0.02  # utilisation that is not told from none
FULL = 0.97  # ρ from which on the steady state is no longer told by the formula


@dataclass(frozen=True, slots=True)
class Posterior:
    """Particles (s,) of equal weight, `factors` and `leads` one array for each knob."""

    theta: Array  # utilisation for a unit of load, at the reference positions
    steady: Array  # R: the goal's metric over its target where there is no load
    bend: Array  # k
    shape: tuple[Array, ...]  # e or r of each knob (s,)
    leads: tuple[Array, ...]  # seconds (s,)
    lighter: Array  # q (s,): R falls with what a request asks, to this power
    backlog: Array  # seconds of work that wait now

    def factor(self, place: int, knob: Knob, positions: Array) -> Array:
        """(s, p): by what the demand on the element is multiplied at `positions` (p,) of a knob."""
        return factor(knob, self.shape[place][:, np.newaxis], positions[np.newaxis, :])


def factor(knob: Knob, shape: Array, positions: Array) -> Array:
    """f of the formula above; `shape` and `positions` broadcast.

    >>> from trimtab.domain.levers import LeverSpec
    >>> factor(Knob(LeverSpec("servers", "web", bounds=(1, 4)), 2.0, help=1), np.array([1.0]), np.array([1.0, 2.0, 4.0]))
    array([4., 2., 1.])
    """
    span = max(knob.high - knob.low, 1e-12)
    if knob.help > 0:
        floor = 1e-2 * span if knob.low <= 0.0 else 0.0  # nothing of a capacity serves next to nothing
        return np.asarray((np.maximum(positions, floor) / knob.high) ** -shape)
    share = (positions - knob.low) / span
    return np.asarray(shape + (1.0 - shape) * share)


def crowding(knob: Knob, by: Array) -> Array:
    """By what k is multiplied where a knob's factor is `by`.

    With c servers the wait is between that of one (each has a queue of its own) and a c-th of it (one queue for all); their
    geometric mean is taken.
    """
    return np.asarray(np.sqrt(by)) if counted(knob) else np.ones_like(by)


def lightening(knob: Knob, by: Array, lighter: Array) -> Array:
    """By what R is multiplied where a knob's factor is `by`: what asks less of the element may be answered sooner, too."""
    return np.asarray(by**lighter) if knob.help < 0 else np.ones_like(by)


def counted(knob: Knob) -> bool:
    """Whether a knob says how many of something there are."""
    return knob.help > 0 and knob.spec.kind is LeverKind.INTEGER


def learn(past: Past, knobs: Sequence[Knob], moves: Sequence[Move], missed: NDArray[np.bool_]) -> Posterior:
    """What `past` says of the element. `missed` (n,): rows with a goal missed, for elements without a goal to be held below."""
    tracks = [track(moves, knob.spec.lever_id, knob.value) for knob in knobs]
    stays = [_stays(past, knob, when, values) for knob, (when, values) in zip(knobs, tracks, strict=True)]
    cloud = _prior(past, knobs, missed, tracks)
    lowest, highest = cloud.min(axis=0), cloud.max(axis=0)
    share = min(1.0, WORTH_OF_HISTORY / max(int(past.told.sum()), 1))
    for believed in ROUNDS:
        score, backlog = _explain(past, knobs, stays, cloud, missed)
        chosen = _resample(np.exp(believed * share * (score - score.max())), PARTICLES)
        if believed < 1.0:
            cloud = np.clip(_jitter(cloud[chosen]), lowest, highest)
    best, backlog = cloud[chosen], backlog[chosen]
    for place in range(len(knobs)):
        best[:, 3 + len(knobs) + place] = _leads(past, knobs, stays, best, missed, place)
    n = len(knobs)
    return Posterior(
        np.exp(best[:, 0] + _unsure(past, knobs, stays, best, missed) * (2.0 * r_sequence(len(best), 1)[:, 0] - 1.0)),
        np.exp(best[:, 1]),
        np.exp(best[:, 2]),
        tuple(_shape(knob, best[:, 3 + place]) for place, knob in enumerate(knobs)),
        tuple(np.maximum(best[:, 3 + n + place], 0.0) for place in range(n)),
        np.clip(best[:, -2], 0.0, 1.2),
        backlog,
    )


def _unsure(past: Past, knobs: Sequence[Knob], stays: Sequence[_Stays], cloud: Array, missed: NDArray[np.bool_]) -> float:
    """By how much capacity may differ from what `cloud` says: half the width of an even spread, in logs.

    As believed beforehand, and as the utilisation that the element told was off from the formula (the posterior mean of a
    variance whose prior is a scaled inverse chi-squared: Gelman et al. 2013, "Bayesian Data Analysis", ch. 2.6).
    """
    if past.busy is None:
        return UNSURE
    demand = _demand(past, knobs, stays, cloud)
    rows = past.told & ~_late(missed)
    off, near = _off_busy(past.busy, demand, cloud[:, -1:]).mean(axis=0)[rows], np.minimum(demand.mean(axis=0)[rows], 1.0)
    seen = np.sqrt((UNSURE_LIKE * UNSURE**2 + 3.0 * float(off**2 @ near)) / (UNSURE_LIKE + off.size))
    return float(min(UNSURE, seen))  # a ratio that tells something else says nothing


def _leads(
    past: Past, knobs: Sequence[Knob], stays: Sequence[_Stays], cloud: Array, missed: NDArray[np.bool_], place: int
) -> Array:
    """A knob's lead time for each particle (s,), weighed anew: few rows tell it, and among all that rounds may lose it.

    Each lead time is tried with some of the particles (Rao-Blackwellised: Doucet, de Freitas, Murphy & Russell 2000).
    """
    column, grid = 3 + len(knobs) + place, stays[place].leads
    if grid.size == 1:
        return np.asarray(cloud[:, column])
    some = cloud[:: max(1, len(cloud) // SOME)]
    tried = np.repeat(some, grid.size, axis=0)
    tried[:, column] = np.tile(grid, len(some))
    score, _ = _explain(past, knobs, stays, tried, missed)
    score = score.reshape(len(some), grid.size)
    drawn = _prior_lead(knobs[place], (np.arange(500) + 0.5) / 500)
    before = np.bincount(np.abs(drawn[:, np.newaxis] - grid).argmin(axis=1), minlength=grid.size) / drawn.size
    weight = np.exp(score - score.max(axis=1, keepdims=True)).mean(axis=0) * (before + 1e-3)
    return np.asarray(grid[_resample(weight, len(cloud))[np.argsort(r_sequence(len(cloud), 2)[:, 1])]])


def _jitter(cloud: Array) -> Array:
    """Particles that were chosen twice are drawn apart, by a third of what the cloud still spreads."""
    u = r_sequence(len(cloud), cloud.shape[1])
    spread = np.maximum(cloud.std(axis=0), 0.02)
    return np.asarray(cloud + (2.0 * u - 1.0) * spread * 0.6)


def _shape(knob: Knob, raw: Array) -> Array:
    if knob.help > 0:
        return np.asarray(np.clip(raw, 0.0, 1.2))
    if knob.help < 0:
        return np.asarray(np.clip(np.exp(raw), 0.01, 1.0))
    return np.asarray(np.exp(raw))  # either way


def _prior(past: Past, knobs: Sequence[Knob], missed: NDArray[np.bool_], tracks: Sequence[tuple[Array, Array]]) -> Array:
    """(s, 5 + 2 knobs): log θ, log R, log k, each knob's shape, each knob's lead, q, log of what is told at saturation."""
    u = r_sequence(FIRST, 5 + 2 * len(knobs))
    calm = float(np.quantile(past.reach[past.told], 0.5)) if past.reach is not None and past.told.any() else 0.05
    steady = np.log(max(calm, 1e-6)) + np.log(0.2) * u[:, 0]
    bend = np.log(0.15) + np.log(8.0) * u[:, 1]
    shapes = [_prior_shape(knob, u[:, 3 + place]) for place, knob in enumerate(knobs)]
    held = np.zeros((FIRST, past.load.size))  # log of the product of f, as things stood
    for knob, shape, (when, values) in zip(knobs, shapes, tracks, strict=True):
        stood = felt(past.times, past.every, when, values, knob.help, 0.0).mean(axis=1)
        held += np.log(factor(knob, _shape(knob, shape)[:, np.newaxis], stood[np.newaxis, :]))
    borne = np.where(missed, 0.0, past.load)
    most = np.log(np.maximum((borne * np.exp(held)).max(axis=1), 1e-9))  # the hardest that was borne
    theta = -most - np.log(8.0) * u[:, 2] + np.log(1.1)
    if past.target_seconds is not None:  # what takes R seconds, one at a time, is done 1 / R times a second; m at a time m times
        counts = [knob for knob in knobs if knob.help > 0 and knob.low >= 1.0]
        units = np.log(counts[0].high) if counts else 0.0
        at_a_time = -np.log(1.0 - 0.97 * u[:, 2])
        theta = np.minimum(steady + np.log(past.target_seconds) - units - at_a_time + 0.1, -most + np.log(1.1))
    leads = [_prior_lead(knob, u[:, 3 + len(knobs) + place]) for place, knob in enumerate(knobs)]
    busiest = np.where(u[:, -1] < 0.7, 0.0, np.log(0.1) * (u[:, -1] - 0.7) / 0.3)  # a ratio of one, most likely
    return np.column_stack([theta, steady, bend, *shapes, *leads, u[:, -2], busiest])


def _prior_shape(knob: Knob, u: Array) -> Array:
    if knob.help > 0:
        return np.where(u < 0.7, 1.0, (u - 0.7) / 0.3)  # proportional, most likely
    if knob.help < 0:
        return np.asarray(np.log(0.02) * (1.0 - u))  # from a fiftieth to no effect at all
    return np.asarray(np.log(4.0) * (2.0 * u - 1.0))


def _prior_lead(knob: Knob, u: Array) -> Array:
    """As declared, or later, by an exponential: what is counted (servers, consumers) has to be started, a share acts at once."""
    declared = knob.spec.settle_seconds
    sure = 0.3 if counted(knob) else 0.85
    later = declared - EARLY_LEAD * np.log(np.maximum(1.0 - (u - sure) / (1.0 - sure), 1e-2))
    return np.asarray(np.where(u < sure, 1.5 * declared * u / sure, later))


def _explain(
    past: Past, knobs: Sequence[Knob], stays: Sequence[_Stays], cloud: Array, missed: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """The log likelihood (s,) of each particle, and the backlog (s,) that it would see now."""
    late = _late(missed)
    bend = np.exp(cloud[:, 2:3]) * np.ones((1, past.load.size))
    light, lighter = np.ones(bend.shape), cloud[:, -2:-1]
    demand = np.exp(cloud[:, :1]) * past.load[np.newaxis, :]  # (s, n)
    for knob, by in zip(knobs, _felt_factors(knobs, stays, cloud), strict=True):
        demand = demand * by
        bend = bend * crowding(knob, by)
        light = light * lightening(knob, by, lighter)
    piled = np.cumsum((demand - 1.0) * past.every, axis=1)
    waiting = piled - np.minimum(np.minimum.accumulate(piled, axis=1), 0.0)  # Lindley's recursion without a loop
    before = np.column_stack([np.zeros(len(cloud)), waiting[:, :-1]])
    steady = np.exp(cloud[:, 1:2]) * light
    says = reach_of(past, demand, 0.5 * (before + waiting), steady, bend, past.load[np.newaxis, :])
    if past.reach is not None:
        off = (np.log(np.maximum(past.reach, 1e-6))[np.newaxis, :] - np.log(says)) / np.where(late, SPREAD_LATE, SPREAD)
        score = -2.5 * np.log1p(off**2 / 4.0)  # Student's t with 4 degrees of freedom
    else:
        odds = np.log(says) / SPREAD
        score = -np.logaddexp(0.0, np.where(missed[np.newaxis, :], -odds, odds))
    if past.busy is not None:
        score = score + _told_busy(past.busy, demand, cloud[:, -1:], late)
    return np.asarray((score * past.told).sum(axis=1)), waiting[:, -1]


def _told_busy(busy: Array, demand: Array, part: Array, late: NDArray[np.bool_]) -> Array:
    """The log likelihood (s, n) of the utilisation that the element tells, of which saturation is at `part` (s, 1) in logs.

    While work waits it tells nothing but that.
    """
    off = _off_busy(busy, demand, part)
    return np.asarray(-2.5 * np.log1p((off / SPREAD_BUSY) ** 2 / 4.0) * ~late)


def _off_busy(busy: Array, demand: Array, part: Array) -> Array:
    """The log (s, n) of the utilisation that the element tells over the one that is expected."""
    says = np.minimum(demand, 1.0) * np.exp(part)
    return np.asarray(np.log(busy + NEXT_TO_NOTHING)[np.newaxis, :] - np.log(says + NEXT_TO_NOTHING))


def _late(missed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows (n,) in which work waits, or has just been worked off."""
    return np.asarray(missed | np.concatenate([[False], missed[:-1]]))


def reach_of(past: Past, demand: Array, waiting: Array, steady: Array, bend: Array, load: Array) -> Array:
    """The goal's metric over its target, for utilisation `demand` and `waiting` seconds of work; all broadcast."""
    rho = np.minimum(demand, FULL)
    late = waiting / past.target_seconds if past.target_seconds is not None else waiting / (0.05 * past.every)
    if past.waits:
        late = steady * waiting * load
    return np.asarray(steady * (1.0 + bend * rho / (1.0 - rho)) + late)


@dataclass(frozen=True, slots=True)
class _Stays:
    """How much of each interval a knob was felt at each of its positions, for each lead time that it may have."""

    positions: Array  # (p,)
    leads: Array  # seconds (l,), rising
    shares: Array  # (l, n, p)


def _stays(past: Past, knob: Knob, when: Array, values: Array) -> _Stays:
    positions = np.unique(values)
    leads = past.every * LEADS if when.size else np.zeros(1)
    stood = np.stack([felt(past.times, past.every, when, values, knob.help, lead) for lead in leads.tolist()])
    return _Stays(positions, leads, np.stack([(stood == position).mean(axis=2) for position in positions], axis=2))


def _demand(past: Past, knobs: Sequence[Knob], stays: Sequence[_Stays], cloud: Array) -> Array:
    """The utilisation (s, n) that each particle sees in each row."""
    return np.asarray(np.exp(cloud[:, :1]) * past.load[np.newaxis, :] * np.prod(_felt_factors(knobs, stays, cloud), axis=0))


def _felt_factors(knobs: Sequence[Knob], stays: Sequence[_Stays], cloud: Array) -> list[Array]:
    """(s, n) for each knob: its factor in each row."""
    n = len(knobs)
    return [
        _felt_factor(knob, stood, _shape(knob, cloud[:, 3 + place]), cloud[:, 3 + n + place])
        for place, (knob, stood) in enumerate(zip(knobs, stays, strict=True))
    ]


def _felt_factor(knob: Knob, stays: _Stays, shape: Array, leads: Array) -> Array:
    """(s, n): the factor of a knob over each interval, each particle's lead time rounded to one of those in `stays`."""
    nearest = np.abs(np.maximum(leads, 0.0)[:, np.newaxis] - stays.leads[np.newaxis, :]).argmin(axis=1)
    at = factor(knob, shape[:, np.newaxis], stays.positions[np.newaxis, :])  # (s, p)
    out = np.empty((leads.size, stays.shares.shape[1]))
    for place in np.unique(nearest):
        mine = nearest == place
        out[mine] = at[mine] @ stays.shares[place].T
    return out


def r_sequence(n: int, dimensions: int) -> Array:
    """(n, dimensions) points that fill the unit cube evenly, always the same.

    >>> r_sequence(2, 1).round(3).ravel().tolist()
    [0.118, 0.736]
    """
    root = 2.0
    for _ in range(40):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    steps = root ** -np.arange(1.0, dimensions + 1.0)
    return np.asarray((0.5 + steps * np.arange(1, n + 1)[:, np.newaxis]) % 1.0)


def _resample(weight: Array, count: int) -> NDArray[np.intp]:
    """Systematic resampling: places (count,), each as often as its weight says."""
    total = np.cumsum(weight) / weight.sum()
    return np.searchsorted(total, (np.arange(count) + 0.5) / count).clip(0, weight.size - 1)
