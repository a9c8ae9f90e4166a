"""Judge a lever by switching it on and off in random order: the strongest evidence there is, for levers that are cheap to move.

Blocks come in pairs, one with the change and one without, in an order drawn by a coin. If the change does nothing, the difference
d_k within a pair would have had the opposite sign had the coin fallen the other way; so, whatever the series does (Fisher 1935),

    E_K = mean over λ of Π_k exp(λ s_k) / cosh(λ s_k),   s_k = d_k in spreads of the differences so far, clipped

is a test martingale: it exceeds 1/α at any time with probability ≤ α (Ville 1939; de la Peña 1999; Ramdas et al. 2020,
"Admissible anytime-valid sequential inference must rely on nonnegative martingales"). The interval holds every effect δ that the
differences d_k − δ do not contradict. Season, trend, bursts and heavy tails need no model, as neighbouring blocks share them
(Bojinov, Simchi-Levi & Zhao 2023, "Design and analysis of switchback experiments"). Blocks have to outlast the lever's settling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.stats import mad_sd, median, medians
from trimtab.stats.scale import MAD_TO_SD
from trimtab.verify.judge import Samples, direction_of
from trimtab.verify.samples import as_arrays
from trimtab.verify.unit import Unit, choose_unit
from trimtab.verify.wording import percent

Array = NDArray[np.float64]

LAMBDAS = (0.25, 0.5, 1.0, 2.0)  # per spread of the differences; spread over the sizes of effect worth finding
LEAST_PAIRS = 5  # 2⁵ > 1/.05: with fewer no order of the coins is rare enough
REACH = 1.5  # spreads beyond which a difference says no more (Huber 1964); clipping leaves coins fair
GRID = 201  # effects tried for the interval
LEAST = 1e-12  # relative; what a conclusive interval keeps from zero
METHOD = "switchback"


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of time in seconds, `begin` ≤ t < `end`, with the change or without."""

    begin: float
    end: float
    on: bool


def plan_switchback(begin: float, block_seconds: float, coins: Sequence[bool]) -> list[Block]:
    """Two blocks for every coin: with the change first where it shows True.

    >>> [(block.begin, block.on) for block in plan_switchback(0.0, 60.0, [True, False])]
    [(0.0, True), (60.0, False), (120.0, False), (180.0, True)]
    """
    order = [on for coin in coins for on in (coin, not coin)]
    return [Block(begin + i * block_seconds, begin + (i + 1) * block_seconds, on) for i, on in enumerate(order)]


def judge_switchback(
    samples: Samples, blocks: Sequence[Block], *, goal: object, settle_seconds: float = 0.0, alpha: float = 0.05
) -> Verdict:
    """The verdict on samples (t, y) from `blocks`, pair by pair; those of the first `settle_seconds` of a block do not count.

    Valid however often it is asked while pairs come in: at most `alpha` of the changes that do nothing are called improved, and
    at most `alpha` worse.

    >>> blocks = plan_switchback(0.0, 10.0, [i % 3 == 0 for i in range(12)])
    >>> t = np.arange(240.0)
    >>> on = np.asarray([blocks[int(s // 10)].on for s in t])
    >>> y = np.where(on, 0.9, 1.0) * (2.0 + np.sin(t / 40.0)) * np.exp(0.02 * np.sin(t**2))
    >>> judge_switchback((t, y), blocks, goal="minimize").status
    <VerdictStatus.IMPROVED: 'improved'>
    """
    sign = direction_of(goal).sign
    t, y = as_arrays(*samples)
    known = np.isfinite(y) & np.isfinite(t)
    t, y = t[known], y[known]
    unit = choose_unit(y) if y.size else None
    pairs = _differences(t, unit.inner(y), blocks, settle_seconds) if unit is not None else np.empty(0)
    if unit is None or pairs.size < LEAST_PAIRS:
        words = f"inconclusive: {pairs.size} pairs of blocks have samples, {LEAST_PAIRS} are needed; wait for more"
        return Verdict(VerdictStatus.INCONCLUSIVE, None, None, None, METHOD, words, 0, int(pairs.size))
    for seen in range(LEAST_PAIRS, pairs.size + 1):  # the first conclusive look stands
        verdict = _verdict(pairs[:seen], unit, median(unit.inner(y)), sign, alpha)
        if verdict.conclusive:
            return verdict
    return verdict


def _differences(t: Array, z: Array, blocks: Sequence[Block], settle_seconds: float) -> Array:
    """With minus without the change, per pair whose blocks both have samples, (pairs,)."""
    means = [_mean(z[(t >= block.begin + settle_seconds) & (t < block.end)]) for block in blocks]
    out = []
    for first, second in zip(range(0, len(blocks) - 1, 2), range(1, len(blocks), 2), strict=True):
        if blocks[first].on == blocks[second].on:
            raise ValueError(f"blocks {first} and {second} are a pair, so one of them has to be without the change")
        out.append((means[first] - means[second]) * (1.0 if blocks[first].on else -1.0))
    return np.asarray([d for d in out if math.isfinite(d)], dtype=np.float64)


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else math.nan


def _verdict(d: Array, unit: Unit, level: float, sign: int, alpha: float) -> Verdict:
    needed = math.log(1.0 / alpha)
    up, down = (float(side[0]) for side in _log_e(d, np.zeros(1)))
    low, high = (sign * unit.relative(end, level) for end in _bounds(d, needed))
    low, high, effect = min(low, high), max(low, high), sign * unit.relative(median(d), level)
    status = VerdictStatus.INCONCLUSIVE
    if max(up, down) >= needed:
        status = VerdictStatus.IMPROVED if (up > down) == (sign > 0) else VerdictStatus.WORSE
        low, high = (
            (max(low, LEAST), max(high, LEAST)) if status is VerdictStatus.IMPROVED else (min(low, -LEAST), min(high, -LEAST))
        )
    else:
        low, high = min(low, 0.0), max(high, 0.0)
    effect = min(max(effect, low), high)
    words = f"{status}: the effect lies between {percent(low)} and {percent(high)} (best guess {percent(effect)}), "
    words += f"by {d.size} pairs of blocks with and without the change, in random order"
    return Verdict(status, effect, low, high, METHOD, words, 0, int(d.size))


def _bounds(d: Array, needed: float) -> tuple[float, float]:
    """The least and the greatest effect that the differences do not contradict."""
    middle = median(d)
    reach = 8.0 * mad_sd(d) + 1e-9
    tried = middle + reach * np.linspace(-1.0, 1.0, GRID)
    held = tried[np.maximum(*_log_e(d, tried)) < needed]
    return (float(held.min()), float(held.max())) if held.size else (middle, middle)


def _log_e(d: Array, effects: Array) -> tuple[Array, Array]:
    """Log e-values for more, and for less, than each effect (m,); either exceeds log(1/α) ever with probability ≤ α."""
    rest = d - effects[:, None]
    sizes = np.abs(rest)  # of those so far, without their signs: no coin is foreseen
    spread = MAD_TO_SD * np.stack([medians(sizes[:, : k + 1]) for k in range(d.size)], axis=1)
    tilt = np.asarray(LAMBDAS)[:, None, None] * np.clip(rest / np.maximum(spread, 1e-12), -REACH, REACH)
    fair = np.logaddexp(tilt, -tilt) - math.log(2.0)
    return _log_mean((tilt - fair).sum(axis=-1)), _log_mean((-tilt - fair).sum(axis=-1))


def _log_mean(x: Array) -> Array:
    top = x.max(axis=0)
    return np.asarray(top + np.log(np.exp(x - top).mean(axis=0)))
