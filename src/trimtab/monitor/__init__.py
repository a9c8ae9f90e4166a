"""Hear the sensors, and judge what they say before anything rests on it.

Reads: what sensors yield, handed over by the agent with the time at which it came in.
Produces: samples fit to be stored, windows of the recent past, and for each series whether it can be trusted, with the reason.
May import: `domain`, `stats`, NumPy. Never: a clock (`now` is an argument), the network, a store, `analyze`.
"""

from trimtab.monitor.aggregates import Aggregate
from trimtab.monitor.monitor import Monitor
from trimtab.monitor.windows import SeriesWindow

__all__ = ["Aggregate", "Monitor", "SeriesWindow"]
