"""How soon a verdict comes to an agent just started: 12 to 60 healthy samples, then a fault. Read by `verdicts.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trimtab.domain.verdicts import VerdictStatus
from trimtab.verify import Judge
from verdict_worlds import Array, ar1


@dataclass
class Fresh:
    """A short history with a fault. `effect`: share of the way back to healthy (log scale; −1: as bad again)."""

    name: str
    healthy: tuple[int, int]
    faulty: tuple[int, int]
    ratio: float
    sd: float
    rho: float
    effect: float
    settle: int = 0
    levels: tuple[float, ...] = ()  # ratios of earlier regimes, each left by an action of ours


def fresh_trial(case: Fresh, rng: np.random.Generator) -> tuple[Judge, Array, float]:
    healthy, faulty = int(rng.integers(*case.healthy, endpoint=True)), int(rng.integers(*case.faulty, endpoint=True))
    pieces = [np.zeros(healthy)] if healthy else []
    changes: list[float] = []
    for ratio in case.levels:
        pieces.append(np.full(int(rng.integers(6, 12)), math.log(ratio)))
        changes.append(2.0 * sum(p.size for p in pieces) - 1.0)
    pieces.append(np.full(faulty, math.log(case.ratio)))
    before = np.concatenate(pieces)
    after = math.log(case.ratio) * (1 - case.effect) * np.ones(40)
    y = 0.1 * np.exp(np.concatenate((before, after)) + ar1(rng, before.size + 40, case.rho, case.sd))
    t = 2.0 * np.arange(y.size)
    applied = t[before.size - 1] + 0.5
    judge_ = Judge(
        history=(t[: before.size], y[: before.size]),
        applied_at=applied,
        goal="minimize",
        settle_seconds=2.0 * case.settle,
        changes=changes,
    )
    return judge_, y[before.size :], float(t[before.size])


@dataclass
class FreshTally:
    name: str
    reps: int
    improved: float
    decided_in_8: float
    worse: float
    median_samples: float | None
    futile_in_10: float
    median_futile: float | None


def fresh_trials(case: Fresh, reps: int, seed: int) -> FreshTally:
    improved = worse = 0
    taken: list[int] = []
    futile: list[int] = []
    for rep in range(reps):
        judge_, after, start = fresh_trial(case, np.random.default_rng([seed, rep, sum(map(ord, case.name))]))
        first_futile = 0
        for i, value in enumerate(after[:30]):
            verdict = judge_.update(start + 2.0 * i, float(value))
            if verdict.futile and not first_futile:
                first_futile = verdict.n_after
        improved += judge_.verdict.status is VerdictStatus.IMPROVED
        worse += judge_.verdict.status is VerdictStatus.WORSE
        if judge_.verdict.conclusive:
            taken.append(judge_.verdict.n_after)
        if first_futile:
            futile.append(first_futile)
    quick = sum(n <= 8 for n in taken) / reps
    return FreshTally(
        case.name, reps, improved / reps, quick, worse / reps, float(np.median(taken)) if taken else None,
        sum(n <= 10 for n in futile) / reps, float(np.median(futile)) if futile else None,
    )  # fmt: skip


def fresh_cases() -> list[Fresh]:
    cases = []
    for label, effect in (
        ("back to healthy", 0.95),
        ("30 % better", -math.log(0.7) / math.log(6)),
        ("nothing", 0.0),
        ("half as bad again", -0.23),
    ):
        for sd, rho in ((0.1, 0.3), (0.2, 0.3), (0.2, 0.6)):
            cases.append(Fresh(f"{label}, noise {sd:.0%}, ρ {rho}", (12, 60), (3, 15), 6.0, sd, rho, effect))
    for label, effect in (("back to healthy", 0.95), ("nothing", 0.0)):
        cases.append(Fresh(f"{label}, settle 5", (12, 60), (3, 15), 6.0, 0.2, 0.3, effect, settle=5))
        cases.append(Fresh(f"{label}, no healthy past", (0, 0), (10, 20), 6.0, 0.15, 0.3, effect))
        cases.append(Fresh(f"{label}, lognormal .4", (12, 60), (3, 15), 6.0, 0.4, 0.3, effect))
        cases.append(Fresh(f"{label}, mild fault 2 ×", (12, 60), (5, 15), 2.0, 0.1, 0.3, effect))
        cases.append(
            Fresh(f"{label}, useless then partial lever before", (12, 60), (6, 10), 4.0, 0.15, 0.3, effect, levels=(6.0, 6.0))
        )
        cases.append(Fresh(f"{label}, second fault", (12, 60), (4, 10), 6.0, 0.15, 0.3, effect, levels=(6.0, 1.0)))
    return cases
