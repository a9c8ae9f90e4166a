"""What it is worth to notice a change a second earlier, in one series and not in another. Asked by adaptive monitoring."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.domain.goals import Goal, Guard
from trimtab.domain.metrics import Series

GOAL, GUARD, NEAR, ELSE = 8.0, 4.0, 2.0, 1.0  # a goal of the greatest weight; a guard; another series of their elements; the rest


class Worth:
    """Weights from goals, by their own weights, and guards.

    >>> from trimtab.domain.direction import Direction
    >>> worth = Worth([Goal("p95_seconds", 0.2, Direction.MINIMIZE, element="shop")], [])
    >>> worth.of(Series("p95_seconds", "shop")), worth.of(Series("queue_length", "shop"))[0], worth.of(Series("a", "b"))[0]
    ((8.0, 'its goal p95_seconds'), 2.0, 1.0)
    """

    def __init__(self, goals: Sequence[Goal], guards: Sequence[Guard]) -> None:
        most = max((goal.weight for goal in goals), default=1.0)
        self._named: dict[str, list[tuple[float, str | None, str]]] = {}
        self._near: dict[str, str] = {}
        for goal in goals:
            self._add(goal, NEAR + (GOAL - NEAR) * goal.weight / most, "goal")
        for guard in guards:
            self._add(guard, GUARD, "guard")

    def _add(self, meant: Goal | Guard, weight: float, kind: str) -> None:
        self._named.setdefault(meant.metric_name, []).append((weight, meant.element or None, f"its {kind} {meant.metric_name}"))
        if meant.element:
            self._near.setdefault(meant.element, f"the {kind} {meant.metric_name} of its element")

    def of(self, series: Series) -> tuple[float, str]:
        """The weight of a series, and why it has that, in words."""
        mine = [(weight, why) for weight, element, why in self._named.get(series.name, ()) if element in (None, series.element)]
        return max(mine, default=(self.of_element(series.element), self.why_element(series.element)))

    def of_element(self, element: str) -> float:
        """The weight of any other series of an element."""
        return NEAR if element in self._near else ELSE

    def why_element(self, element: str) -> str:
        """Why it has that; "" where nothing speaks for it."""
        return self._near.get(element, "")
