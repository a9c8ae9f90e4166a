"""Forecasts of load, saturation and cost under one public name; the mathematics is in `stats`.

>>> import numpy as np
>>> from trimtab.analyze import crossing, forecast
>>> hours = np.arange(24.0 * 14)
>>> load = 100 + 30 * np.sin(2 * np.pi * hours / 24) + np.sin(hours**2)
>>> ahead = forecast(load, step=3600.0, horizon=24)
>>> ahead.mean.shape, ahead.period
((24,), 604800.0)
>>> disk = 70 + hours / 24 + 0.1 * np.sin(hours**2)
>>> full = crossing(3600 * hours, disk, 90.0)
>>> full is not None and round(full.after / 86400, 1)
6.0
"""

from __future__ import annotations

from trimtab.stats.crossing import Crossing, crossing
from trimtab.stats.forecast import Forecast, forecast

__all__ = ["Crossing", "Forecast", "crossing", "forecast"]
