"""Further series to be honest on: volatility, counts, ratios, saw-teeth, quantised values. Read by `verdicts.py`."""

from __future__ import annotations

import math

import numpy as np

from verdict_worlds import DAY, Array, Series, ar1


def garch(rng: np.random.Generator, n: int) -> Array:
    """Calm hours and loud hours: GARCH(1, 1) of persistence .98 (Bollerslev 1986)."""
    shocks, out, variance = rng.standard_normal(n + 300), np.empty(n + 300), 1.0
    for i, e in enumerate(shocks.tolist()):
        out[i] = math.sqrt(variance) * e
        variance = 0.02 + 0.1 * out[i] ** 2 + 0.88 * variance
    return np.asarray(100.0 + 5.0 * np.clip(out[300:], -15, 15))


def garch_ar(rng: np.random.Generator, n: int) -> Array:
    """The same through an AR(1) of .7."""
    noise, out, state = garch(rng, n) - 100.0, np.empty(n), 0.0
    for i, e in enumerate(noise.tolist()):
        state = 0.7 * state + 0.71 * e
        out[i] = state
    return np.asarray(100.0 + np.clip(out, -80, 400))


def stochastic_volatility(rng: np.random.Generator, n: int) -> Array:
    """The logarithm of the noise's size wanders, with a memory of some hundred samples (Taylor 1982)."""
    return np.asarray(100.0 + np.clip(5.0 * np.exp(ar1(rng, n, 0.99, 0.7)) * rng.standard_normal(n), -80, 200))


def loud_hours(rng: np.random.Generator, n: int) -> Array:
    """Half-hours to days of thrice the noise, begun and ended by a coin."""
    loud, switch = np.empty(n), rng.random(n) < 1 / 400
    state = False
    for i, s in enumerate(switch.tolist()):
        state ^= s
        loud[i] = state
    return np.asarray(100.0 + (3.0 + 6.0 * loud) * ar1(rng, n, 0.3))


def slow_counts(rng: np.random.Generator, n: int) -> Array:
    """Poisson counts at a rate of about five that wanders over hours."""
    return rng.poisson(np.exp(math.log(5.0) + ar1(rng, n, 0.995, 0.3))).astype(float)


def rare_counts(rng: np.random.Generator, n: int) -> Array:
    """Errors: mostly none, now and then one or two."""
    return rng.poisson(0.7, n).astype(float)


def busy_counts(rng: np.random.Generator, n: int) -> Array:
    """Requests: negative binomial around two hundred, its rate autocorrelated."""
    return rng.poisson(rng.gamma(20.0, 1 / 20.0, n) * np.exp(math.log(200.0) + ar1(rng, n, 0.9, 0.1))).astype(float)


def ratio(rng: np.random.Generator, n: int) -> Array:
    """A hit ratio between 0 and 1."""
    return np.asarray(1.0 / (1.0 + np.exp(-(1.5 + ar1(rng, n, 0.8, 0.6)))))


def error_ratio(rng: np.random.Generator, n: int) -> Array:
    """Errors of 400 requests, about one in a hundred."""
    return rng.binomial(400, np.clip(0.01 * np.exp(ar1(rng, n, 0.9, 0.3)), 0, 1)) / 400.0


def two_modes(rng: np.random.Generator, n: int) -> Array:
    """Each sample is a hit or a miss: a mixture of two levels."""
    return np.asarray(np.where(rng.random(n) < 0.8, 20.0, 60.0) * np.exp(0.1 * rng.standard_normal(n)))


def two_states(rng: np.random.Generator, n: int) -> Array:
    """Two levels, each held for an hour or so."""
    state = np.cumsum(rng.random(n) < 1 / 120) % 2
    return np.asarray(100.0 + 15.0 * state + ar1(rng, n, 0.3, 5.0))


def reverting_walk(rng: np.random.Generator, n: int) -> Array:
    """A walk that comes back within two hours or so, and white noise on it."""
    return np.asarray(100.0 + ar1(rng, n, 0.995, 10.0) + 3.0 * rng.standard_normal(n))


def weekly(rng: np.random.Generator, n: int) -> Array:
    """A daily season that is lower on two days of seven."""
    t = np.arange(n) + rng.integers(0, 7 * DAY)
    day = 20.0 * np.sin(2 * math.pi * t / DAY)
    return np.asarray(100.0 + np.where(t // DAY % 7 < 5, day, 0.4 * day - 15.0) + ar1(rng, n, 0.5, 6.0))


def saw_tooth(rng: np.random.Generator, n: int) -> Array:
    """Fills up and is emptied, every hour and a half or so: a heap, a log, a queue."""
    out, value, until = np.empty(n), 0.0, float(rng.uniform(120, 240))
    for i in range(n):
        value += 1.0
        if value > until:
            value, until = 0.0, float(rng.uniform(120, 240))
        out[i] = value
    return np.asarray(100.0 + 0.25 * out + ar1(rng, n, 0.3, 4.0))


def quantised(rng: np.random.Generator, n: int) -> Array:
    """A meter that shows steps of half a standard deviation."""
    return np.asarray(np.round((100.0 + ar1(rng, n, 0.8, 10.0)) / 5.0) * 5.0)


def coarse(rng: np.random.Generator, n: int) -> Array:
    """A meter that mostly shows the same."""
    return np.asarray(np.round((100.0 + ar1(rng, n, 0.9, 4.0)) / 10.0) * 10.0)


def loud_season(rng: np.random.Generator, n: int) -> Array:
    """A daily season with thrice the noise by day."""
    phase = 2 * math.pi * np.arange(n) / DAY + rng.uniform(0, 2 * math.pi)
    return np.asarray(100.0 + 20.0 * np.sin(phase) + (6.0 + 3.0 * np.sin(phase)) * ar1(rng, n, 0.5))


def decaying_jumps(rng: np.random.Generator, n: int) -> Array:
    """Shots that fade over ten minutes: queues after a burst of work."""
    out, state = np.empty(n), 0.0
    for i, jump in enumerate(((rng.random(n) < 0.01) * rng.exponential(30.0, n)).tolist()):
        state = 0.95 * state + jump
        out[i] = state
    return np.asarray(100.0 + out + 4.0 * rng.standard_normal(n))


def heavy_ar(rng: np.random.Generator, n: int) -> Array:
    """AR(1) of .8 driven by a t distribution of three degrees of freedom."""
    out, state = np.empty(n), 0.0
    for i, e in enumerate(rng.standard_t(3, n).tolist()):
        state = 0.8 * state + 2.0 * e
        out[i] = state
    return np.asarray(100.0 + np.clip(out, -80, 400))


def load_and_latency(rng: np.random.Generator, n: int) -> Array:
    """Latency of a queue under a load that swings with the day: 1 / (1 − utilisation)."""
    phase = 2 * math.pi * np.arange(n) / DAY + rng.uniform(0, 2 * math.pi)
    load = np.clip(0.55 + 0.25 * np.sin(phase) + ar1(rng, n, 0.9, 0.05), 0.05, 0.95)
    return np.asarray(0.02 / (1.0 - load) * np.exp(0.15 * rng.standard_normal(n)))


def periodic_job(rng: np.random.Generator, n: int) -> Array:
    """A job every hour that costs five minutes."""
    t = np.arange(n) + rng.integers(0, 120)
    return np.asarray(100.0 + 25.0 * (t % 120 < 10) + ar1(rng, n, 0.3, 5.0))


def growth(rng: np.random.Generator, n: int) -> Array:
    """A trend that bends: it grows, or shrinks, in proportion to itself, to more than twice or less than half in three days."""
    return np.asarray(100.0 * np.exp(rng.choice([-0.4, 0.4]) * np.linspace(-1, 1, n)) + ar1(rng, n, 0.5, 6.0))


def long_memory(rng: np.random.Generator, n: int) -> Array:
    """Fractional noise (d = .35): autocorrelation that never quite ends (Hosking 1981)."""
    lags = np.arange(1, n)
    weights = np.concatenate(([1.0], np.cumprod((lags - 1 + 0.35) / lags)))
    size = 2 ** math.ceil(math.log2(2 * n))
    mixed = np.fft.irfft(np.fft.rfft(weights, size) * np.fft.rfft(rng.standard_normal(n), size), size)[:n]
    return np.asarray(100.0 + 6.0 * mixed)


STRANGERS: dict[str, Series] = {
    "GARCH": garch, "GARCH, ρ .7": garch_ar, "wandering volatility": stochastic_volatility, "loud hours": loud_hours,
    "slow counts": slow_counts, "rare counts": rare_counts, "busy counts": busy_counts, "ratio": ratio,
    "error ratio": error_ratio, "two modes": two_modes, "two states": two_states, "reverting walk": reverting_walk,
    "weekly season": weekly, "saw-tooth": saw_tooth, "quantised": quantised, "coarse meter": coarse,
    "loud season": loud_season, "decaying jumps": decaying_jumps, "heavy tails, ρ .8": heavy_ar,
    "latency under load": load_and_latency, "hourly job": periodic_job, "long memory": long_memory,
    "growth": growth,
}  # fmt: skip

OPEN: dict[str, str] = {  # families that are known to miss the bar, and why; see docs/verdicts.md
    "weekly season": "two days of history cannot tell what the third day of a week is like",
}
