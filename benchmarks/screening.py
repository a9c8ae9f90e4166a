"""Is the screen over all series cheap enough for a million of them, and does it see what it should?

Cost: processor time of `FleetDetector.update` per series and tick, at a tick every 30 s (the default) and every 5 minutes (where
the season is looked at in each of them), in the second week of its life. Beside it, in the same minutes: one plain pass of NumPy
over the values, and river's detectors of one series, which are what one would take otherwise.

Seen: surprises in the third week of series without any anomaly, and how many of the shifts by 8 standard deviations of normal
noise are seen within three ticks; the seasons of the last two are larger than that, and so are the tails of three others.

  bar     100,000 series at 30 s     at most 10 ns a series-tick
          memory                     at most 600 bytes a series
          surprises                  at most 4 a series-week, whatever the distribution

Usage: python benchmarks/screening.py [--seed 1] [--short] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.analyze import FleetDetector

Array = NDArray[np.float64]

NANOSECONDS, BYTES, SURPRISES = 10.0, 600.0, 4.0
DAY = 86_400.0
MONDAY = 4 * DAY


def cost(n: int, step: float, rng: np.random.Generator, *, missing: float = 0.0) -> dict[str, float]:
    """Nanoseconds of processor time a series-tick, mean over 20 looks at the season and all between them."""
    values = [rng.normal(100.0, 3.0, n) for _ in range(4)]
    for one in values:
        one[rng.random(n) < missing] = np.nan
    fleet, out, at = FleetDetector(n), np.empty(n), MONDAY
    for _ in range(60):  # a first day: every slot of the profile is there
        for one in values:
            fleet.update(at, one)
            at += DAY / 240.0
    fleet.update(at := at + 8 * DAY, values[0])
    ticks = int(20 * max(1.0, 225.0 / step))
    ours = plain = 0.0
    for i in range(ticks):
        at += step
        began = time.process_time()
        fleet.update(at, values[i % 4])
        ours += time.process_time() - began
        began = time.process_time()
        np.add(values[i % 4], 1.0, out=out)
        plain += time.process_time() - began
    scale = 1e9 / (ticks * n)
    return {"ns": ours * scale, "plain_ns": plain * scale, "bytes": fleet.nbytes / n}


def river_costs(rng: np.random.Generator, points: int) -> dict[str, float]:
    """The same of river's detectors, one series each."""
    from river import anomaly

    values = rng.normal(0.5, 0.1, points).tolist()
    windowed = anomaly.GaussianScorer(window_size=256)
    trees = anomaly.HalfSpaceTrees(seed=1)
    found = {}
    began = time.process_time()
    for value in values:
        windowed.score_one(None, value)
        windowed.learn_one(None, value)
    found["windowed Gaussian"] = 1e9 * (time.process_time() - began) / points
    began = time.process_time()
    for value in values:
        trees.score_one({"x": value})
        trees.learn_one({"x": value})
    found["HalfSpaceTrees"] = 1e9 * (time.process_time() - began) / points
    return found


def worlds(rng: np.random.Generator, n: int) -> Iterator[tuple[str, Callable[[float], Array]]]:
    """Series without an anomaly, by name: what they read at a time, (n,)."""
    phase = rng.uniform(0.0, 2.0 * np.pi, n)
    held = np.zeros(n)

    def slow(t: float) -> Array:
        held[:] = 0.9 * held + np.sqrt(1.0 - 0.81) * rng.normal(size=n)
        return held.copy()

    def daily(t: float) -> Array:
        return 10.0 * np.sin(2.0 * np.pi * t / DAY + phase) + rng.normal(size=n)

    def weekly(t: float) -> Array:
        height = 3.0 if int((t - MONDAY) // DAY) % 7 >= 5 else 10.0
        return height * np.sin(2.0 * np.pi * t / DAY + phase) + rng.normal(size=n)

    yield "normal", lambda t: rng.normal(size=n)
    yield "AR(0.9)", slow
    yield "Student t, 3", lambda t: rng.standard_t(3, n)
    yield "log-normal", lambda t: rng.lognormal(size=n)
    yield "mostly zero", lambda t: rng.poisson(0.02, n).astype(np.float64)
    yield "daily season", daily
    yield "weekly season", weekly


def seen(course: Callable[[float], Array], n: int, step: float) -> tuple[float, float]:
    """Surprises a series-week in the third week, and the share of shifts at its end that are seen within three ticks."""
    fleet, per_week = FleetDetector(n), int(7 * DAY / step)
    hot = np.zeros((per_week, n), bool)
    at = MONDAY
    for i in range(3 * per_week):
        scores = fleet.update(at, course(at))
        hot[i % per_week] = scores > 0.5
        at += step
    starts = hot[1:] & ~hot[:-1]
    found = np.zeros(n, bool)
    for _ in range(3):
        found |= fleet.update(at, course(at) + 8.0) > 0.5
        at += step
    return float(starts.sum()) / n, float(found.mean())


def measure(seed: int, short: bool) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    sizes = [(100_000, 30.0, 0.0), (100_000, 30.0, 0.5), (100_000, 300.0, 0.0)]
    if not short:
        sizes += [(10_000, 30.0, 0.0), (1_000_000, 30.0, 0.0)]
    found: dict[str, Any] = {"cost": [], "seen": []}
    for n, step, missing in sizes:
        found["cost"].append({"series": n, "step": step, "missing": missing, **cost(n, step, rng, missing=missing)})
    found["river"] = river_costs(rng, 2_000 if short else 10_000)
    n = 40 if short else 200
    for name, course in worlds(rng, n):
        false, share = seen(course, n, 300.0)
        found["seen"].append({"world": name, "surprises": false, "seen": share})
    return found


def missed_bars(found: dict[str, Any]) -> list[str]:
    first = found["cost"][0]
    missed = []
    if first["ns"] > NANOSECONDS:
        missed.append(f"{first['ns']:.1f} ns a series-tick, bar {NANOSECONDS:g}")
    if first["bytes"] > BYTES:
        missed.append(f"{first['bytes']:.0f} bytes a series, bar {BYTES:g}")
    for row in found["seen"]:
        if row["surprises"] > SURPRISES:
            missed.append(f"{row['surprises']:.1f} surprises a series-week in {row['world']}, bar {SURPRISES:g}")
    return missed


def show(found: dict[str, Any], missed: list[str]) -> None:
    print(f"{'series':>10}{'tick, s':>9}{'missing':>9}{'ns a series-tick':>18}{'plain pass, ns':>16}{'passes':>8}{'bytes':>8}")
    for row in found["cost"]:
        print(
            f"{row['series']:10,}{row['step']:9g}{row['missing']:9.0%}{row['ns']:18.2f}{row['plain_ns']:16.2f}"
            f"{row['ns'] / row['plain_ns']:8.1f}{row['bytes']:8.0f}"
        )
    print(f"bar, first row: {NANOSECONDS:g} ns, {BYTES:g} bytes")
    ours = found["cost"][0]["ns"]
    for name, ns in found["river"].items():
        print(f"river, {name}: {ns:,.0f} ns a point, {ns / ours:,.0f} times the screen's")
    print(f"\n{'without an anomaly':20}{'surprises a series-week':>25}{'shifts of 8 sd seen':>21}   bar {SURPRISES:g} surprises")
    for row in found["seen"]:
        print(f"{row['world']:20}{row['surprises']:25.2f}{row['seen']:21.0%}")
    print("bars held" if not missed else "BAR MISSED: " + "; ".join(missed))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="fewer sizes, fewer series")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.seed, arguments.short)
    missed = missed_bars(found)
    print(json.dumps(found)) if arguments.json else show(found, missed)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
