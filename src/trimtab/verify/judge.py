"""Say whether an action helped, against what would have happened without it. Called by `execute` while an action is verified.

    history ─► Frame: scale, rhythm, controls ─► Past: it goes on, reverts, returns, drifts ─► placebos widen each ─┐
    samples after settling, in the same frame ─► Evidence, look by look ──────► the weakest account decides ◄───────┘ ─► Verdict

Credit needs evidence against every account that the history leaves open, in the same direction, at level `alpha` on either side
over all looks; the first conclusive look stands. The interval is the hull of the accounts' confidence sequences, so
improved ⟺ low > 0 and worse ⟺ high < 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.direction import Direction
from trimtab.domain.verdicts import Verdict
from trimtab.verify.looks import Looks, follow
from trimtab.verify.prepare import Refusal, Terms, prepare
from trimtab.verify.samples import Readings, as_arrays, ascending, table_of
from trimtab.verify.verdicts import held, refused, spoken

Array = NDArray[np.float64]
Samples = tuple[Any, Any]  # (t, y): anything NumPy reads as two flat arrays


class Judge:
    """A verdict that is kept up to date, sample by sample, and may be read as often as one likes.

    `history`: (t, y), seconds and values; what lies after `applied_at` is judged at once. `goal`: a Direction, "minimize",
    "maximize", or anything with a `.direction` (its `.target_value`, if any, tells what is worth waiting for). `settle_seconds`
    after the action are not looked at. `controls`: name → values on the same t of series that the action cannot have touched:
    what they explain of the history is taken out of what follows, and one that moves the same way by itself withholds credit.
    `min_effect` (relative) serves the `futile` flag only. `interval_seconds`: sampling interval (default: the median spacing of
    the history). `changes`: times at which levers were moved on purpose before, so that a shift that we made ourselves is not
    taken for one that comes and goes by itself. `alpha`: at most this share of the changes that do nothing are ever called
    improved, and at most this share worse.

    >>> t = np.arange(40.0)
    >>> y = np.where(t < 20, 0.1, 0.6) + 0.01 * np.sin(7 * t)
    >>> judge = Judge(history=(t, y), applied_at=39.5, goal="minimize")
    >>> [str(judge.update(40.0 + i, 0.1 + 0.01 * np.sin(i)).status) for i in range(4)]
    ['inconclusive', 'inconclusive', 'improved', 'improved']
    """

    def __init__(
        self,
        history: Samples,
        *,
        applied_at: float,
        goal: object,
        controls: Mapping[str, Any] | None = None,
        settle_seconds: float = 0.0,
        alpha: float = 0.05,
        min_effect: float = 0.05,
        interval_seconds: float | None = None,
        changes: Sequence[float] = (),
    ) -> None:
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha must lie between 0 and 1, got {alpha}; 0.05 is customary")
        sign, target = direction_of(goal).sign, _target_of(goal)
        self._terms = Terms(applied_at, settle_seconds, sign, target, alpha, min_effect, interval_seconds, tuple(changes))
        t, y, x = ascending(*as_arrays(*history), table_of(controls or {}, history[0]))
        before, after = t < applied_at, self._terms.counts(t)
        self._names = tuple(controls or {})
        self._trial = prepare(self._terms, t[before], y[before], x[before], self._names)
        self._readings = Readings(t[after], y[after], x[after])
        self._newest = float(t[-1]) if t.size else -np.inf
        self._controls = self._judges_of(controls or {}, history[0], goal)
        self.decided_at: float | None = None  # time (s) of the sample that made the verdict conclusive
        self.verdict: Verdict = self._first_conclusive()

    def update(self, t: float, y: float, controls: Mapping[str, float] | None = None) -> Verdict:
        """The verdict after one more reading (`t` s, `y` value or NaN); `controls`: the controls' readings at the same time."""
        for name, value in (controls or {}).items():
            if name in self._controls:
                self._controls[name].update(t, value)
        if not np.isfinite(t) or t <= self._newest:
            return self.verdict
        self._newest = float(t)
        if not bool(self._terms.counts(np.asarray(t))):
            return self.verdict
        self._readings.append(t, y, [(controls or {}).get(name, np.nan) for name in self._names])
        if self.decided_at is None:
            self.verdict = self._newest_verdict(self._looks())
        return self.verdict

    def _first_conclusive(self) -> Verdict:
        """What a stream of the same samples would have come to: the first look that decides, else the last."""
        looks = self._looks()
        if looks is not None:
            for look in looks.decisive():
                verdict = self._unless_a_control_moved(looks, look, newest=False)
                if verdict.conclusive:
                    return verdict
        return self._newest_verdict(looks)

    def _newest_verdict(self, looks: Looks | None) -> Verdict:
        if looks is None:
            assert isinstance(self._trial, Refusal)
            return refused(self._trial, int(np.isfinite(self._readings.y).sum()))
        return self._unless_a_control_moved(looks, looks.last, newest=True)

    def _looks(self) -> Looks | None:
        if isinstance(self._trial, Refusal):
            return None
        return follow(self._trial, self._readings.t, self._readings.y, self._readings.x)

    def _unless_a_control_moved(self, looks: Looks, look: int, *, newest: bool) -> Verdict:
        verdict = spoken(looks, look, newest=newest)
        if not verdict.conclusive:
            return verdict
        when = float(looks.t[look])
        for name, control in self._controls.items():
            moved = control.decided_at is not None and control.decided_at <= when
            if moved and control.verdict.status is verdict.status:
                return held(verdict, name)
        self.decided_at = when
        return verdict

    def _judges_of(self, controls: Mapping[str, Any], t: Any, goal: object) -> dict[str, Judge]:
        terms = self._terms
        return {
            name: Judge(
                (t, values),
                applied_at=terms.applied_at,
                goal=goal,
                settle_seconds=terms.settle_seconds,
                alpha=terms.alpha,
                interval_seconds=terms.interval_seconds,
                changes=terms.changes,
            )
            for name, values in controls.items()
        }


def judge(
    samples: Samples,
    *,
    applied_at: float,
    goal: object,
    controls: Mapping[str, Any] | None = None,
    settle_seconds: float = 0.0,
    alpha: float = 0.05,
    min_effect: float = 0.05,
    interval_seconds: float | None = None,
    changes: Sequence[float] = (),
) -> Verdict:
    """The verdict on samples (t, y) from before and after an action: what `Judge` would have said at the last of them.

    Parameters as for `Judge`. `t` (n,) seconds, `y` (n,) values, NaN or inf = missing.

    >>> t = np.arange(60.0)
    >>> noise = 0.02 * np.sin(np.arange(60) ** 2)
    >>> judge((t, np.where(t < 50, 1.0, 0.6) * np.exp(noise)), applied_at=49.5, goal="minimize").status
    <VerdictStatus.IMPROVED: 'improved'>
    """
    return Judge(
        samples,
        applied_at=applied_at,
        goal=goal,
        controls=controls,
        settle_seconds=settle_seconds,
        alpha=alpha,
        min_effect=min_effect,
        interval_seconds=interval_seconds,
        changes=changes,
    ).verdict


def direction_of(goal: object) -> Direction:
    """The direction of a goal in any of the accepted forms; ValueError for anything else.

    >>> direction_of("maximize")
    <Direction.MAXIMIZE: 'maximize'>
    """
    wanted = getattr(goal, "direction", goal)
    if isinstance(wanted, str) and wanted in tuple(Direction):
        return Direction(wanted)
    raise ValueError(f"goal must be minimize, maximize or have such a direction; got {goal!r}")


def _target_of(goal: object) -> float | None:
    target = getattr(goal, "target_value", None)
    return float(target) if isinstance(target, int | float) and np.isfinite(target) else None
