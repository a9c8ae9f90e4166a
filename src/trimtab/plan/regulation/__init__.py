"""How a regulated lever follows load: the policies, by name. Pure; contract in `domain.regulation`."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.domain.regulation import Move, Policy, RegulationView

BUSY, IDLE = 0.8, 0.4  # of a utilization


class Reactive:
    """One step up where the busiest utilization is high, one step down where it is low."""

    def next(self, view: RegulationView) -> Sequence[Move]:
        """At most one move."""
        used = [v[-3:].mean() for name, (_, v) in view.metrics.items() if "utilization" in name and v.size >= 3]
        state = next(iter(view.levers.values()))
        if not used or state.spec.bounds is None or not isinstance(state.value, int | float):
            return ()
        step = state.spec.step * (int(max(used) > BUSY) - int(max(used) < IDLE))
        wanted = min(max(state.value + step, state.spec.bounds[0]), state.spec.bounds[1])
        value = state.spec.coerce(wanted)
        return () if value == state.value else (Move(state.spec.lever_id, state.value, value, view.now, f"used {max(used):.0%}"),)


def policy_of(name: str) -> Policy:
    """The policy called `name`."""
    return Reactive()
