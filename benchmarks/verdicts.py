"""How honest, how quick and how cheap verdicts are, beside the comparison that everybody makes: before against after.

    python benchmarks/verdicts.py --reps 500 --seed 0 [--json] [--only honesty|power|fresh|timing]

Honesty: an action that does nothing, applied at an extreme of a 5-sample mean after two days of history at 30 s; the verdict is
asked for anew every 10 samples up to 180 and the first that decides counts. Power: the same with a real gain. Fresh: an
agent that has seen 12 to 60 healthy samples, then a fault. Exit status 1 when a bar is missed: `improved` or `worse` above
5 % on AR(1) noise of ρ 0, .5, .9.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.verdicts import VerdictStatus
from trimtab.verify import Judge, judge

Array = NDArray[np.float64]
Series = Callable[[np.random.Generator, int], Array]

DAY = 2880  # samples at 30 s
HISTORY, TRIAL, STEP = 2 * DAY, 180, 10
BAR, BARRED = 0.05, ("ar1 0", "ar1 .5", "ar1 .9")


# ------------------------------------------------------------------ series on which nothing happens


def ar1(rng: np.random.Generator, n: int, rho: float, sd: float = 1.0) -> Array:
    """Stationary AR(1) noise (n,) of standard deviation `sd`."""
    shock = rng.standard_normal(n) * math.sqrt(1.0 - rho * rho)
    shock[0] = rng.standard_normal()
    out = np.empty(n)
    state = 0.0
    for i, e in enumerate(shock.tolist()):
        state = rho * state + e
        out[i] = state
    return np.asarray(sd * out)


def noise(rho: float, sd: float = 10.0) -> Series:
    return lambda rng, n: np.asarray(100.0 + ar1(rng, n, rho, sd))


def season(rng: np.random.Generator, n: int) -> Array:
    phase = rng.uniform(0, 2 * math.pi)
    return np.asarray(100.0 + 20.0 * np.sin(2 * math.pi * np.arange(n) / DAY + phase) + ar1(rng, n, 0.5, 6.0))


def trend(rng: np.random.Generator, n: int) -> Array:
    return np.asarray(100.0 + rng.choice([-1, 1]) * 12.0 * np.linspace(-1, 1, n) + ar1(rng, n, 0.5, 6.0))


def heavy(rng: np.random.Generator, n: int) -> Array:
    return 100.0 + np.clip(4.0 * rng.standard_t(3, n), -80, 200)


def shifts(rng: np.random.Generator, n: int) -> Array:
    levels = 100.0 + np.cumsum((rng.random(n) < 6 / DAY) * rng.normal(0, 8.0, n))
    return np.asarray(np.maximum(levels, 30.0) + ar1(rng, n, 0.3, 5.0))


def bursts(rng: np.random.Generator, n: int) -> Array:
    y = 100.0 + ar1(rng, n, 0.3, 5.0)
    for start in np.flatnonzero(rng.random(n) < 12 / DAY):
        y[start : start + int(rng.integers(10, 60))] += rng.uniform(20, 60)
    return y


def lognormal(rng: np.random.Generator, n: int) -> Array:
    return np.asarray(0.1 * np.exp(ar1(rng, n, 0.7, 0.4)))


FAMILIES: dict[str, Series] = {
    "ar1 0": noise(0.0), "ar1 .5": noise(0.5), "ar1 .9": noise(0.9), "ar1 .98": noise(0.98), "ar1 .9, sd 5 %": noise(0.9, 5.0),
    "season": season, "trend": trend, "heavy tails": heavy, "level shifts": shifts, "bursts": bursts, "lognormal": lognormal,
}  # fmt: skip


# ------------------------------------------------------------------ trials


def trigger(rng: np.random.Generator, y: Array, rep: int, rises: bool) -> int:
    """Index of the sample at which one acts: an extreme of the 5-sample mean in the third day, by one of three habits."""
    means = np.convolve(y, np.full(5, 0.2), mode="valid") * (1 if rises else -1)
    means = np.concatenate((np.full(4, -np.inf), means))
    day = means[HISTORY : HISTORY + DAY]
    if rep % 3 == 0:
        return HISTORY + int(day.argmax())
    bar = np.quantile(means[4:HISTORY], 0.999 if rep % 3 == 1 else 0.98)
    crossed = np.flatnonzero(day >= bar)
    return HISTORY + int(crossed[0] if crossed.size else day.argmax())


@dataclass
class Tally:
    """Outcomes of many trials."""

    name: str
    reps: int
    improved: float
    worse: float
    improved_upper: float
    naive: float
    median_samples: float | None


def wilson_upper(share: float, n: int, z: float = 1.96) -> float:
    middle = share + z * z / (2 * n)
    return (middle + z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))) / (1 + z * z / n)


def long_trials(name: str, series: Series, reps: int, seed: int, gain: float = 0.0) -> Tally:
    """`gain`: relative, positive = better; 0 = the action does nothing."""
    improved = worse = naive = 0
    taken: list[int] = []
    for rep in range(reps):
        rng = np.random.default_rng([seed, rep, sum(map(ord, name))])
        minimize = rep % 2 == 0
        y = series(rng, HISTORY + DAY + TRIAL + 1)
        at = trigger(rng, y, rep, rises=minimize)
        y = y[at - HISTORY + 1 : at + TRIAL + 1].copy()
        y[HISTORY:] *= 1 - gain if minimize else 1 + gain
        t = 30.0 * np.arange(y.size)
        goal = "minimize" if minimize else "maximize"
        status = VerdictStatus.INCONCLUSIVE
        verdict = judge((t, y), applied_at=t[HISTORY - 1] + 1.0, goal=goal)
        if verdict.conclusive:  # it latches: asked every 10 samples, the first conclusive answer is this one
            status = verdict.status
            taken.append(math.ceil(verdict.n_after / STEP) * STEP)
        improved += status is VerdictStatus.IMPROVED
        worse += status is VerdictStatus.WORSE
        naive += naive_improved(y[HISTORY - 5 : HISTORY], y[HISTORY:], minimize)
    median = float(np.median(taken)) if taken else None
    return Tally(name, reps, improved / reps, worse / reps, wilson_upper(improved / reps, reps), naive / reps, median)


def naive_improved(before: Array, after: Array, minimize: bool) -> bool:
    """What a before/after comparison says at the first look that decides: two standard errors from the 5 samples before."""
    for end in range(STEP, after.size + 1, STEP):
        a = after[:end]
        error = math.sqrt(before.var(ddof=1) / before.size + a.var(ddof=1) / a.size)
        z = (before.mean() - a.mean()) / error * (1 if minimize else -1)
        if abs(z) > 2.0:
            return bool(z > 0)
    return False


# ------------------------------------------------------------------ a fresh agent


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


# ------------------------------------------------------------------ cost


def timings() -> dict[str, float]:
    """Milliseconds: 10,000 points at once; making a judge from two days; one update."""
    rng = np.random.default_rng(1)
    y = noise(0.9)(rng, 10_000)
    t = 30.0 * np.arange(y.size)
    history = (t[:HISTORY], y[:HISTORY])
    out = {
        "10,000 points, half of them after": _best(lambda: judge((t, y), applied_at=t[5000] + 1, goal="minimize")),
        "10,000 points, 180 of them after": _best(lambda: judge((t, y), applied_at=t[-181] + 1, goal="minimize")),
        "a judge from 5,760 samples": _best(lambda: Judge(history, applied_at=t[HISTORY - 1] + 1, goal="minimize")),
    }
    streaming = Judge(history, applied_at=t[HISTORY - 1] + 1, goal="minimize")
    spent = []
    for i in range(HISTORY, HISTORY + 400):
        begun = time.perf_counter()
        streaming.update(t[i], y[i])
        spent.append(1e3 * (time.perf_counter() - begun))
    return out | {"an update, median": float(np.median(spent)), "an update, 99 %": float(np.quantile(spent, 0.99))}


def _best(work: Callable[[], object], times: int = 7) -> float:
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append(1e3 * (time.perf_counter() - begun))
    return min(spent)


# ------------------------------------------------------------------ the table

POWER: tuple[tuple[str, Series, float], ...] = (
    ("20 % gain, ρ 0", noise(0.0), 0.20), ("20 % gain, ρ .5", noise(0.5), 0.20), ("30 % gain, ρ .5", noise(0.5), 0.30),
    ("5 % gain, ρ 0", noise(0.0), 0.05), ("5 % gain, ρ .5", noise(0.5), 0.05), ("14 % gain, ρ .9", noise(0.9), 0.14),
    ("20 % harm, ρ .5", noise(0.5), -0.20), ("6 % gain, season", season, 0.06), ("6 % gain, heavy tails", heavy, 0.06),
    ("20 % gain, bursts", bursts, 0.20), ("25 % gain, lognormal", lognormal, 0.25), ("12 % gain, trend", trend, 0.12),
)  # fmt: skip


def show_honesty(reps: int, seed: int, say: Callable[[str], None]) -> list[Tally]:
    say(f"{'does nothing':24} improved  worse  upper  before/after")
    rows = []
    for name, series in FAMILIES.items():
        row = long_trials(name, series, reps, seed)
        rows.append(row)
        mark = "  MISSED" if misses(row) else ""
        say(f"{name:24} {row.improved:8.3f} {row.worse:6.3f} {row.improved_upper:6.3f} {row.naive:13.2f}{mark}")
    return rows


def misses(row: Tally) -> bool:
    return row.name in BARRED and max(row.improved, row.worse) > BAR


def show_power(reps: int, seed: int, say: Callable[[str], None]) -> list[Tally]:
    say(f"\n{'a real effect':24} improved  worse  median samples")
    rows = []
    for name, series, gain in POWER:
        row = long_trials(name, series, max(20, reps // 4), seed, gain)
        rows.append(row)
        say(f"{name:24} {row.improved:8.2f} {row.worse:6.2f} {row.median_samples or math.nan:15.0f}")
    return rows


def show_fresh(reps: int, seed: int, say: Callable[[str], None]) -> list[FreshTally]:
    say(f"\n{'a fresh agent, 30 samples':44} improved  worse  decided ≤ 8  median  futile ≤ 10  median")
    rows = []
    for case in fresh_cases():
        row = fresh_trials(case, max(20, reps // 2), seed)
        rows.append(row)
        decided = f"{row.improved:8.2f} {row.worse:6.2f} {row.decided_in_8:12.2f} {row.median_samples or math.nan:7.0f}"
        say(f"{row.name:44} {decided} {row.futile_in_10:12.2f} {row.median_futile or math.nan:7.0f}")
    return rows


def show_timings(say: Callable[[str], None]) -> dict[str, float]:
    spent = timings()
    say("")
    for what, milliseconds in spent.items():
        say(f"{what:40} {milliseconds:8.2f} ms")
    return spent


def rows_of(table: Sequence[Tally | FreshTally]) -> list[dict[str, object]]:
    return [asdict(row) for row in table]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("honesty", "power", "fresh", "timing"))
    args = parser.parse_args()

    def say(line: str) -> None:
        if not args.json:
            print(line, flush=True)

    def wanted(part: str) -> bool:
        return args.only in (None, part)

    honesty = show_honesty(args.reps, args.seed, say) if wanted("honesty") else []
    power = show_power(args.reps, args.seed, say) if wanted("power") else []
    fresh = show_fresh(args.reps, args.seed, say) if wanted("fresh") else []
    spent = show_timings(say) if wanted("timing") else {}
    missed = [row.name for row in honesty if misses(row)]
    if args.json:
        tables = {"honesty": rows_of(honesty), "power": rows_of(power), "fresh": rows_of(fresh)}
        print(json.dumps({"reps": args.reps, "seed": args.seed, **tables, "milliseconds": spent, "missed": missed}, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
