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
from trimtab.plan.territory import HALF_WAY, Fence, Used, beyond, reaches, within_reach
from trimtab.stats.surrogate import Surrogate

Array = NDArray[np.float64]

SURE = 1.65  # standard deviations between a guard's expected value and its limit, before a new setting is entered
VERY_SURE = 2.5  # the same where it is entered for curiosity, with no gain in sight
PROVEN = 0.5  # the same for a setting that was measured and held
HARMFUL = 1.0  # the same, beyond a limit, from which a setting counts as one that broke the guard
INSIDE = 0.5  # the same of its own measurements, where the model says that it held
CLEAR = 2.0  # the same from which the measurements of a setting need no model to say that it held
CAUTION = 0.7  # standard deviations of its lead over the start that a setting is not credited with
LEAST_LEAD = 0.01  # in the model's unit: a lead over the start below which the start is kept
BASES = 3  # proven settings from which moves are considered, besides the best of each combination of choices
WORTH = 0.015  # relative improvement expected of a measurement, below which it is better spent on what is least known
HOPE, LEAST_HOPE = 2.0, 0.02  # standard deviations that a new setting is given credit for, and what it must promise then
LAST_HOPE = 3.0  # the same among proven numbers, where all that is left is to repeat the best
NEARER = 0.03  # of the way to where a guard broke: a setting that is so much nearer to it must be worth it
WELL_BACK = 0.5  # of the way to where a guard broke, the other way: where choices that were never tried may be tried
LEAST_SHARE = 0.2  # of what was gained so far, in the goal's own unit: what must lie there
BAD = 0.5  # in the model's unit: a setting so much worse than the start is bad, and it matters little how bad
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
    bend: float = 0.0  # 1: logarithms of a metric to maximise are modelled, -1: of one to minimise, 0: no logarithms

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
        values, noise, bend = _as_modelled(goal, [trials[number] for number in sound])
        decades = tuple(axis.proportional for axis in axes)
        model = Surrogate.fit(places, labels, rows[sound], values, noise, decades)
        return cls(axes, settings, model, fences, proven, harmful, reach, float(np.median(noise)) * model.shape.loudness, bend)

    @property
    def best(self) -> Setting:
        """The proven setting that is surely the most better than the start; the start itself where none surely is.

        What is not better by a bound is not recommended, however good it looks: it may have had luck.
        """
        places = points(self.axes, self.settings)
        mean, covariance = self.goal.at(places)
        spread = np.diag(covariance) + covariance[0, 0] - 2.0 * covariance[0]
        surely = mean - mean[0] - CAUTION * np.sqrt(np.maximum(spread, 0.0))
        surely[0] = LEAST_LEAD
        return self.settings[int(np.argmax(np.where(self.proven, surely, -np.inf)))]

    def next_setting(self, last: bool = False, early: bool = False) -> Setting:
        """The setting whose measurement is worth most; where little is to be won, the most hopeful new one, or the best again.

        `last`: few trials are left, and no more new settings are tried; what is recommended at the end is made sure of.
        """
        held = self._held
        candidates = [] if last else self._candidates()
        on_the_way = self._on_the_way(candidates, held) if early and candidates else None
        if on_the_way is not None:
            return on_the_way
        options = [*held, *candidates]
        places = points(self.axes, options)
        mean, deviation = self.goal.each(places)
        top = float(mean[: len(held)].max())
        hope = mean + HOPE * deviation - top
        worth = np.where(hope > 0.0, self._worth(places, mean, deviation, len(held)), 0.0)
        if worth.max() < WORTH and candidates:
            new, surely = slice(len(held), None), self.safe(candidates, VERY_SURE)
            for credit, open_to in ((HOPE, surely), (LAST_HOPE, surely & self._between(candidates, held))):
                hopeful = np.where(open_to, mean[new] + credit * deviation[new] - top, -np.inf)
                if hopeful.max() > LEAST_HOPE:
                    return candidates[int(np.argmax(hopeful))]
        return options[int(np.argmax(worth))] if worth.max() > 1e-4 else self.best

    @property
    def _held(self) -> list[Setting]:
        return [one for one, proven in zip(self.settings, self.proven, strict=True) if proven]

    def _candidates(self) -> list[Setting]:
        """New settings near a good proven one, within reach, where every guard would hold."""
        known = set(self.settings)
        moves = (one for base in self._bases() for one in self._moves(base) if one not in known)
        found = self.allowed(list(dict.fromkeys(moves)))
        return [one for one, ok in zip(found, self._worth_a_break(found), strict=True) if ok]

    def _on_the_way(self, candidates: Sequence[Setting], held: Sequence[Setting]) -> Setting | None:
        """The candidate nearest to the most hopeful setting of all, however far that is; None where none leads there.

        What is out of reach is judged by what may be there, so that every lever is followed as far as it may be worth it
        (goal-oriented safe exploration: Turchetta, Berkenkamp & Krause (2019), NeurIPS 32).
        """
        known = set(self.settings)
        moves = list(dict.fromkeys(one for base in self._bases() for one in self._moves(base) if one not in known))
        conceivable = self.safe(moves, -SURE) & self._short_of_harm(moves)
        mean, deviation = self.goal.each(points(self.axes, moves))
        hope = np.where(conceivable, mean + HOPE * deviation, -np.inf)
        target = moves[int(np.argmax(hope))]
        left, now = (distances(self.axes, some, [target]).sum(axis=(1, 2)) for some in (candidates, held))
        return candidates[int(np.argmin(left))] if left.min() < now.min() else None

    def _worth_a_break(self, settings: Sequence[Setting]) -> NDArray[np.bool_]:
        """Which settings do not lie towards where a guard broke, unless what lies there is a good part of all that was gained.

        Each guard that broke makes the next one dearer. Choices that were never tried together may move the edge: they are tried
        only where the numbers are well back from where a guard broke.
        """
        worth_it = np.ones(len(settings), dtype=bool)
        broke = [one for one, harmful in zip(self.settings, self.harmful, strict=True) if harmful]
        if not broke or not settings:
            return worth_it
        seen = {self._choices(one) for one in self._held}
        untried = np.array([self._choices(one) not in seen for one in settings])
        first, best, *there = self._raw(self.goal.mean(points(self.axes, [self.settings[0], self.best, *broke])))
        for one, value in zip(broke, there, strict=True):
            worth_it &= ~(untried & beyond(self.axes, settings, self._held, one, -WELL_BACK))
            if value - best <= LEAST_SHARE * len(broke) * (best - first):
                worth_it &= ~beyond(self.axes, settings, self._held, one, NEARER)
        return worth_it

    def _raw(self, values: Array) -> Array:
        """Modelled values in the unit of the goal's metric, up to a scale; larger is still better."""
        return self.bend * np.exp(self.bend * values) if self.bend else values

    def allowed(self, settings: Sequence[Setting]) -> list[Setting]:
        """Which of these new settings may be tried: within reach of what is proven, short of harm, and every guard would hold."""
        found, held = list(settings), self._held
        for keep in (self._apart, lambda some: within_reach(self.axes, some, held, self.reach), self._short_of_harm, self.safe):
            found = [one for one, ok in zip(found, keep(found), strict=True) if ok] if found else []
        return found

    def worth(self, here: Setting, options: Sequence[Setting]) -> Array:
        """The improvement over staying `here` that is expected of a trial of each option (k,); zero where there is no hope."""
        mean, covariance = self.goal.at(points(self.axes, [here, *options]))
        better = mean[1:] - mean[0]
        variance = np.maximum(np.diag(covariance)[1:] + covariance[0, 0] - 2.0 * covariance[0, 1:], 1e-12)
        learned = variance / np.sqrt(variance + self.noise**2)
        worth = np.maximum(better[:, None] + learned[:, None] * DEVIATES[None, :], 0.0).mean(axis=1)
        return np.where(better + HOPE * np.sqrt(variance) > LEAST_HOPE, worth, 0.0)

    def _bases(self) -> list[Setting]:
        """The best proven settings: of all, and of each combination of choices."""
        mean, _ = self.goal.at(points(self.axes, self.settings))
        order = [self.settings.index(self.best), *(int(k) for k in np.argsort(-mean) if self.proven[k])]
        choices: dict[Setting, Setting] = {}
        for k in order:
            choices.setdefault(self._choices(self.settings[k]), self.settings[k])
        return list(dict.fromkeys([*(self.settings[k] for k in order[:BASES]), *choices.values()]))

    def _choices(self, setting: Setting) -> Setting:
        return tuple(value for axis, value in zip(self.axes, setting, strict=True) if not axis.spec.numeric)

    def _moves(self, base: Setting) -> list[Setting]:
        return [(*base[:number], value, *base[number + 1 :]) for number, axis in enumerate(self.axes) for value in axis.values]

    def _apart(self, settings: Sequence[Setting]) -> NDArray[np.bool_]:
        """Which settings are not all but the same as a measured one, evenly and in proportion."""
        gaps = points(self.axes, settings)[:, None] - points(self.axes, self.settings)[None, :]
        return np.asarray(np.abs(gaps).max(axis=(2, 3)).min(axis=1) >= SPACING)

    def _between(self, settings: Sequence[Setting], held: Sequence[Setting]) -> NDArray[np.bool_]:
        """Which settings have no number outside of what was proven, whatever their choices."""
        numbers = np.array([axis.spec.numeric for axis in self.axes])
        places, known = (points(self.axes, some)[:, numbers, 0] for some in (settings, held))
        return np.asarray(((places >= known.min(axis=0)) & (places <= known.max(axis=0))).all(axis=1))

    def _short_of_harm(self, settings: Sequence[Setting]) -> NDArray[np.bool_]:
        """Which settings do not lie where a guard broke, or beyond it."""
        short = np.ones(len(settings), dtype=bool)
        for one, harmful in zip(self.settings, self.harmful, strict=True):
            if harmful:
                short &= ~beyond(self.axes, settings, self._held, one, HALF_WAY)
        return short

    def safe(self, settings: Sequence[Setting], deviations: float = SURE) -> NDArray[np.bool_]:
        """Where every guard's bound is within its limit; where the best setting breaks one itself, no worse than there."""
        places = points(self.axes, [*settings, self.best])
        safe = np.ones(len(settings), dtype=bool)
        for fence in self.fences:
            *bounds, here = fence.bound(places, np.append(np.full(len(settings), deviations), 0.0))
            safe &= np.array(bounds) <= max(0.0, here)
        return safe

    def _worth(self, places: Array, mean: Array, deviation: Array, held: int) -> Array:
        """The knowledge gradient of measuring each option, the proven ones first: by how much the best known would improve."""
        seen = np.sqrt(deviation**2 + self.noise**2)
        learned = self.goal.between(places[:held], places) / seen  # (held, options): what one standard deviation moves
        after = (mean[:held, None, None] + learned[:, :, None] * DEVIATES).max(axis=0)
        own = mean[:, None] + (deviation**2 / seen)[:, None] * DEVIATES
        return np.asarray(np.maximum(after, own).mean(axis=1) - mean[:held].max())


def _as_modelled(goal: Goal, trials: Sequence[Trial]) -> tuple[Array, Array, float]:
    """The goal's values with larger better, their standard deviations, and how they bend: in logarithms where all are positive.

    How bad an overload is, is of no interest and would hide the rest: what is much worse than the start is drawn nearer.
    """
    raw = np.array([trial.goal for trial in trials], dtype=float)
    noise = np.array([trial.noise for trial in trials], dtype=float)
    sign = float(goal.direction.sign)
    if (raw > 0.0).all():
        values, bend = sign * np.log(raw), sign
    else:
        scale = float(np.abs(raw).max()) or 1.0
        values, noise, bend = sign * raw / scale, noise * np.maximum(np.abs(raw) / scale, 0.1), 0.0
    floor = (
        float(np.median([value for value, trial in zip(values, trials, strict=True) if trial.setting == trials[0].setting])) - BAD
    )
    worse = np.maximum(floor - values, 0.0)
    return np.where(worse > 0.0, floor - BAD * np.log1p(worse / BAD), values), noise, bend


def _proven(
    rows: Array, fences: Sequence[Fence], limits: Sequence[Used], places: Array
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which settings held, and which clearly broke a guard: by their own measurements where clear, else by the model."""
    proven = np.ones(len(places), dtype=bool)
    harmful = np.zeros(len(places), dtype=bool)
    count = rows.sum(axis=0)
    for fence, used in zip(fences, limits, strict=True):
        own, noise = rows.T @ used.values / count, np.sqrt(rows.T @ used.noise**2) / count
        proven &= (own + CLEAR * noise <= 0.0) | ((own + INSIDE * noise <= 0.0) & (fence.bound(places, PROVEN) <= 0.0))
        harmful |= own - HARMFUL * noise > 0.0
    if not proven.any():
        proven[0] = True  # nothing held: all that is left is where we began
    return proven, harmful & ~proven
