"""Does the forecast beat the seasonal naive one, keep up with MSTL, keep its intervals, and cost next to nothing?

Rolling origins over the second half of each series, from the up to six weeks before, 24 hours ahead. Stretches: the first
hour, up to six, up to a day. Errors are mean absolute ones; a ratio is pooled over series by the geometric mean.

  vs naive     ≤ .90 of the seasonal naive forecast: the better of yesterday's and last week's value, series by series
  vs MSTL      ≤ 1.00 of statsmodels' MSTL (day and week), its seasons repeated, the rest by damped-trend ETS
  coverage     of the 90 % intervals: 85 to 95 %, pooled
  cost         ≤ 2 ms a forecast, processor time
  crossings    of a limit by a trend in noise: the 90 % interval holds the moment in 85 % or more; without a trend one in a
               hundred looks at most says anything

Each on the seasonal series of the data (rule: `forecast_worlds`) and on generated ones.

Usage: python benchmarks/forecasts.py [--data ../shared/data] [--seed 0] [--sets 3] [--origins 12] [--short]
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))

from forecast_worlds import DAY, HOUR, WEEK, ar1, filled, generated, real
from trimtab.domain.errors import TrimtabError
from trimtab.stats import forecast
from trimtab.stats.crossing import crossing

Array = NDArray[np.float64]
AHEAD, LOOKS_BACK = 24, 6 * WEEK
STRETCHES = {"1 h": slice(0, 1), "2-6 h": slice(1, 6), "7-24 h": slice(6, 24)}
NAIVE_BAR, MSTL_BAR, MS_BAR = 0.9, 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Shown:
    """Absolute errors (origins, AHEAD) of each rival on one series, hits of the interval, and seconds of each forecast."""

    errors: Mapping[str, Array]
    inside: Array
    seconds: Array


def mstl(y: Array) -> Array:
    """statsmodels' usual: both seasons taken out and repeated, the rest by exponential smoothing with a damped trend."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel
    from statsmodels.tsa.seasonal import MSTL

    periods = (DAY, WEEK) if y.size > 2 * WEEK else (DAY,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = MSTL(y, periods=periods).fit()
        seasons = np.asarray(found.seasonal).reshape(y.size, -1)
        ahead = sum(seasons[-period:, k][np.arange(AHEAD) % period] for k, period in enumerate(periods))
        rest = ETSModel(y - seasons.sum(axis=1), error="add", trend="add", damped_trend=True).fit(disp=False)
        return np.asarray(ahead + np.asarray(rest.forecast(AHEAD)))


def show(y: Array, origins: int, with_mstl: bool) -> Shown:
    errors: dict[str, list[Array]] = {"trimtab": [], "yesterday": [], "last week": [], "MSTL": []}
    inside, seconds = [], []
    for origin in np.linspace(max(y.size // 2, 2 * WEEK), y.size - AHEAD, origins).astype(int):
        past, truth = y[max(0, origin - LOOKS_BACK) : origin], y[origin : origin + AHEAD]
        began = time.thread_time()
        try:
            found = forecast(past, HOUR, AHEAD)
        except TrimtabError:  # a series that stopped days before is refused; there is nothing to compare
            continue
        seconds.append(time.thread_time() - began)
        whole = filled(past)
        errors["trimtab"].append(np.abs(found.mean - truth))
        errors["yesterday"].append(np.abs(whole[-DAY:] - truth))
        errors["last week"].append(np.abs(whole[-WEEK:][:AHEAD] - truth))
        errors["MSTL"].append(np.abs(mstl(whole) - truth) if with_mstl else np.full(AHEAD, np.nan))
        inside.append(np.where(np.isfinite(truth), (truth >= found.low) & (truth <= found.high), np.nan))
    return Shown({name: np.array(each) for name, each in errors.items()}, np.array(inside), np.array(seconds))


def ratios(shown: Shown, stretch: slice) -> tuple[float, float]:
    """Our error as a share of the better seasonal naive one's, and of MSTL's."""
    mean = {name: float(np.nanmean(each[:, stretch])) for name, each in shown.errors.items() if not np.isnan(each).all()}
    naive = min(mean["yesterday"], mean["last week"])
    return mean["trimtab"] / naive, mean["trimtab"] / mean.get("MSTL", np.nan)


def judged(title: str, series: Mapping[str, Array], origins: int, with_mstl: bool) -> list[str]:
    """Print one group and return the bars that it missed."""
    print(f"\n{title:<38}{'vs naive':>9}{'vs MSTL':>9}{'inside':>8}   vs naive by stretch: {', '.join(STRETCHES)}")
    rows, inside, seconds, stretches = [], [], [], []
    for name, y in series.items():
        shown = show(y, origins, with_mstl)
        rows.append(ratios(shown, slice(0, AHEAD)))
        stretches.append([ratios(shown, stretch)[0] for stretch in STRETCHES.values()])
        inside.append(shown.inside)
        seconds.append(shown.seconds)
        each = "  ".join(f"{value:.2f}" for value in stretches[-1])
        print(f"  {name[:35]:<36}{rows[-1][0]:>9.3f}{rows[-1][1]:>9.3f}{np.nanmean(shown.inside):>8.2f}   {each}", flush=True)
    naive, rival = np.exp(np.log(np.array(rows)).mean(axis=0))
    covered, cost = float(np.nanmean(np.concatenate(inside))), 1e3 * float(np.median(np.concatenate(seconds)))
    print(f"  {'pooled':<36}{naive:>9.3f}{rival:>9.3f}{covered:>8.2f}   {cost:.2f} ms")
    print(f"  {'bar':<36}{NAIVE_BAR:>9}{MSTL_BAR:>9}{'.85-.95':>8}   {MS_BAR} ms")
    return [
        f"{what} ({title})"
        for what, bad in (
            ("seasonal naive", naive > NAIVE_BAR),
            ("MSTL", rival > MSTL_BAR),
            ("coverage", not 0.85 <= covered <= 0.95),
            ("cost", cost > MS_BAR),
        )
        if bad
    ]


def crossings(seed: int, runs: int) -> list[str]:
    """Trends in AR(1) noise, with and without a daily season, an hour to three days long; and the same without the trend."""
    rng = np.random.default_rng(seed)
    held, said, early, false = [], 0, [], 0
    for _ in range(runs):
        n, step = int(rng.integers(60, 400)), float(rng.choice([30.0, 60.0, 600.0]))
        t, noise = step * np.arange(n), ar1(rng, n)
        slope = rng.uniform(6.0, 30.0) / t[-1]  # noise's standard deviations over the history
        due = rng.uniform(0.1, 0.8) * t[-1]
        found = crossing(t, slope * t + noise, slope * (t[-1] + due))
        false += crossing(t, noise, rng.uniform(1.0, 4.0)) is not None
        if found is not None:
            said += 1
            held.append(found.earliest <= due <= found.latest)
            early.append((found.latest - found.earliest) / due)
    inside, quiet = float(np.mean(held)), false / runs
    print(f"\n{'Crossings':<38}{'said':>9}{'inside':>9}{'width':>8}   without a trend said")
    print(f"  {'trends in noise':<36}{said / runs:>9.2f}{inside:>9.2f}{np.median(early):>8.2f}   {quiet:.3f}")
    print(f"  {'bar':<36}{'':>9}{'≥ .85':>9}{'':>8}   ≤ 0.010")
    return [what for what, bad in (("crossings inside", inside < 0.85), ("crossings without a trend", quiet > 0.01)) if bad]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / ".." / "shared" / "data")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", type=int, default=3)
    parser.add_argument("--origins", type=int, default=12)
    parser.add_argument("--without-mstl", action="store_true")
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    series = real(options.data)
    if not series:
        print(f"no seasonal series in {options.data}: name the data folder with --data", file=sys.stderr)
        return 1
    origins, sets = (4, 1) if options.short else (options.origins, options.sets)
    drawn = {f"{kind} {n}": y for n in range(sets) for kind, y in generated(1000 * options.seed + n).items()}
    missed = judged("Series of the data", series, origins, not options.without_mstl)
    missed += judged("Generated series", drawn, origins, not options.without_mstl)
    missed += crossings(options.seed, 200 if options.short else 2000)
    print("\n" + (f"MISSED: {', '.join(missed)}" if missed else "every bar is reached"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
