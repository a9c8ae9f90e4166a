"""How good a setting the search finds in 30 noisy trials, and how often it breaks a guard on the way, beside its peers.

    python benchmarks/search.py                 all worlds, 5 seeds each, 40 worlds drawn from wide families with one seed each
    python benchmarks/search.py --short         fewer seeds and worlds
    python benchmarks/search.py --world cliff   one world; `--world "wide 7"` a drawn one

The gain is the true one of the setting that is recommended at the end, as a share of what the best setting that keeps the guard
would bring. A trial breaks a guard where the guard's true value is outside of its limit. Optuna's TPE is told the guard as a
constraint and begins at the same setting. Cold settings: default arguments only. Some breaks give no warning: those that are the
first of their run, where no setting tried before used half of the limit. Whoever goes there at all breaks the guard once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import ceil

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from search_families import wide
from search_worlds import Values, World, drawn, named
from trimtab.domain.levers import LeverKind, LeverSpec, LeverValue
from trimtab.plan.search import SafeSearch

TRIALS, NOISE = 30, 0.10
LEAST_GAIN, FEWER_BREAKS = 0.95, 0.90
HELD_OUT = range(1, 25, 2)  # drawn worlds that development did not look at
Measure = Callable[[Values], tuple[float, float]]


@dataclass(frozen=True)
class Outcome:
    """One run: its share of the best gain, its trials that broke the guard, and how many of those came without any warning."""

    gain: float
    broken: int
    unwarned: int


def measured(world: World, seed: int, noise: float, log: list[Values]) -> Measure:
    """What a trial shows: the truth with noise; each trial is noted in `log`."""
    rng = np.random.default_rng([seed, 77])

    def measure(setting: Values) -> tuple[float, float]:
        log.append(dict(setting))
        goal, guard = world.truth(setting)
        spread = np.exp(noise * rng.standard_normal(2) - 0.5 * noise**2)
        return goal * float(spread[0]), guard * float(spread[1])

    return measure


def ours(world: World, measure: Measure, trials: int, seed: int) -> Values:
    search = SafeSearch(world.levers, world.goal, [world.guard], world.start, trials)
    for _ in range(trials):
        setting = search.ask()
        goal, guard = measure(setting)
        search.tell(setting, goal, {world.guard.metric_name: guard})
    return search.best


def best_seen(world: World, seen: list[tuple[Values, float, float]]) -> Values:
    """What a search without a model recommends: the best that it measured within the guard."""
    kept = [one for one in seen if not world.guard.breached_by(one[2])] or seen[:1]
    return max(kept, key=lambda one: world.goal.direction.sign * one[1])[0]


def tpe(world: World, measure: Measure, trials: int, seed: int) -> Values:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    import warnings

    warnings.filterwarnings("ignore")
    seen: list[tuple[Values, float, float]] = []

    def suggest(trial: optuna.Trial, lever: LeverSpec) -> LeverValue:
        if lever.kind is LeverKind.BOOLEAN:
            return trial.suggest_categorical(lever.name, [False, True])
        if lever.kind is LeverKind.CHOICE:
            return trial.suggest_categorical(lever.name, list(lever.choices))
        assert lever.bounds is not None
        low, high = lever.bounds
        wide = low > 0 and high / low > 100
        if lever.kind is LeverKind.INTEGER:
            return trial.suggest_int(lever.name, int(low), int(high), log=wide)
        return trial.suggest_float(lever.name, low, high, log=wide)

    def objective(trial: optuna.Trial) -> float:
        setting = {lever.name: suggest(trial, lever) for lever in world.levers}
        goal, guard = measure(setting)
        seen.append((setting, goal, guard))
        trial.set_user_attr("over", (guard - world.guard.max) if world.guard.max is not None else 0.0)
        return goal

    sampler = optuna.samplers.TPESampler(seed=seed, constraints_func=lambda trial: (trial.user_attrs["over"],))
    direction = "minimize" if world.goal.direction.sign < 0 else "maximize"
    study = optuna.create_study(sampler=sampler, direction=direction)
    study.enqueue_trial(dict(world.start))
    study.optimize(objective, n_trials=trials)
    return best_seen(world, seen)


def _spread(lever: LeverSpec, share: float) -> LeverValue:
    """The value at a share of the lever's range, in proportion where it spans more than two decades."""
    if not lever.numeric:
        options: tuple[LeverValue, ...] = (False, True) if lever.kind is LeverKind.BOOLEAN else lever.choices
        return options[min(int(share * len(options)), len(options) - 1)]
    assert lever.bounds is not None
    low, high = lever.bounds
    value = low * (high / low) ** share if low > 0 and high / low > 100 else low + share * (high - low)
    return round(value) if lever.kind is LeverKind.INTEGER else value


def random(world: World, measure: Measure, trials: int, seed: int) -> Values:
    rng = np.random.default_rng([seed, 5])
    tried: list[Values] = [dict(world.start)]
    tried += [{lever.name: _spread(lever, float(rng.random())) for lever in world.levers} for _ in range(trials - 1)]
    return best_seen(world, [(setting, *measure(setting)) for setting in tried])


def grid(world: World, measure: Measure, trials: int, seed: int) -> Values:
    import itertools

    levels = max(2, ceil((trials - 1) ** (1 / len(world.levers))))
    shares = [(k + 0.5) / levels for k in range(levels)]
    cells = [
        {lever.name: _spread(lever, share) for lever, share in zip(world.levers, cell, strict=True)}
        for cell in itertools.product(shares, repeat=len(world.levers))
    ]
    order = np.random.default_rng([seed, 6]).permutation(len(cells))[: trials - 1]
    return best_seen(world, [(setting, *measure(setting)) for setting in [dict(world.start), *(cells[k] for k in order)]])


SEARCHES: Mapping[str, Callable[[World, Measure, int, int], Values]] = {"ours": ours, "TPE": tpe, "random": random, "grid": grid}


def unwarned(world: World, log: list[Values]) -> int:
    """1 where the first trial that broke the guard came after none that used half of its limit, else 0."""
    most = 0.0
    for setting in log:
        measured = world.truth(setting)[1]
        if not world.holds(setting):
            return int(most < 0.5)
        limit = world.guard.max if world.guard.max is not None else world.guard.min
        assert limit is not None
        most = max(most, measured / limit if world.guard.max is not None else limit / measured)
    return 0


def world_called(name: str) -> World:
    if name.startswith("wide "):
        return wide(int(name.removeprefix("wide ")))
    number = name.removeprefix("drawn ")
    return drawn(int(number)) if number != name else next(world for world in named() if world.name == name)


def runs(task: tuple[str, str, tuple[int, ...], float, int]) -> list[Outcome]:
    """Every seed of one search on one world."""
    name, searcher, seeds, noise, trials = task
    world = world_called(name)
    found = []
    for seed in seeds:
        log: list[Values] = []
        best = SEARCHES[searcher](world, measured(world, seed, noise, log), trials, seed)
        found.append(Outcome(world.gain(best), sum(not world.holds(setting) for setting in log), unwarned(world, log)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--noise", type=float, default=NOISE)
    parser.add_argument("--world", action="append", help="only this one; `drawn 7` or `wide 7` for a drawn one")
    parser.add_argument("--wide", type=int, default=40, help="how many worlds of the wide families")
    parser.add_argument("--only", action="append", choices=list(SEARCHES), help="only this search")
    parser.add_argument("--short", action="store_true", help="two seeds, fewer drawn worlds, no random and no grid")
    parser.add_argument("--jobs", type=int, default=2)
    about = parser.parse_args()
    seeds = tuple(range(about.seed, about.seed + (2 if about.short else about.seeds)))
    drawn_ones = [f"drawn {k}" for k in (HELD_OUT if not about.short else HELD_OUT[:3])]
    worlds = about.world or [*(world.name for world in named()), *drawn_ones]
    wide_ones = range(about.seed, about.seed + (8 if about.short else about.wide))
    families = [] if about.world else [f"wide {2 * k + 1}" for k in wide_ones]
    searches = about.only or (["ours", "TPE"] if about.short else list(SEARCHES))
    tasks = [(name, searcher, seeds, about.noise, about.trials) for name in worlds for searcher in searches]
    tasks += [(name, searcher, seeds[:1], about.noise, about.trials) for name in families for searcher in searches]
    with ProcessPoolExecutor(about.jobs) as pool:
        outcomes = dict(zip([task[:2] for task in tasks], pool.map(runs, tasks), strict=True))
    print(f"share of the best gain after {about.trials} trials at {about.noise:.0%} noise, and trials that broke the guard\n")
    missed = by_world(worlds, searches, outcomes, len(seeds))
    if families:
        distribution(families, searches, outcomes)
    missed += breaks([*worlds, *families], searches, outcomes)
    print("\n" + ("every bar is reached" if not missed else "missed: " + "; ".join(missed)))
    return 1 if missed else 0


Outcomes = Mapping[tuple[str, str], list[Outcome]]


def by_world(worlds: list[str], searches: list[str], outcomes: Outcomes, seeds: int) -> list[str]:
    """One line a world; the bars that were missed."""
    print(f"{f'mean of {seeds} seeds':16}" + "".join(f"{name:>18}" for name in searches))
    missed = []
    for world in worlds:
        cells = []
        for name in searches:
            found = outcomes[world, name]
            gain, broken = np.mean([one.gain for one in found]), np.mean([one.broken for one in found])
            short = name == "ours" and gain < LEAST_GAIN
            if short:
                missed.append(f"{world}: {gain:.3f} of the best gain, bar {LEAST_GAIN}")
            cells.append(f"{gain:9.3f}{'!' if short else ' '}{broken:6.2f} br")
        print(f"{world:16}" + "".join(f"{cell:>18}" for cell in cells), flush=True)
    return missed


def distribution(families: list[str], searches: list[str], outcomes: Outcomes) -> None:
    """How the gains spread over worlds that nobody chose."""
    print(f"\n{len(families)} worlds drawn from wide families, one seed each: share of the best gain")
    print(f"{'':8}{'mean':>8}{'median':>8}{'p10':>8}{'least':>8}{'>= 95 %':>9}{'below 0':>9}{'broken':>8}")
    for name in searches:
        found = [one for world in families for one in outcomes[world, name]]
        gain = np.array([one.gain for one in found])
        figures = f"{gain.mean():8.3f}{np.median(gain):8.3f}{np.quantile(gain, 0.1):8.3f}{gain.min():8.3f}"
        shares = f"{(gain >= LEAST_GAIN).mean():9.0%}{(gain < -0.001).mean():9.0%}"
        print(f"{name:8}{figures}{shares}{np.mean([one.broken for one in found]):8.2f}")


def breaks(worlds: list[str], searches: list[str], outcomes: Outcomes) -> list[str]:
    """The broken guards of all runs, those without any warning apart; the bar where it was missed."""
    runs_of = {name: [one for world in worlds for one in outcomes[world, name]] for name in searches}
    total = {name: float(np.mean([one.broken for one in found])) for name, found in runs_of.items()}
    print("\nbroken a run, mean of all runs: " + ", ".join(f"{name} {value:.2f}" for name, value in total.items()))
    if "ours" in total:
        print(f"of ours without any warning: {np.mean([one.unwarned for one in runs_of['ours']]):.2f}")
    if "ours" not in total or "TPE" not in total:
        return []
    fewer = 1.0 - total["ours"] / max(total["TPE"], 1e-9)
    print(f"fewer trials that break a guard than Optuna: {fewer:.1%}, bar {FEWER_BREAKS:.0%}")
    return [f"{fewer:.1%} fewer broken guards than Optuna, bar {FEWER_BREAKS:.0%}"] if fewer < FEWER_BREAKS else []


if __name__ == "__main__":
    sys.exit(main())
