"""Shared mathematics of the loop: robust scale, regimes, season and trend, autocorrelation, forecasts, anytime-valid evidence.

Reads: arrays handed in. Produces: numbers and small frozen values. May import: NumPy and `domain`.
Never: a clock, the environment, the network, a random source, or any other room.
"""

from trimtab.stats.ar1 import Ar1, fit_ar1, fit_core, level_precision, within
from trimtab.stats.blocks import running_means
from trimtab.stats.evalue import critical_t, least_surprise, log_e, surprise
from trimtab.stats.forecast import Forecast, forecast
from trimtab.stats.hazard import Hazard
from trimtab.stats.inspection import inspection_intervals
from trimtab.stats.peaks import PeaksOverThreshold
from trimtab.stats.regimes import FALSE_SPLITS, DifferenceNoise, Shifts, change_points, difference_noise
from trimtab.stats.rhythm import Rhythm, find_rhythm
from trimtab.stats.scale import TAME_SDS, loudness, mad_sd, median, medians, tame, tame_history, trailing_median
from trimtab.stats.tails import steady_tail
from trimtab.stats.volatility import Volatility, clusters, find_volatility

__all__ = [
    "FALSE_SPLITS",
    "TAME_SDS",
    "Ar1",
    "DifferenceNoise",
    "Forecast",
    "Hazard",
    "PeaksOverThreshold",
    "Rhythm",
    "Shifts",
    "Volatility",
    "change_points",
    "clusters",
    "critical_t",
    "difference_noise",
    "find_rhythm",
    "find_volatility",
    "fit_ar1",
    "fit_core",
    "forecast",
    "inspection_intervals",
    "least_surprise",
    "level_precision",
    "log_e",
    "loudness",
    "mad_sd",
    "median",
    "medians",
    "running_means",
    "steady_tail",
    "surprise",
    "tame",
    "tame_history",
    "trailing_median",
    "within",
]
