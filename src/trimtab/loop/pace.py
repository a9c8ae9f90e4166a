"""How much more rarely to look, so that the agent stays within its own budget of processor time. Pure; asked once a turn.

Cost is taken to be a + b / f: a part that does not depend on how often one looks, and one that falls as every interval is
lengthened f times. f · (cost / aim) then goes towards the f at which cost meets the aim, from either side and without passing it:
under a constant load the factor settles, and stays. Each step is measured by itself, over at least a minute after the last one.
"""

from __future__ import annotations

from collections import deque

LONGEST = 64.0  # times its own interval is the most that a sensor is put off
LEAST_SECONDS, MOST_SECONDS = 60.0, 300.0  # of measurements that a step rests on
_MARK_SECONDS = 5.0  # between two marks that are kept
_OVER, _UNDER = 1.1, 0.7  # times the budget: in between, what is in force stays in force
_AIM = 0.9  # times the budget
_NEARLY_ONE = 1.05  # a factor below is none


class Pace:
    """The factor, at least 1 and at most `LONGEST`. `budget_percent` is of one core.

    >>> pace = Pace(2.0)
    >>> for second in range(0, 65, 5): changed = pace.note(float(second), 0.048 * second)
    >>> pace.sentence
    'intervals lengthened 2.67 ×: CPU 4.8 % over the budget of 2 % of a core'
    """

    def __init__(self, budget_percent: float) -> None:
        if not budget_percent > 0.0:
            raise ValueError(f"a budget is more than nothing, got {budget_percent!r}")
        self.budget_percent = budget_percent
        self.factor = 1.0
        self._over = 0.0  # what was used when the factor last grew
        self._marks: deque[tuple[float, float]] = deque()

    @property
    def sentence(self) -> str | None:
        """Why intervals are longer than configured, in words; None while they are not."""
        if self.factor == 1.0:
            return None
        most = ", which is as far as it goes" if self.factor == LONGEST else ""
        used = f"CPU {self._over:.2g} % over the budget of {self.budget_percent:g} % of a core"
        return f"intervals lengthened {self.factor:g} ×: {used}{most}"

    def note(self, at: float, cpu_seconds: float) -> bool:
        """At `at` (seconds) the process has used `cpu_seconds` of processor time in all. Returns whether the factor changed."""
        if self._marks and (at < self._marks[-1][0] or cpu_seconds < self._marks[-1][1]):
            self._marks.clear()  # a clock that was set back tells nothing of how much time has passed
        if self._marks and at - self._marks[-1][0] < _MARK_SECONDS:
            return False
        self._marks.append((at, cpu_seconds))
        while at - self._marks[0][0] > MOST_SECONDS:
            self._marks.popleft()
        since, used = self._marks[0]
        return at - since >= LEAST_SECONDS and self._decide(100.0 * (cpu_seconds - used) / (at - since))

    def _decide(self, percent: float) -> bool:
        wanted = next_factor(self.factor, percent, self.budget_percent)
        if wanted == self.factor:
            return False
        if wanted > self.factor:
            self._over = percent
        self.factor = wanted
        last = self._marks[-1]
        self._marks.clear()  # what was used before tells nothing of what is used from now on
        self._marks.append(last)
        return True


def next_factor(factor: float, percent: float, budget: float) -> float:
    """The factor to follow `factor`, under which `percent` of a core was used.

    >>> next_factor(1.0, 1.9, 2.0), next_factor(1.0, 4.5, 2.0), next_factor(2.5, 0.2, 2.0), next_factor(8.0, 40.0, 2.0)
    (1.0, 2.5, 1.0, 64.0)
    """
    if _UNDER * budget <= percent <= _OVER * budget or (percent < budget and factor == 1.0):
        return factor
    wanted = round(factor * percent / (_AIM * budget), 2)
    return 1.0 if wanted < _NEARLY_ONE else min(wanted, LONGEST)
