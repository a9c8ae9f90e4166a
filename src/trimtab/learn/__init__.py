"""Learn: verified outcomes in, beliefs about action types out.

Reads: `Outcome`s of actions that were really tried. Produces: `Beliefs`, which answers `domain.beliefs.BeliefView`. May import:
domain, config, stats. Never: a clock, a random source, a simulated result (an `Outcome` cannot carry one), the room `plan`.
"""

from __future__ import annotations

from trimtab.learn.beliefs import Beliefs

__all__ = ["Beliefs"]
