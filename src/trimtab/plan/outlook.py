"""What the trials so far say of every setting that one lever's move would lead to, and which is worth the next measurement.

Built anew from the trials each time; pure. The models are those of `stats.surrogate`, the limits those of `plan.territory`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.goals import Goal, Guard
from trimtab.plan.axes import Axis, Setting, distances, points
from trimtab.plan.territory import Fence, Used, beyond, reaches, within_reach
from trimtab.stats.surrogate import Surrogate

Array = NDArray[np.float64]

SURE = 1.65  # standard deviations between a guard's expected value and its limit, before a new setting is entered
VERY_SURE = 2.5  # the same where it is entered for curiosity, with no gain in sight
PROVEN = 0.5  # the same for a setting that was measured and held
HARMFUL = 1.0  # the same, beyond a limit, from which a setting counts as one that broke the guard
CLEAR = 2.0  # the same from which the measurements of a setting need no model to say that it held
CAUTION = 0.5  # standard deviations by which a setting must look good to be called the best
BASES = 3  # proven settings from which moves are considered, besides the best of each combination of choices
WORTH = 0.015  # relative improvement expected of a measurement, below which it is better spent on what is least known
HOPE, LEAST_HOPE = 1.5, 0.02  # standard deviations that a new setting is given credit for, and what it must promise then
SPACING = 0.025  # of a range: how near to a measured setting a new one makes no sense
DEVIATES = np.array([-2.0, -1.28, -0.84, -0.52, -0.25, 0.0, 0.25, 0.52, 0.84, 1.28, 2.0])  # standard normal, about equal odds


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured at a setting. `noise`: relative standard deviation; `broken`: a guard was outside of its limit."""

    setting: Setting
    goal: float
    guards: tuple[float, ...]
    noise: float
    broken: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """The models after all trials. Larger is better in `goal`, whichever way the goal's metric points."""

    axes: tuple[Axis, ...]
    settings: tuple[Setting, ...]  # measured, each once
    goal: Surrogate
    fences: tuple[Fence, ...]
    proven: NDArray[np.bool_]  # (len(settings),)
    harmful: NDArray[np.bool_]  # where a guard clearly broke
    reach: Array  # (len(axes),)
    noise: float  # of one more measurement, in the unit of the model

    @classmethod
    def of(cls, axes: Sequence[Axis], goal: Goal, guards: Sequence[Guard], trials: Sequence[Trial]) -> Outlook:
        """The outlook after `trials`, of which there is at least one."""
        axes = tuple(axes)
        settings = tuple(dict.fromkeys(trial.setting for trial in trials))
        rows = np.array([[float(trial.setting == one) for one in settings] for trial in trials])
        labels = np.array([not axis.spec.numeric for axis in axes])
        places = points(axes, settings)
        told = [trial.noise for trial in trials]
        limits = [
            used
            for number, guard in enumerate(guards)
            for used in Used.of(guard, [trial.guards[number] for trial in trials], told)
        ]
        fences = tuple(Fence.of(places, labels, rows, used) for used in limits)
        proven, harmful = _proven(rows, fences, limits, places)
        broke = {one for one, bad in zip(settings, harmful, strict=True) if bad}
        reach = reaches(axes, [(trial.setting, trial.setting in broke) for trial in trials])
        sound = [
            number for number, trial in enumerate(trials) if trial.setting not in broke
        ]  # an overload tells nothing of the rest
        values, noise = _as_modelled(goal, [trials[number] for number in sound])
        model = Surrogate.fit(places, labels, rows[sound], values, noise)
        return cls(axes, settings, model, fences, proven, harmful, reach, float(np.median(noise)) * model.shape.loudness)

    @property
    def best(self) -> Setting:
        """The proven setting that is the best with caution; where nothing is proven, the first."""
        return self.settings[self._best]

    @property
    def _best(self) -> int:
        mean, covariance = self.goal.at(points(self.axes, self.settings))
        careful = mean - CAUTION * np.sqrt(np.maximum(np.diag(covariance), 0.0))
        return int(np.argmax(np.where(self.proven, careful, -np.inf)))

    def next_setting(self) -> Setting:
        """The setting whose measurement is worth most; where little is to be won, the most hopeful new one, or the best again."""
        candidates, held = self._candidates(), self._held
        options = [*held, *candidates]
        mean, covariance = self.goal.at(points(self.axes, options))
        deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
        top = float(mean[: len(held)].max())
        hope = mean + HOPE * deviation - top
        worth = np.where(hope > 0.0, self._worth(mean, covariance, len(held)), 0.0)
        if worth.max() < WORTH and candidates:
            hopeful = np.where(self.safe(candidates, VERY_SURE), hope[len(held) :], -np.inf)
            if hopeful.max() > LEAST_HOPE:
                return candidates[int(np.argmax(hopeful))]
        return options[int(np.argmax(worth))] if worth.max() > 1e-4 else self.best

    @property
    def _held(self) -> list[Setting]:
        return [one for one, proven in zip(self.settings, self.proven, strict=True) if proven]

    def _candidates(self) -> list[Setting]:
        """New settings one lever away from a good proven one, within reach, where every guard would hold."""
        known = set(self.settings)
        found = list(dict.fromkeys(one for base in self._bases() for one in self._moves(base) if one not in known))
        return self.allowed(found)

    def allowed(self, settings: Sequence[Setting]) -> list[Setting]:
        """Which of these new settings may be tried: within reach of what is proven, short of harm, and every guard would hold."""
        found, held = list(settings), self._held
        for keep in (self._apart, lambda some: within_reach(self.axes, some, held, self.reach), self._short_of_harm, self.safe):
            found = [one for one, ok in zip(found, keep(found), strict=True) if ok] if found else []
        return found

    def move(self, here: Setting, options: Sequence[Setting]) -> Setting | None:
        """The option from whose trial the largest improvement over staying `here` is expected; None where there is no hope."""
        if not options:
            return None
        mean, covariance = self.goal.at(points(self.axes, [here, *options]))
        better = mean[1:] - mean[0]
        variance = np.maximum(np.diag(covariance)[1:] + covariance[0, 0] - 2.0 * covariance[0, 1:], 1e-12)
        learned = variance / np.sqrt(variance + self.noise**2)
        worth = np.maximum(better[:, None] + learned[:, None] * DEVIATES[None, :], 0.0).mean(axis=1)
        worth = np.where(better + HOPE * np.sqrt(variance) > LEAST_HOPE, worth, 0.0)
        return options[int(np.argmax(worth))] if worth.max() > 0.0 else None

    def _bases(self) -> list[Setting]:
        """The best proven settings: of all, and of each combination of choices."""
        mean, _ = self.goal.at(points(self.axes, self.settings))
        order = [self._best, *(int(k) for k in np.argsort(-mean) if self.proven[k])]
        choices: dict[Setting, Setting] = {}
        for k in order:
            labels = tuple(v for axis, v in zip(self.axes, self.settings[k], strict=True) if not axis.spec.numeric)
            choices.setdefault(labels, self.settings[k])
        return list(dict.fromkeys([*(self.settings[k] for k in order[:BASES]), *choices.values()]))

    def _moves(self, base: Setting) -> list[Setting]:
        return [(*base[:number], value, *base[number + 1 :]) for number, axis in enumerate(self.axes) for value in axis.values]

    def _apart(self, settings: Sequence[Setting]) -> NDArray[np.bool_]:
        """Which settings are not all but the same as a measured one."""
        apart = distances(self.axes, settings, self.settings).max(axis=2)
        return np.asarray(apart.min(axis=1) >= SPACING)

    def _short_of_harm(self, settings: Sequence[Setting]) -> NDArray[np.bool_]:
        """Which settings do not lie where a guard broke, or beyond it."""
        short = np.ones(len(settings), dtype=bool)
        for one, harmful in zip(self.settings, self.harmful, strict=True):
            if harmful:
                short &= ~beyond(self.axes, settings, self._held, one)
        return short

    def safe(self, settings: Sequence[Setting], deviations: float = SURE) -> NDArray[np.bool_]:
        """Where every guard's bound is within its limit; where the best setting breaks one itself, no worse than there."""
        places = points(self.axes, settings)
        here = points(self.axes, [self.best])
        safe = np.ones(len(settings), dtype=bool)
        for fence in self.fences:
            safe &= fence.bound(places, deviations) <= max(0.0, float(fence.bound(here, 0.0)[0]))
        return safe

    def _worth(self, mean: Array, covariance: Array, held: int) -> Array:
        """The knowledge gradient of measuring each option, the proven ones first: by how much the best known would improve."""
        seen = np.sqrt(np.maximum(np.diag(covariance), 1e-12) + self.noise**2)
        worth = np.empty(len(mean))
        for number in range(len(mean)):
            known = [*range(held), *([number] if number >= held else [])]
            after = mean[known, None] + (covariance[known, number] / seen[number])[:, None] * DEVIATES[None, :]
            worth[number] = float(after.max(axis=0).mean())
        return np.asarray(worth - mean[:held].max())


def _as_modelled(goal: Goal, trials: Sequence[Trial]) -> tuple[Array, Array]:
    """The goal's values with larger better, and their standard deviations: in logarithms where all are positive."""
    raw = np.array([trial.goal for trial in trials], dtype=float)
    noise = np.array([trial.noise for trial in trials], dtype=float)
    sign = float(goal.direction.sign)
    if (raw > 0.0).all():
        return sign * np.log(raw), noise
    scale = float(np.abs(raw).max()) or 1.0
    return sign * raw / scale, noise * np.maximum(np.abs(raw) / scale, 0.1)


def _proven(
    rows: Array, fences: Sequence[Fence], limits: Sequence[Used], places: Array
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which settings held, and which clearly broke a guard: by their own measurements where clear, else by the model."""
    proven = np.ones(len(places), dtype=bool)
    harmful = np.zeros(len(places), dtype=bool)
    count = rows.sum(axis=0)
    for fence, used in zip(fences, limits, strict=True):
        own, noise = rows.T @ used.values / count, np.sqrt(rows.T @ used.noise**2) / count
        proven &= (own + CLEAR * noise <= 0.0) | ((own - CLEAR * noise <= 0.0) & (fence.bound(places, PROVEN) <= 0.0))
        harmful |= own - HARMFUL * noise > 0.0
    if not proven.any():
        proven[0] = True  # nothing held: all that is left is where we began
    return proven, harmful & ~proven
