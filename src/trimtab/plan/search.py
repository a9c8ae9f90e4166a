"""Search the best setting of several levers without breaking a guard on the way: ask for a setting, tell what was measured there.

A model of the goal (`stats.surrogate`) says what a further measurement is worth: of a new setting, or once more of one that looks
good (knowledge gradient: Frazier, Powell & Dayanik (2009), INFORMS Journal on Computing 21). A model of each guard says where it
would still hold: a setting is asked for only where the bound on every guard is within its limit (safe Bayesian optimisation: Sui,
Gotovos, Burdick & Krause (2015), ICML; Berkenkamp, Krause & Schoellig (2016), ICRA), and only within reach of what is proven. The
reach along each lever grows where moves go well and shrinks where a guard broke (a trust region: Eriksson et al. (2019),
"Scalable global optimization via local Bayesian optimization", NeurIPS). Each setting that is asked for differs from
a proven one in one lever: this is what an action can do.

Pure: the same tellings always lead to the same question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, inf

from trimtab.domain.goals import Goal, Guard
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.plan.axes import Axis, Setting, as_setting
from trimtab.plan.outlook import Outlook, Trial

EARLY = 5  # trials a lever, every other of which follows what may be worth it, however far
LAST = 0.1  # share of the trials, where their number is known, that only repeat what may be recommended
NOISE = 0.1  # relative standard deviation of one measurement, where none is told


class SafeSearch:
    """Ask for a setting to measure, tell what was measured, read the best proven one from `best`.

    `start` is the setting in place, taken for safe; without it the first one told is. A setting maps lever names to values.
    `trials`: how many there will be, where that is known; the last tenth of them repeats the settings that may be recommended.

    >>> from trimtab.domain.direction import Direction
    >>> workers = LeverSpec("workers", "shop", bounds=(1, 32))
    >>> goal, guard = Goal("p95_seconds", 0.1, Direction.MINIMIZE), Guard("cpu_percent", max=80.0)
    >>> search = SafeSearch([workers], goal, [guard], start={"workers": 2})
    >>> for _ in range(12):
    ...     setting = search.ask()
    ...     search.tell(setting, 1.0 / setting["workers"], {"cpu_percent": 2.0 * setting["workers"]})
    >>> search.best["workers"] > 24
    True
    """

    def __init__(
        self,
        levers: Sequence[LeverSpec],
        goal: Goal,
        guards: Sequence[Guard] = (),
        start: Mapping[str, LeverValue] | None = None,
        trials: int | None = None,
    ) -> None:
        if not levers:
            raise ValueError("a search needs at least one lever")
        self._specs, self._goal, self._guards = tuple(levers), goal, tuple(guards)
        self._axes: tuple[Axis, ...] = ()
        self._trials: list[Trial] = []
        self._settle_from = inf if trials is None else trials - ceil(trials * LAST)
        self._early = min(EARLY * len(levers), inf if trials is None else trials / 2)
        self._start: Setting | None = None
        if start is not None:
            self._begin(start)

    def tell(
        self,
        setting: Mapping[str, LeverValue],
        goal: float,
        guards: Mapping[str, float] | None = None,
        noise: float = NOISE,
    ) -> None:
        """What was measured at `setting`: the goal's metric, each guard's by metric name, and their relative standard deviation.

        Raises `ValueError` where the setting lacks a lever, or a guard's value is not told.
        """
        if not self._axes:
            self._begin(setting)
        one = as_setting(self._axes, setting)
        told = guards or {}
        lacking = [guard.metric_name for guard in self._guards if guard.metric_name not in told]
        if lacking:
            raise ValueError(f"no value was told for the guard {', '.join(lacking)}")
        values = tuple(float(told[guard.metric_name]) for guard in self._guards)
        broken = any(guard.breached_by(value) for guard, value in zip(self._guards, values, strict=True))
        self._trials.append(Trial(one, float(goal), values, noise, broken))

    def ask(self) -> dict[str, LeverValue]:
        """The setting to measure next; one measured before where its repetition is worth more than anything new.

        Raises `ValueError` where neither a start nor a measurement was told: any guess could break a guard.
        """
        if self._start is None:
            raise ValueError("which setting is in place? Give SafeSearch a start, or tell a measurement first")
        if not self._trials:
            return self._named(self._start)
        done = len(self._trials)
        early = done % 2 == 1 and done < self._early
        return self._named(self._view().next_setting(done >= self._settle_from, early))

    @property
    def best(self) -> dict[str, LeverValue]:
        """The best setting that was measured and whose guards held, by the model; the start where there is none."""
        if self._start is None:
            raise ValueError("nothing was told yet")
        return self._named(self._view().best if self._trials else self._start)

    def _begin(self, setting: Mapping[str, LeverValue]) -> None:
        plain = [Axis.of(spec, setting.get(spec.name, setting.get(spec.lever_id, 0.0))) for spec in self._specs]
        self._axes = tuple(plain)
        self._start = as_setting(self._axes, setting)

    def _named(self, setting: Setting) -> dict[str, LeverValue]:
        return {axis.spec.name: value for axis, value in zip(self._axes, setting, strict=True)}

    def _view(self) -> Outlook:
        return Outlook.of(self._axes, self._goal, self._guards, self._trials)
