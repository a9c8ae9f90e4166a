"""How well beliefs are calibrated, and how little is lost by choosing between rivals, in worlds whose truth is known.

    python benchmarks/learning.py --seed 0 [--short] [--json] [--only calibration|choice]

Calibration: `Beliefs` are told 500 outcomes; then each of the next 100 is foretold before it is told. Error: the expected
calibration error over ten bins, less what a perfectly calibrated forecaster shows on as many outcomes (Roelofs et al. 2022,
"Mitigating bias in calibration error estimation"), mean over the seeds. Held: how often the 90 % interval holds the true
P(success), with the share that chance explains beside it. In worlds that change at outcome 500 the hundred begins 50 outcomes
later: these are the bar "recalibrated within 50 outcomes". Choice: regret, the expected reward lost
against who knows the truth, over 1,500 choices between four options. Every bar prints "ok" or "MISSED"; exit status 1 when one
is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from learning_rivals import RIVALS, Best, Policy
from learning_worlds import CHANGING, CHOICES, WORLDS, Problem, World
from trimtab.domain.actions import OptimizationAction, Outcome
from trimtab.domain.contexts import Context
from trimtab.domain.levers import ActionPriority, Reversibility
from trimtab.domain.verdicts import VerdictStatus
from trimtab.learn import Beliefs, Chooser

TOLD, FORETOLD, GRACE = 500, 100, 50
ERROR_BAR, HELD_BARS = 0.05, (0.85, 0.95)
BINS, RESAMPLED = 10, 200
REGRET_BAR = 0.5
HORIZON = 1500


@dataclass(frozen=True)
class Calibration:
    """Means over the seeds."""

    world: str
    seeds: int
    error: float
    held: float
    held_low: float  # the share that chance alone explains, given how many seeds there were
    held_high: float
    distance: float  # mean |forecast − truth|
    width: float
    improvement_held: float

    @property
    def ok(self) -> bool:
        return self.error <= ERROR_BAR and HELD_BARS[0] <= self.held <= HELD_BARS[1]


@dataclass(frozen=True)
class Choice:
    """Mean regret of each policy."""

    problem: str
    seeds: int
    regret: dict[str, float]

    @property
    def ratios(self) -> dict[str, float]:
        ours = self.regret["trimtab"]
        return {name: ours / regret for name, regret in self.regret.items() if name != "trimtab"}

    @property
    def ok(self) -> bool:
        return all(self.ratios[name] <= REGRET_BAR for name in HELD_AGAINST)


HELD_AGAINST = ("best on average", "ε-greedy")


def main() -> int:
    options = _options()
    seeds = options.seeds or (6 if options.short else 20)
    reports: list[Calibration | Choice] = []
    if options.only in (None, "calibration"):
        print(f"calibration, {seeds} seeds: error ≤ {ERROR_BAR}, 90 % intervals hold {HELD_BARS[0]:.0%} to {HELD_BARS[1]:.0%}")
        reports += [_show_calibration(calibrate(name, options.seed, seeds)) for name in WORLDS]
    if options.only in (None, "choice"):
        print(f"choice, {seeds} seeds: regret at most {REGRET_BAR} of {' and of '.join(HELD_AGAINST)}")
        reports += [_show_choice(compare(name, options.seed, seeds)) for name in CHOICES]
    if options.json:
        print(json.dumps([asdict(report) for report in reports]))
    missed = [report for report in reports if not report.ok]
    print(f"{len(missed)} of {len(reports)} bars MISSED" if missed else "all bars held")
    return 1 if missed else 0


# -- calibration


def calibrate(name: str, seed: int, seeds: int) -> Calibration:
    """What the beliefs are worth in one world, over `seeds` draws of it."""
    runs = [_foretell(WORLDS[name](np.random.default_rng([seed, n, len(name)])), name in CHANGING) for n in range(seeds)]
    errors = [_debiased_error(p, won, np.random.default_rng(n)) for n, (p, won, *_) in enumerate(runs)]
    held = [float(np.mean(inside)) for *_, inside, _, _, _ in runs]
    spread = 1.96 * float(np.std(held)) / math.sqrt(len(held))
    mean = float(np.mean(held))
    return Calibration(
        name, seeds, float(np.mean(errors)), mean, mean - spread, mean + spread,
        float(np.mean([np.mean(distance) for *_, distance, _, _ in runs])),
        float(np.mean([np.mean(width) for *_, width, _ in runs])),
        float(np.mean([np.mean(above) for *_, above in runs])),
    )  # fmt: skip


def _foretell(world: World, changing: bool) -> tuple[np.ndarray, ...]:
    """Forecasts, results, whether the interval held, distance from the truth, width, whether the improvement's bound held."""
    beliefs = Beliefs()
    rows = []
    first = TOLD + (GRACE if changing else 0)
    for n in range(first + FORETOLD):
        element, context = world.next(n)
        truth = world.truth(n, element, context)
        if n >= first:
            belief = beliefs.of(proposal(element, context))
            low, high = belief.p_success_interval
            above = belief.improvement_low <= world.effect
        won = bool(world.rng.random() < truth)
        if n >= first:
            p = belief.p_success
            rows.append((p, won, low <= truth <= high, abs(p - truth), high - low, above))
        beliefs = beliefs.updated(outcome(n, element, context, won, float(world.rng.normal(world.effect, 0.5 * world.effect))))
    return tuple(np.array(column, dtype=float) for column in zip(*rows, strict=True))


def proposal(element: str, context: Context) -> OptimizationAction:
    """An action that beliefs are asked about."""
    return OptimizationAction(
        "asked", "workers_increase", "", element, "workers", 1, 2, "p95_seconds", "goal:p95_seconds", "", "", 0.1, 0.5, 0.3,
        ActionPriority.MEDIUM, Reversibility.REVERSIBLE, 20.0, 0.0, context=context,
    )  # fmt: skip


def outcome(n: int, element: str, context: Context, won: bool, effect: float) -> Outcome:
    """What beliefs are told."""
    status = VerdictStatus.IMPROVED if won else VerdictStatus.INCONCLUSIVE
    return Outcome(f"a{n}", "workers_increase", element, status, effect if won else None, False, float(n), context)


def _debiased_error(p: np.ndarray, won: np.ndarray, rng: np.random.Generator) -> float:
    chance = [_error(p, rng.random(p.size) < p) for _ in range(RESAMPLED)]
    return max(0.0, _error(p, won) - float(np.mean(chance)))


def _error(p: np.ndarray, won: np.ndarray) -> float:
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(bins, weights=won - p, minlength=BINS)).sum() / p.size)


def _show_calibration(report: Calibration) -> Calibration:
    print(
        f"  {report.world:28} error {report.error:.3f}   held {report.held:5.1%} ± {report.held_high - report.held:5.1%}   "
        f"off the truth by {report.distance:.3f}, width {report.width:.3f}   improvement's bound holds "
        f"{report.improvement_held:4.0%}   {_word(report.ok)}",
        flush=True,
    )
    return report


# -- choice


class Ours(Policy):
    """What trimtab orders rivals by."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.chooser = Chooser()

    def choose(self, options: Sequence[str], labels: tuple[str, ...]) -> str:
        return self.chooser.choose(options, labels)

    def learn(self, option: str, labels: tuple[str, ...], reward: float) -> None:
        self.chooser = self.chooser.updated(option, labels, reward)


def compare(name: str, seed: int, seeds: int) -> Choice:
    """The regret of every policy on one problem."""
    policies: dict[str, Callable[[np.random.Generator], Policy]] = {"trimtab": Ours, **RIVALS}
    regret: dict[str, list[float]] = {policy: [] for policy in (*policies, "best on average")}
    for n in range(seeds):
        for policy, make in policies.items():
            problem = CHOICES[name](np.random.default_rng([seed, n, 7]), HORIZON)
            regret[policy].append(_play(problem, make(np.random.default_rng([seed, n, 8])), [seed, n, 9]))
        problem = CHOICES[name](np.random.default_rng([seed, n, 7]), HORIZON)
        regret["best on average"].append(_play(problem, Best(problem), [seed, n, 9]))
    return Choice(name, seeds, {policy: float(np.mean(each)) for policy, each in regret.items()})


def _play(problem: Problem, policy: Policy, seed: list[int]) -> float:
    rng, lost = np.random.default_rng(seed), 0.0
    for n in range(HORIZON):
        labels = problem.context(rng)
        odds = {option: problem.truth(n, option, labels) for option in problem.options}
        luck = rng.random()
        option = policy.choose(problem.options, labels)
        lost += max(odds.values()) - odds[option]
        policy.learn(option, labels, float(luck < odds[option]))
    return lost


def _show_choice(report: Choice) -> Choice:
    others = "   ".join(
        f"{name} {regret:.0f} (×{report.ratios[name]:.2f}{'' if name in HELD_AGAINST else ', no bar'})"
        for name, regret in report.regret.items()
        if name != "trimtab"
    )
    print(f"  {report.problem:28} trimtab {report.regret['trimtab']:.0f}   {others}   {_word(report.ok)}", flush=True)
    return report


def _word(ok: bool) -> str:
    return "ok" if ok else "MISSED"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=0, help="how many draws of each world (20, with --short 6)")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=("calibration", "choice"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
