"""How honest, how strong, how quick and how cheap verdicts are, beside the comparison that everybody makes: before against after.

    python benchmarks/verdicts.py --reps 500 --seed 0 [--json] [--only honesty|power|shared|bad|fresh|timing]

Honesty: an action that does nothing, applied at an extreme of a 5-sample mean after two days of history at 30 s; the verdict is
asked for anew every 10 samples up to 180 and the first that decides counts. Power: the same with a real gain, or a real harm.
Shared: half the gain, with a control or by switchback. Bad: data that carry no verdict, though the gain is large. Fresh: an agent
that has seen 12 to 60 healthy samples, then a fault. Every bar prints "ok" or "MISSED"; exit status 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.verify import Judge, judge, judge_switchback, plan_switchback
from verdict_fresh import FreshTally, fresh_cases, fresh_trials
from verdict_strangers import OPEN, STRANGERS
from verdict_worlds import (
    FAMILIES,
    HISTORY,
    STEP,
    TRIAL,
    Array,
    Series,
    bursts,
    heavy,
    lognormal,
    noise,
    season,
    sister,
    trend,
    trigger,
)

DAY = HISTORY // 2
ENOUGH = 400  # repetitions from which on shares are held to the bar itself; with fewer, to what chance leaves of it
FALSE, FALSE_UPPER = 0.05, 0.07
AT_ONCE_MS, UPDATE_MS = 20.0, 1.0
Say = Callable[[str], None]


@dataclass
class Tally:
    """Shares of many trials. `found`: of the verdict that is right (improved for a gain, worse for a harm, none for nothing)."""

    name: str
    reps: int
    improved: float
    worse: float
    before_after: float
    median_samples: float | None
    bar: float | None = None
    missed: bool = False


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Lower and upper bound of a share seen in n trials."""
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def too_often(share: float, n: int) -> bool:
    low, high = wilson(share, n)
    return share > FALSE or high > FALSE_UPPER if n >= ENOUGH else low > FALSE


def too_seldom(share: float, n: int, bar: float) -> bool:
    return (share if n >= ENOUGH else wilson(share, n)[1]) < bar


# ------------------------------------------------------------------ trials


@dataclass
class Case:
    """A trial after two days of history. `gain`: relative, positive = better; 0 = the action does nothing."""

    name: str
    series: Series
    gain: float = 0.0
    horizon: int = TRIAL
    bar: float | None = None
    control: bool = False
    switch: int = 0  # samples in a block of a switchback; 0: applied once


def run(case: Case, reps: int, seed: int) -> Tally:
    statuses, taken, naive = [], [], 0
    for rep in range(reps):
        rng = np.random.default_rng([seed, rep, sum(map(ord, case.name))])
        minimize = rep % 2 == 0
        y = case.series(rng, HISTORY + DAY + TRIAL + 1)
        at = trigger(rng, y, rep // 2, rises=minimize)
        y = y[at - HISTORY + 1 : at + case.horizon + 1].copy()
        control = {"sister": sister(rng, y)} if case.control else {}
        factor = 1 - case.gain if minimize else 1 + case.gain
        goal = "minimize" if minimize else "maximize"
        verdict = switched(case, rng, y[HISTORY:], factor, goal) if case.switch else once(y, factor, goal, control)
        statuses.append(verdict.status)
        if verdict.conclusive:  # it latches: asked every 10 samples, the first conclusive answer is this one
            taken.append(math.ceil(verdict.n_after / STEP) * STEP)
        naive += before_after(y[HISTORY - 5 : HISTORY], y[HISTORY:], minimize)
    shares = [statuses.count(status) / reps for status in (VerdictStatus.IMPROVED, VerdictStatus.WORSE)]
    median = float(np.median(taken)) if taken else None
    return Tally(case.name, reps, *shares, naive / reps, median, case.bar)


def once(y: Array, factor: float, goal: str, controls: dict[str, Array]) -> Verdict:
    """Applied at the end of the history and left; `y` (n,) is changed in place."""
    y[HISTORY:] *= factor
    t = 30.0 * np.arange(y.size)
    return judge((t, y), applied_at=t[HISTORY - 1] + 1.0, goal=goal, controls=controls)


def switched(case: Case, rng: np.random.Generator, y: Array, factor: float, goal: str) -> Verdict:
    """On and off in blocks, in the order of coins."""
    t = 30.0 * np.arange(y.size)
    coins = rng.random(case.horizon // case.switch // 2) < 0.5
    blocks = plan_switchback(0.0, 30.0 * case.switch, coins.tolist())
    for block in blocks:
        y[(t >= block.begin) & (t < block.end)] *= factor if block.on else 1.0
    return judge_switchback((t, y), blocks, goal=goal)


def before_after(before: Array, after: Array, minimize: bool) -> bool:
    """What everybody says at the first look that decides: improved, two standard errors from the 5 samples before."""
    for end in range(STEP, after.size + 1, STEP):
        a = after[:end]
        error = math.sqrt(before.var(ddof=1) / before.size + a.var(ddof=1) / a.size)
        z = (before.mean() - a.mean()) / max(error, 1e-12) * (1 if minimize else -1)  # counts may be all the same
        if abs(z) > 2.0:
            return bool(z > 0)
    return False


GAINS: tuple[Case, ...] = (
    Case("5 %, white, 60 samples", noise(0.0), 0.05, 60, 0.9), Case("5 %, ρ .5", noise(0.5), 0.05, TRIAL, 0.9),
    Case("14 %, ρ .9", noise(0.9), 0.14, TRIAL, 0.9), Case("6 %, season", season, 0.06, TRIAL, 0.9),
    Case("6 %, heavy tails", heavy, 0.06, TRIAL, 0.9), Case("12 %, trend", trend, 0.12, TRIAL, 0.9),
    Case("20 %, bursts", bursts, 0.20, TRIAL, 0.8), Case("25 %, lognormal", lognormal, 0.25, TRIAL, 0.8),
)  # fmt: skip
HARM_HARDER = 0.03  # "as often": within what 500 repetitions can tell apart
HALVES: tuple[tuple[str, Series, float, float], ...] = (
    ("3 %, season", season, 0.03, 0.9), ("6 %, trend", trend, 0.06, 0.9),
    ("3 %, heavy tails", heavy, 0.03, 0.9), ("10 %, bursts", bursts, 0.10, 0.8),
)  # fmt: skip


def show_honesty(reps: int, seed: int, say: Say) -> list[Tally]:
    say(f"{'does nothing':32} improved  worse  upper bounds  before/after says improved")
    rows = [honest(run(Case(name, series), reps, seed), say) for name, series in FAMILIES.items()]
    say(f"\n{'does nothing, further series':32} improved  worse  upper bounds  before/after says improved")
    for name, series in STRANGERS.items():
        row = honest(run(Case(name, series), reps, seed), say)
        if row.missed and name in OPEN:
            row.missed = False
            say(f"  open: {OPEN[name]}")
        rows.append(row)
    return rows


def honest(row: Tally, say: Say) -> Tally:
    row.missed = too_often(row.improved, row.reps) or too_often(row.worse, row.reps)
    upper = [wilson(share, row.reps)[1] for share in (row.improved, row.worse)]
    say(
        f"{row.name:32} {row.improved:8.3f} {row.worse:6.3f}   {upper[0]:.3f} {upper[1]:.3f} {row.before_after:12.2f}"
        f"  {mark(row.missed)}"
    )
    return row


def show_power(reps: int, seed: int, say: Say) -> list[Tally]:
    say(f"\n{'a real effect':32} improved  worse  median samples  bar   before/after says improved")
    rows = [strong(run(case, reps, seed), say) for case in GAINS]
    for case, gain in zip(GAINS, list(rows), strict=True):
        bar = None if case.series is bursts else min(case.bar or 0.0, gain.improved) - HARM_HARDER
        harm = Case(f"harm of {case.name}", case.series, -case.gain, case.horizon, bar)
        rows.append(strong(run(harm, reps, seed), say, harm=True))
    return rows


def strong(row: Tally, say: Say, *, harm: bool = False) -> Tally:
    found = row.worse if harm else row.improved
    row.missed = row.bar is not None and too_seldom(found, row.reps, row.bar)
    bar = f"{row.bar:.2f}" if row.bar is not None else "   –"
    said = f"{row.improved:8.3f} {row.worse:6.3f} {row.median_samples or math.nan:15.0f}  {bar}"
    say(f"{row.name:32} {said} {row.before_after:8.2f}  {mark(row.missed) if row.bar is not None else ''}")
    return row


def show_shared(reps: int, seed: int, say: Say) -> list[Tally]:
    say(f"\n{'half the effect, two ways':32} improved  worse  median samples  bar")
    rows = []
    for name, series, gain, bar in HALVES:
        aided = run(Case(f"{name}, control of .8", series, gain, control=True), reps, seed)
        switch = run(Case(f"{name}, switchback", series, gain, switch=1), max(20, reps // 4), seed)
        better = max((aided, switch), key=lambda row: row.improved)  # the strongest available is chosen
        better.bar = bar
        rows += [strong(aided, say), strong(switch, say)]
    say(f"\n{'does nothing, beside a control':32} improved  worse  upper bounds  before/after says improved")
    rows += [
        honest(run(Case(name, FAMILIES[name], control=True), reps, seed), say) for name in ("season", "heavy tails", "bursts")
    ]
    return rows


def mark(missed: bool) -> str:
    return "MISSED" if missed else "ok"


# ------------------------------------------------------------------ bad data


def spoilt(rng: np.random.Generator) -> tuple[str, Verdict]:
    """A gain of 60 % that no sound data show, and the verdict on it."""
    kinds = ("missing", "mostly missing", "stale", "few before", "few after", "late", "frozen", "errors read as zero")
    kind, begin = str(rng.choice(kinds)), int(rng.integers(30, 600))
    if kind == "few before":
        begin = int(rng.integers(0, 5))
    n = begin + (int(rng.integers(0, 3)) if kind == "few after" else int(rng.integers(10, 120)))
    y, t = 100.0 * np.exp(0.1 * rng.standard_normal(n)), 30.0 * np.arange(n)
    y[begin:] *= 0.4
    after = np.arange(n) >= begin
    if kind in ("missing", "mostly missing"):
        lost = rng.random(n) < (1.0 if kind == "missing" else rng.uniform(0.6, 0.95))
        y[after & (lost | (np.arange(n) < begin + 3))] = rng.choice([np.nan, np.inf])
    elif kind == "frozen":
        y[after] = 40.0
    elif kind == "errors read as zero":
        y[after] = 0.0
    t[after] += 30.0 * (12 + rng.integers(100)) if kind in ("late", "stale") else 0.0
    applied_at = t[begin] - 1.0 if kind == "stale" else 30.0 * begin - 29.0
    return kind, judge((t, y), applied_at=applied_at, goal="minimize")


def show_bad(reps: int, seed: int, say: Say) -> list[str]:
    rng = np.random.default_rng([seed, 77])
    wrong = [f"{kind}: {verdict.reason}" for kind, verdict in (spoilt(rng) for _ in range(reps)) if verdict.conclusive]
    say(f"\nmissing, stale or too few: inconclusive {reps - len(wrong):,} of {reps:,}  {mark(bool(wrong))}")
    for line in wrong[:5]:
        say(f"  {line}")
    return wrong


# ------------------------------------------------------------------ a fresh agent, and cost


def show_fresh(reps: int, seed: int, say: Say) -> list[FreshTally]:
    say(f"\n{'a fresh agent, 30 samples':44} improved  worse  decided ≤ 8  median  futile ≤ 10  median")
    rows = []
    for case in fresh_cases():
        row = fresh_trials(case, reps, seed)
        rows.append(row)
        decided = f"{row.improved:8.2f} {row.worse:6.2f} {row.decided_in_8:12.2f} {row.median_samples or math.nan:7.0f}"
        say(f"{row.name:44} {decided} {row.futile_in_10:12.2f} {row.median_futile or math.nan:7.0f}")
    return rows


def timings() -> dict[str, tuple[float, float | None]]:
    """Milliseconds, and the bar: 10,000 points at once; making a judge from two days; one update."""
    out: dict[str, tuple[float, float | None]] = {}
    for name in ("ar1 .9", "season", "bursts", "level shifts"):
        y = FAMILIES[name](np.random.default_rng(1), 10_000)
        t = 30.0 * np.arange(y.size)
        history, applied_at = (t[:HISTORY], y[:HISTORY]), t[HISTORY - 1] + 1
        for after in (5000, TRIAL):
            work = lambda t=t, y=y, after=after: judge((t, y), applied_at=t[-after - 1] + 1, goal="minimize")  # noqa: E731
            out[f"{name}: 10,000 points, {after:,} of them after"] = (_best(work), AT_ONCE_MS)
        out[f"{name}: a judge from 5,760 samples"] = (
            _best(lambda h=history, a=applied_at: Judge(h, applied_at=a, goal="minimize")), None,
        )  # fmt: skip
        streaming, spent = Judge(history, applied_at=applied_at, goal="minimize"), []
        for i in range(HISTORY, HISTORY + 200):
            begun, done = time.perf_counter(), streaming.verdict.conclusive
            streaming.update(t[i], y[i])
            spent += [] if done else [1e3 * (time.perf_counter() - begun)]
        out[f"{name}: an update, median"] = (float(np.median(spent)), UPDATE_MS)
    return out


def _best(work: Callable[[], object], times: int = 9) -> float:
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append(1e3 * (time.perf_counter() - begun))
    return min(spent)


def show_timings(say: Say) -> dict[str, tuple[float, float | None]]:
    spent = timings()
    say("")
    for what, (milliseconds, bar) in spent.items():
        say(f"{what:56} {milliseconds:8.2f} ms  {mark(milliseconds > bar) if bar is not None else ''}")
    return spent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("honesty", "power", "shared", "bad", "fresh", "timing"))
    args = parser.parse_args()

    def say(line: str) -> None:
        if not args.json:
            print(line, flush=True)

    def wanted(part: str) -> bool:
        return args.only in (None, part)

    rows = show_honesty(args.reps, args.seed, say) if wanted("honesty") else []
    rows += show_power(args.reps, args.seed, say) if wanted("power") else []
    rows += show_shared(args.reps, args.seed, say) if wanted("shared") else []
    bad = show_bad(max(1000, args.reps), args.seed, say) if wanted("bad") else []
    fresh = show_fresh(max(20, args.reps // 2), args.seed, say) if wanted("fresh") else []
    spent = show_timings(say) if wanted("timing") else {}
    missed = [row.name for row in rows if row.missed] + ["bad data"] * bool(bad)
    missed += [what for what, (milliseconds, bar) in spent.items() if bar is not None and milliseconds > bar]
    say(f"\nbars missed: {', '.join(missed) or 'none'}")
    if args.json:
        tables = {"rows": [asdict(row) for row in rows], "fresh": [asdict(row) for row in fresh], "milliseconds": spent}
        print(json.dumps({"reps": args.reps, "seed": args.seed, **tables, "missed": missed}, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
