"""What has been seen of one thing, under every likely reading of the past: since when it holds, how it fades, what it hangs on.

A *reading* says: nothing before this outcome counts (its start), and older evidence fades at this rate. Within it models say
which facts of the context matter: none, one, two, or all. Readings are weighted by how well they foretold each outcome, so that
after a change the young ones take over within some tens of outcomes, and where nothing changes the oldest keeps its sharpness.

    start   Bayesian on-line change-point detection: after each outcome a new reading starts with weight `HAZARD`
            Adams and MacKay (2007), arXiv:0710.3742, eq. 3
    rate    power discounting, for what drifts slowly: West and Harrison (1997), "Bayesian Forecasting", ch. 10.8
    facts   Bayesian model averaging. A fact's cell is shrunk to the whole; the cell of several facts to where the single ones,
            added up in log-odds, say that it lies; that of all facts once loosely and once firmly

All of it is closed form: counts in cells, and one weight for each model of each reading. Memory is bounded by `READINGS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations
from math import exp, log

from trimtab.learn.tally import EMPTY, Tally

Labels = tuple[str, ...]
Cell = tuple[tuple[int, ...], Labels]  # which facts, and what they say
Prior = tuple[float, float]  # pseudo-counts of a Beta distribution: for, against

HAZARD = 1.0 / 200.0  # that all is different from one outcome to the next
RATES = ((1.0, 0.8), (0.98, 0.1), (0.94, 0.1))  # how much an outcome counts after the next one, and how likely that is beforehand
READINGS = 12
LEAK = 0.05  # of what was learned of rates and models, a new reading gives up
NO_FACTS = 0.5  # how likely it is beforehand that the context does not matter
ONE_FACT, LOOSE, FIRM = 3.0, 4.0, 32.0  # trials that the coarser estimate counts as: for a cell of one fact, of several
NEUTRAL: Prior = (1.0, 1.0)  # in weighing readings against each other; what is asked brings its own
ROOT: Cell = ((), ())
NEVER, SURE = 1e-9, 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class Model:
    """Which facts matter, and how many trials the coarser estimate is worth in their cell."""

    facts: tuple[int, ...]
    strength: float
    likely: float  # beforehand


@cache
def models_of(width: int) -> tuple[Model, ...]:
    """The models for contexts of `width` facts.

    >>> [model.facts for model in models_of(2)]
    [(), (0,), (1,), (0, 1), (0, 1)]
    """
    every = tuple(range(width))
    shapes: list[tuple[tuple[int, ...], float]] = [((fact,), ONE_FACT) for fact in every]
    if width > 2:
        shapes += [(two, LOOSE) for two in combinations(every, 2)]
    if width > 1:
        shapes += [(every, LOOSE), (every, FIRM)]
    if not shapes:
        return (Model((), 0.0, 1.0),)
    share = (1.0 - NO_FACTS) / len(shapes)
    return (Model((), 0.0, NO_FACTS), *(Model(facts, strength, share) for facts, strength in shapes))


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the past: what counts by it, and for each model how likely it is that both are right."""

    rate: float
    weights: tuple[float, ...]
    cells: Mapping[Cell, Tally]

    @property
    def weight(self) -> float:
        """How likely the reading is, whatever the context does."""
        return sum(self.weights)

    def plus(self, labels: Labels, seen: Tally, weights: Sequence[float]) -> Reading:
        """The reading with one more outcome, which was seen in the context `labels`."""
        cells = {cell: tally.times(self.rate) for cell, tally in self.cells.items()} if self.rate < 1.0 else dict(self.cells)
        for cell in dict.fromkeys(_cells(labels)):
            cells[cell] = cells.get(cell, EMPTY).plus(seen)
        return Reading(self.rate, tuple(weights), cells)

    def odds(self, labels: Labels, prior: Prior, of: str = "successes") -> Iterator[Prior]:
        """For each model the Beta posterior of a success, or of a harm (`of` names the count), in the context `labels`."""
        root = self.cells.get(ROOT, EMPTY)
        known = getattr(root, of)
        whole = prior[0] + known, prior[1] + root.trials - known
        middle = _logit(whole[0] / (whole[0] + whole[1]))
        apart = [0.0] * len(labels)  # log-odds that a fact adds
        for model, cell in zip(models_of(len(labels)), _cells(labels), strict=True):
            if cell == ROOT:
                yield whole
                continue
            tally = self.cells.get(cell, EMPTY)
            coarse = 1.0 / (1.0 + exp(-(middle + sum(apart[fact] for fact in cell[0]))))
            count = getattr(tally, of)
            a, b = model.strength * coarse + count, model.strength * (1.0 - coarse) + tally.trials - count
            if len(model.facts) == 1:
                apart[model.facts[0]] = _logit(a / (a + b)) - middle
            yield a, b


@dataclass(frozen=True, slots=True)
class Past:
    """Everything seen of one thing. A value: `plus` returns a new one.

    >>> past = Past()
    >>> for _ in range(8): past = past.plus(("busy",), Tally(1.0, 1.0)).plus(("quiet",), Tally(1.0, 0.0))
    >>> mean = lambda label: sum(w * a / (a + b) for w, (a, b) in past.odds((label,), (1.0, 1.0)))
    >>> mean("busy") > 0.7 > 0.3 > mean("quiet")
    True
    """

    readings: tuple[Reading, ...] = ()  # the likeliest first; their weights add up to one

    def plus(self, labels: Labels, seen: Tally) -> Past:
        """The past with one more outcome: `seen` is its tally, of one trial, whose successes may be a share."""
        old = [(reading, _judged(reading, labels, seen)) for reading in self.readings]
        total = sum(sum(weights) for _, weights in old)
        if total <= 0.0:
            return Past(_newborn(labels, seen, [model.likely for model in models_of(len(labels))], dict(RATES)))
        models = [
            (1.0 - LEAK) * sum(weights[place] for _, weights in old) / total + LEAK * model.likely
            for place, model in enumerate(models_of(len(labels)))
        ]
        rates = {
            rate: (1.0 - LEAK) * sum(sum(weights) for reading, weights in old if reading.rate == rate) / total + LEAK * likely
            for rate, likely in RATES
        }
        stay = (1.0 - HAZARD) / sum(reading.weight for reading in self.readings)
        kept = [reading.plus(labels, seen, [stay * weight for weight in weights]) for reading, weights in old]
        foretold = 0.5  # of what is new, by the neutral prior
        young = [
            Reading(each.rate, tuple(HAZARD * foretold * weight for weight in each.weights), each.cells)
            for each in _newborn(labels, seen, models, rates)
        ]
        kept.sort(key=lambda reading: -reading.weight)
        return Past(_normal([*kept[: READINGS - len(young)], *young]))

    def odds(self, labels: Labels, prior: Prior, of: str = "successes") -> list[tuple[float, Prior]]:
        """The posterior as a mixture: (weight, Beta parameters), with weights that add up to one."""
        if not self.readings:
            return [(1.0, prior)]
        return [
            (weight, odds)
            for reading in self.readings
            for weight, odds in zip(reading.weights, reading.odds(labels, prior, of), strict=True)
        ]

    def cells(self, labels: Labels) -> list[tuple[float, float, Tally, Tally]]:
        """For each reading and model: (weight, strength of the whole, tally of the cell, tally of the whole)."""
        found = []
        for reading in self.readings:
            root = reading.cells.get(ROOT, EMPTY)
            for weight, model, cell in zip(reading.weights, models_of(len(labels)), _cells(labels), strict=True):
                found.append((weight, 0.0 if cell == ROOT else model.strength, reading.cells.get(cell, EMPTY), root))
        return found

    @property
    def whole(self) -> Tally:
        """What counts now, whatever the context: the tallies of the readings, by their weights."""
        total = EMPTY
        for reading in self.readings:
            total = total.plus(reading.cells.get(ROOT, EMPTY).times(reading.weight))
        return total

    def mattering(self, width: int) -> dict[int, float]:
        """How likely it is that a fact matters, by its place in the context.

        Where all together count, those are named that tell something by themselves as well.
        """
        models = models_of(width)
        likely = [sum(reading.weights[place] for reading in self.readings) for place in range(len(models))]
        matters = dict.fromkeys(range(width), 0.0)
        for model, weight in zip(models, likely, strict=True):
            for fact in model.facts if len(model.facts) <= 2 else ():
                matters[fact] += weight
        together = sum(weight for model, weight in zip(models, likely, strict=True) if len(model.facts) > 2)
        enough = sum(matters.values()) / (2 * max(width, 1))
        return {fact: weight + (together if weight >= enough else 0.0) for fact, weight in matters.items()}


@lru_cache(maxsize=4096)  # a memo of a pure function: contexts come again and again
def _cells(labels: Labels) -> tuple[Cell, ...]:
    """Where an outcome in the context `labels` counts by each model; what is unknown tells nothing apart."""
    cells = []
    for model in models_of(len(labels)):
        facts = tuple(fact for fact in model.facts if labels[fact])
        cells.append((facts, tuple(labels[fact] for fact in facts)))
    return tuple(cells)


def _judged(reading: Reading, labels: Labels, seen: Tally) -> list[float]:
    """The weights of a reading's models after they have foretold one more outcome; of a share as of so much of a success."""
    judged = []
    for weight, (a, b) in zip(reading.weights, reading.odds(labels, NEUTRAL), strict=True):
        p = min(max(a / (a + b), NEVER), SURE)
        judged.append(weight * exp(seen.successes * log(p) + (1.0 - seen.successes) * log(1.0 - p)))
    return judged


def _newborn(labels: Labels, seen: Tally, models: Sequence[float], rates: Mapping[float, float]) -> tuple[Reading, ...]:
    """The readings by which everything begins with this outcome."""
    return tuple(Reading(rate, (), {}).plus(labels, seen, [likely * share for share in models]) for rate, likely in rates.items())


def _normal(readings: Sequence[Reading]) -> tuple[Reading, ...]:
    total = sum(reading.weight for reading in readings)
    return tuple(Reading(each.rate, tuple(weight / total for weight in each.weights), each.cells) for each in readings)


def _logit(p: float) -> float:
    p = min(max(p, NEVER), SURE)
    return log(p / (1.0 - p))
