"""Shared mathematics of the loop: robust scale, regimes, autocorrelation, anytime-valid evidence.

Reads: arrays handed in. Produces: numbers and small frozen values. May import: NumPy and `domain`.
Never: a clock, the environment, the network, a random source, or any other room.
"""

from trimtab.stats.ar1 import Ar1, fit_ar1, level_precision
from trimtab.stats.blocks import running_means
from trimtab.stats.evalue import critical_t, log_e
from trimtab.stats.regimes import change_points, difference_noise
from trimtab.stats.scale import mad_sd, median, tame, tame_history, trailing_median
from trimtab.stats.tails import steady_tail

__all__ = [
    "Ar1",
    "change_points",
    "critical_t",
    "difference_noise",
    "fit_ar1",
    "level_precision",
    "log_e",
    "mad_sd",
    "median",
    "running_means",
    "steady_tail",
    "tame",
    "tame_history",
    "trailing_median",
]
