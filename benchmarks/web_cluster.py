"""Follow load on the web cluster: the whole agent, with default settings, beside a static cluster, rule managers and peers.

105 minutes at one evaluation a minute, `simulate` in virtual time. Arrivals are drawn anew for each seed, the same for all that
are compared; differences are tested by all sign changes of the paired differences (exact, one-sided), corrected by Holm over
all cells. Exit 1 where a bar is missed. `--policy` leaves out the agent and asks the policy alone: quicker, for development.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from math import ceil, floor
from pathlib import Path

import numpy as np
import structlog

from trimtab.assembly.simulation import simulate
from trimtab.config import load as load_config
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, GoalState
from trimtab.domain.levers import LeverKind, LeverSpec, Mode
from trimtab.domain.metrics import Health, Trust
from trimtab.domain.regulation import Move, Policy, RegulationView
from trimtab.domain.situation import LeverState
from trimtab.plan.regulation import Predictive
from trimtab.plants.loads import Diurnal, FlashCrowd, Load, bursty
from trimtab.plants.web_cluster import KAPPA, MOST_SERVERS, THRESHOLD_SECONDS, WebCluster
from trimtab.systems.registry import registry

MINUTES, DT = 105, 60.0
WINDOW = 60  # samples that a policy sees, as by the default analysis window
LOADS, DELAYS = ("diurnal", "flash", "bursty"), (0, 60, 120, 180, 240)
CONFIG = """
version: 1
monitoring: {interval_seconds: 60}
elements:
  - name: web
    sensors: [{type: plant}]
    levers:
      - {name: servers, type: plant, mode: regulated, bounds: [1, 3], moves: {cluster_response_seconds: down}}
      - {name: dimmer, type: plant, mode: regulated, kind: float, bounds: [0, 1], step: 0.25,
         moves: {cluster_response_seconds: up}}
goals: [{metric_name: cluster_response_seconds, target_value: 0.75, direction: minimize}]
"""
SERVERS = LeverSpec("servers", "web", bounds=(1, 3), mode=Mode.REGULATED, moves=(("cluster_response_seconds", "down"),))
DIMMER = LeverSpec("dimmer", "web", LeverKind.FLOAT, (0.0, 1.0), step=0.25, mode=Mode.REGULATED,
                   moves=(("cluster_response_seconds", "up"),))  # fmt: skip
GOAL = Goal("cluster_response_seconds", THRESHOLD_SECONDS, Direction.MINIMIZE)
Steps = list[dict[str, float]]


def load_of(kind: str, seed: int) -> Load:
    """Arrivals of about 22/s on average with peaks of about 45/s."""
    rng = np.random.default_rng([seed, LOADS.index(kind)])
    if kind == "diurnal":
        return Diurnal(22.0, 45.0, period=MINUTES * DT * rng.uniform(0.7, 1.3), phase=rng.uniform())
    if kind == "flash":
        return FlashCrowd(rng.uniform(13, 17), rng.uniform(40, 47), at=rng.uniform(1200, 3600), rise=rng.uniform(120, 360),
                          hold=rng.uniform(600, 1200), decay=rng.uniform(500, 1000))  # fmt: skip
    return bursty(int(rng.integers(1 << 30)))


def static(plant: WebCluster, past: Steps) -> None:
    """Three servers, all content."""


def manager(spare: bool) -> Callable[[WebCluster, Steps], None]:
    """The rules of the exemplar: with `spare`, things are taken back only with more than one server to spare."""

    def rule(plant: WebCluster, past: Steps) -> None:
        servers, dimmer, now = plant.get("servers"), plant.get("dimmer"), past[-1]
        active = now["cluster_active_servers"]
        if now["cluster_response_seconds"] > THRESHOLD_SECONDS:
            if servers < MOST_SERVERS:
                plant.set("servers", servers + 1)
            else:
                plant.set("dimmer", max(0.0, dimmer - 0.25))
        elif not spare or active * (1.0 - now["cluster_utilization_ratio"]) > 1.0:
            if dimmer < 1.0:
                plant.set("dimmer", min(1.0, dimmer + 0.25))
            elif servers > 1:
                plant.set("servers", servers - 1)

    return rule


def feed_forward(plant: WebCluster, past: Steps) -> None:
    """Six lines that know what a server serves: as many as the arrivals need, carried on by their last rise."""
    rate = past[-1]["cluster_requests_per_second"]
    coming = rate + max(0.0, rate - past[-2]["cluster_requests_per_second"] if len(past) > 1 else 0.0)
    plant.set("servers", float(min(MOST_SERVERS, max(1, ceil(coming / KAPPA)))))
    share = min(1.0, past[-1]["cluster_active_servers"] * KAPPA / max(coming, 1.0))
    plant.set("dimmer", floor(4.0 * share) / 4.0)


def by_policy(policy: Policy, specs: tuple[LeverSpec, ...] = (SERVERS, DIMMER)) -> Callable[[WebCluster, Steps], None]:
    """A policy alone, without the agent around it."""
    moves: list[Move] = []
    good = Trust(Health.OK)

    def rule(plant: WebCluster, past: Steps) -> None:
        now, seen = DT * len(past), past[-WINDOW:]
        times = DT * np.arange(len(past) - len(seen) + 1, len(past) + 1)
        metrics = {name: (times, np.array([step[name] for step in seen])) for name in seen[-1]}
        value = seen[-1][GOAL.metric_name]
        goal = GoalState(GOAL, "web", value, value, GOAL.met_by(value), 1.0, GOAL.miss(value), good)
        levers = {spec.lever_id: LeverState(spec, spec.coerce(plant.get(spec.name)), good, now) for spec in specs}
        recent = tuple(move for move in moves if move.at >= times[0])
        for move in policy.next(RegulationView(now, "web", levers, (goal,), (), metrics, recent)):
            plant.set(move.lever_id.partition("/")[2], float(move.to_value))
            moves.append(move)

    return rule


def by_agent(plant: WebCluster) -> float:
    """The whole agent with default settings."""
    types = registry(plug_ins=())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trimtab.yaml")
        path.write_text(CONFIG)
        settings = load_config(path, environ={}, sensors=types.sensor_options, levers=types.lever_options)
    return asyncio.run(simulate(settings, plant, MINUTES * DT)).totals.sums["cluster_utility"]


RULES: dict[str, Callable[[], Callable[[WebCluster, Steps], None]]] = {
    "static": lambda: static,
    "rules": lambda: manager(False),
    "rules, spare": lambda: manager(True),
    "feed-forward": lambda: feed_forward,
    "myopic": lambda: by_policy(Predictive(horizon=1)),
    "policy": lambda: by_policy(Predictive()),
}


def utility(job: tuple[str, str, int, int]) -> float:
    """What a run earns: who, load, boot delay, seed."""
    who, kind, delay, seed = job
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    plant = WebCluster(np.random.default_rng([seed, 7]), load=load_of(kind, seed), boot_delay=float(delay))
    if who == "agent":
        return by_agent(plant)
    rule, past = RULES[who](), []
    for minute in range(MINUTES):
        past.append(dict(plant.step(DT * (minute + 1), DT)))
        rule(plant, past)
    return sum(step["cluster_utility"] for step in past)


def sign_test(differences: np.ndarray) -> float:
    """The share of all sign changes whose mean is at least as large: exact up to 16 pairs."""
    signs = np.array(list(product((1.0, -1.0), repeat=differences.size)))
    return float(np.mean(signs @ differences >= differences.sum() - 1e-9))


def holm(p: list[float]) -> list[float]:
    """Holm (1979): corrected p values."""
    order, out, worst = np.argsort(p), [0.0] * len(p), 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, p[place] * (len(p) - rank)))
        out[place] = worst
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1000, help="the first of the seeds")
    parser.add_argument("--runs", type=int, default=12, help="seeds in each cell, at most 16")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--policy", action="store_true", help="the policy alone instead of the agent")
    parser.add_argument("--short", action="store_true", help="three delays, four seeds: figures, no test")
    given = parser.parse_args()
    delays, runs = ((0, 120, 240), min(given.runs, 4)) if given.short else (DELAYS, min(given.runs, 16))
    ours = "policy" if given.policy else "agent"
    names = [ours, *(name for name in RULES if name != "policy")]
    jobs = [(who, kind, delay, given.seed + run) for kind in LOADS for delay in delays for who in names for run in range(runs)]
    with ProcessPoolExecutor(given.jobs) as pool:
        earned = np.array(list(pool.map(utility, jobs, chunksize=1))).reshape(len(LOADS), len(delays), len(names), runs)
    print(f"{'load':8} {'delay':>5} " + "".join(f"{name:>14}" for name in names))
    for (i, kind), (j, delay) in product(enumerate(LOADS), enumerate(delays)):
        print(f"{kind:8} {delay:5d} " + "".join(f"{mean:14,.0f}" for mean in earned[i, j].mean(axis=1)))
    rivals = ("static", "rules", "rules, spare")
    cells = [(kind, delay, rival) for kind in LOADS for delay in delays for rival in rivals]
    gains = [
        earned[LOADS.index(kind), delays.index(delay), 0] - earned[LOADS.index(kind), delays.index(delay), names.index(rival)]
        for kind, delay, rival in cells
    ]
    corrected = holm([sign_test(gain) for gain in gains])
    ahead = [gain.mean() > 0.0 and (given.short or p < 0.05) for gain, p in zip(gains, corrected, strict=True)]
    for (kind, delay, rival), gain, p, fine in zip(cells, gains, corrected, ahead, strict=True):
        if not fine:
            print(f"missed: {kind} {delay} s against {rival}: {gain.mean():+,.0f}, corrected p {p:.3f}")
    myopic = (earned[:, :, 0] - earned[:, :, names.index("myopic")]).ravel()
    share = float((myopic > 0).mean())
    print(f"cells ahead of static and both rule managers | bar {len(cells)} of {len(cells)} | {sum(ahead)} of {len(cells)}")
    print(f"mean gain on the myopic policy               | bar above 0 | {myopic.mean():+,.0f}, ahead in {share:.0%} of runs")
    return 0 if all(ahead) and myopic.mean() > 0.0 else 1


if __name__ == "__main__":
    sys.exit(main())
