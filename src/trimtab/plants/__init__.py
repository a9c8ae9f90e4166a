"""Simulated elements, for `simulate`, the demo of simulation, and tests. More plants join as systems do.

Reads: values set at levers, virtual time, a random generator handed in. Produces: metrics for each step. May import: NumPy,
domain, stats. Never: a clock, the environment, the network, a room beside or above.
"""

from trimtab.plants.service import ServicePlant

__all__ = ["ServicePlant"]
