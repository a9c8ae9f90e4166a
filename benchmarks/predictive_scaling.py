"""Does following load ahead of time halve the time over threshold? Predictive against reactive, on diurnal and flash-crowd load.

The web cluster's plant and loads (`web_cluster.py`): 105 minutes at one evaluation a minute, servers that take a while to boot,
arrivals drawn anew for each seed and the same for both policies, which are asked alone, without the agent around them.

  both levers    servers and the dimmer, as the exemplar has them: over threshold for at most half of reactive's time, on
                 each load, over all boot delays
  servers only   for comparison: what scaling alone can do. `at once` asks for all servers in the first minute that shows a
                 rise of a quarter, and never lets go: sooner than that nobody can know of a crowd that never came before

    python benchmarks/predictive_scaling.py [--seed 2000] [--runs 12] [--jobs 2] [--short]
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent))

from trimtab.plan.regulation import policy_of
from trimtab.plants.web_cluster import MOST_SERVERS, THRESHOLD_SECONDS, WebCluster
from web_cluster import DIMMER, DT, MINUTES, SERVERS, Steps, by_policy, load_of

LOADS, DELAYS, BAR = ("diurnal", "flash"), (60, 120, 240), 0.5
LEVERS = {"both levers": (SERVERS, DIMMER), "servers only": (SERVERS,)}
WHO = ("reactive", "predictive", "at once")
RISE, BEFORE = 1.25, 10  # of the median of so many samples before


def at_once(plant: WebCluster, past: Steps) -> None:
    """One server until a rise is seen, then all of them."""
    rates = [step["cluster_requests_per_second"] for step in past]
    if len(rates) < BEFORE:
        plant.set("servers", 1.0)
    elif rates[-1] > RISE * float(np.median(rates[-BEFORE - 1 : -1])):
        plant.set("servers", float(MOST_SERVERS))


def over(job: tuple[str, str, str, int, int]) -> tuple[float, float]:
    """Minutes over threshold, and the mean number of servers: levers, load, who, boot delay, seed."""
    levers, kind, who, delay, seed = job
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    plant = WebCluster(np.random.default_rng([seed, 7]), load=load_of(kind, seed), boot_delay=float(delay))
    rule: Callable[[WebCluster, Steps], None] = at_once if who == "at once" else by_policy(policy_of(who), LEVERS[levers])
    past: Steps = []
    for minute in range(MINUTES):
        past.append(dict(plant.step(DT * (minute + 1), DT)))
        rule(plant, past)
    missed = sum(step["cluster_response_seconds"] > THRESHOLD_SECONDS for step in past)
    return missed * DT / 60.0, float(np.mean([step["cluster_servers"] for step in past]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=2000, help="the first of the seeds")
    parser.add_argument("--runs", type=int, default=12, help="seeds for each load and delay")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--short", action="store_true", help="one delay, four seeds, both levers")
    given = parser.parse_args()
    delays, runs, sets = ((120,), 4, ("both levers",)) if given.short else (DELAYS, given.runs, tuple(LEVERS))
    cells = list(product(sets, LOADS, delays, WHO))
    jobs = [(levers, kind, who, delay, given.seed + run) for levers, kind, delay, who in cells for run in range(runs)]
    with ProcessPoolExecutor(given.jobs) as pool:
        found = np.array(list(pool.map(over, jobs, chunksize=1))).reshape(len(sets), len(LOADS), len(delays), len(WHO), runs, 2)
    missed = []
    print(
        f"{'minutes over threshold':<24}{'boot s':>7}" + "".join(f"{who:>12}" for who in WHO) + f"{'ratio':>8}   servers of each"
    )
    for (i, levers), (j, kind) in product(enumerate(sets), enumerate(LOADS)):
        for k, delay in enumerate(delays):
            print(_row(f"{levers}, {kind}", str(delay), found[i, j, k].mean(axis=1)))
        pooled = found[i, j].mean(axis=(0, 2))
        ratio = pooled[1, 0] / pooled[0, 0]
        bar = f"   bar {BAR}" if levers == "both levers" else ""
        print(_row(f"{levers}, {kind}", "all", pooled) + bar)
        if bar and ratio > BAR:
            missed.append(f"{kind}: {ratio:.2f}")
    print(f"MISSED: {', '.join(missed)}" if missed else "every bar is reached")
    return 1 if missed else 0


def _row(title: str, delay: str, cell: np.ndarray) -> str:
    ratio = cell[1, 0] / cell[0, 0] if cell[0, 0] else float("nan")
    minutes = "".join(f"{value:>12.1f}" for value in cell[:, 0])
    return f"{title:<24}{delay:>7}{minutes}{ratio:>8.2f}   " + "  ".join(f"{value:.2f}" for value in cell[:, 1])


if __name__ == "__main__":
    sys.exit(main())
