"""Judge what an action did, against what would have happened without it.

Reads: samples of one metric before and after an action, and its goal's direction. Produces: a `Verdict`: improved, worse, or
inconclusive, valid at every look. May import: `stats`, `domain`, NumPy. Never: a clock, a random source, the environment, the
network.
"""

from trimtab.verify.judge import Judge, judge

__all__ = ["Judge", "judge"]
