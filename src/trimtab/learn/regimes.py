"""What has been seen of one thing, under every likely reading of the past: since when it holds, how it fades, what it hangs on.

A *reading* says: nothing before this outcome counts (its start), and older evidence fades at this rate. Within it models say
which facts of the context matter: none, one, two, or all. Readings are weighted by how well they foretold each outcome, so that
after a change the young ones take over within some tens of outcomes, and where nothing changes the oldest keeps its sharpness.

    start   Bayesian on-line change-point detection: after each outcome a new reading starts, in which all has changed, and one in
            which something has: it keeps what the likeliest knows, with the weight of `AFTER_A_CHANGE` trials. Without the second
            a change that differs by context is noticed late, since the first has to learn anew what stayed as it was
            Adams and MacKay (2007), arXiv:0710.3742, eq. 3
    rate    power discounting, for what drifts slowly: West and Harrison (1997), "Bayesian Forecasting", ch. 10.8. This reading is
            never given up: it gets a fixed share of all weight (Herbster and Warmuth 1998, "Tracking the best expert")
    facts   Bayesian model averaging. A fact's cell is shrunk to the whole; the cell of several facts to where the single ones,
            added up in log-odds, say that it lies; that of all facts once loosely and once firmly

All of it is closed form: counts in cells, and one weight for each model of each reading. Memory is bounded by `READINGS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import combinations
from math import exp, log

from trimtab.learn.tally import EMPTY, Tally

Labels = tuple[str, ...]
Cell = tuple[tuple[int, ...], Labels]  # which facts, and what they say
Prior = tuple[float, float]  # pseudo-counts of a Beta distribution: for, against

HAZARD = 1.0 / 400.0  # that something is different from one outcome to the next
SHARE = 1.0 / 3000.0  # that what was steady begins to drift
STEADY, FADING = 1.0, 0.965  # how much an outcome counts after the next one: for ever, and 29 trials' worth in all
RATES = ((FADING, 0.1), (STEADY, 0.9))  # how likely each of the two is beforehand
AFTER_A_CHANGE = 10.0  # trials that what was known before a change counts as
READINGS = 12
SMALLEST_WORTH = 1e-6  # below it the units are made anew: sums of very large and very small numbers are no sums
LEAK = 0.05  # of what was learned of models, a new reading gives up
NO_FACTS = 0.5  # how likely it is beforehand that the context does not matter
ONE_FACT, LOOSE, FIRM = 3.0, 4.0, 32.0  # trials that the coarser estimate counts as: for a cell of one fact, of several
NEUTRAL: Prior = (1.0, 1.0)  # in weighing readings against each other; what is asked brings its own
ROOT: Cell = ((), ())
BLIND = 0.5  # how well an outcome is foretold by who knows nothing
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
    """One reading of the past: what counts by it, and for each model how likely it is that both are right.

    `cells` say what was seen in units that shrink: by now each counts `worth`, so that nothing has to be touched for it to fade.
    """

    rate: float
    weights: tuple[float, ...]
    cells: Mapping[Cell, Tally]
    worth: float = 1.0

    @property
    def weight(self) -> float:
        """How likely the reading is, whatever the context does."""
        return sum(self.weights)

    def tally(self, cell: Cell) -> Tally:
        """What counts by now in a cell."""
        return self.cells.get(cell, EMPTY).times(self.worth)

    def plus(self, labels: Labels, seen: Tally, weights: Sequence[float]) -> Reading:
        """The reading with one more outcome, which was seen in the context `labels`."""
        worth, cells = self.worth * self.rate, dict(self.cells)
        if worth < SMALLEST_WORTH:
            cells, worth = {cell: tally.times(worth) for cell, tally in cells.items()}, 1.0
        one = seen.times(1.0 / worth)
        for cell in dict.fromkeys(_cells(labels)):
            cells[cell] = cells.get(cell, EMPTY).plus(one)
        return Reading(self.rate, tuple(weights), cells, worth)

    def softened(self) -> Reading:
        """What is left of the reading where something has changed."""
        trials = self.tally(ROOT).trials
        left = min(1.0, AFTER_A_CHANGE / trials) if trials > 0.0 else 1.0
        return replace(self, rate=STEADY, worth=self.worth * left)

    def odds(self, labels: Labels, prior: Prior, of: str = "successes") -> Iterator[Prior]:
        """For each model the Beta posterior of a success, or of a harm (`of` names the count), in the context `labels`."""
        root, worth = self.tally(ROOT), self.worth
        known = getattr(root, of)
        whole = prior[0] + known, prior[1] + root.trials - known
        mean = whole[0] / (whole[0] + whole[1])
        middle = _logit(mean)
        apart = [0.0] * len(labels)  # log-odds that a fact adds
        for model, cell in zip(models_of(len(labels)), _cells(labels), strict=True):
            if cell == ROOT:
                yield whole
                continue
            tally, coarse = self.cells.get(cell, EMPTY), mean
            if len(model.facts) > 1:
                coarse = 1.0 / (1.0 + exp(-middle - sum([apart[fact] for fact in cell[0]])))
            count = worth * getattr(tally, of)
            a, b = model.strength * coarse + count, model.strength * (1.0 - coarse) + worth * tally.trials - count
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

    readings: tuple[Reading, ...] = ()  # the one that fades first; their weights add up to one

    def plus(self, labels: Labels, seen: Tally) -> Past:
        """The past with one more outcome: `seen` is its tally, of one trial, whose successes may be a share."""
        readings = self.readings or _first(labels)
        foretold = [_foretold(reading, labels, seen) for reading in readings]
        judged = [
            [w * f for w, f in zip(reading.weights, each, strict=True)] for reading, each in zip(readings, foretold, strict=True)
        ]
        total = sum(map(sum, judged))
        models = [
            (1.0 - LEAK) * sum(weights[place] for weights in judged) + LEAK * total * model.likely
            for place, model in enumerate(models_of(len(labels)))
        ]
        old = []
        for reading, weights in zip(readings, judged, strict=True):
            share = SHARE if reading.rate < STEADY else 0.0
            old.append(
                reading.plus(labels, seen, [(1.0 - HAZARD - SHARE) * w + share * m for w, m in zip(weights, models, strict=True)])
            )
        old.sort(key=lambda reading: (reading.rate == STEADY, -reading.weight))  # what fades stays
        return Past(_normal([*old[: READINGS - 2], *self._young(labels, seen, [model / total for model in models])]))

    def _young(self, labels: Labels, seen: Tally, models: Sequence[float]) -> list[Reading]:
        """The readings by which all, or something, is different from this outcome on."""
        if not self.readings:
            return []
        fresh = Reading(STEADY, (), {}).plus(labels, seen, [0.5 * HAZARD * BLIND * model for model in models])
        soft = max(self.readings, key=lambda reading: reading.weight).softened()
        weights = [0.5 * HAZARD * f * model for f, model in zip(_foretold(soft, labels, seen), models, strict=True)]
        return [fresh, soft.plus(labels, seen, weights)]

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
            root = reading.tally(ROOT)
            for weight, model, cell in zip(reading.weights, models_of(len(labels)), _cells(labels), strict=True):
                found.append((weight, 0.0 if cell == ROOT else model.strength, reading.tally(cell), root))
        return found

    @property
    def whole(self) -> Tally:
        """What counts now, whatever the context: the tallies of the readings, by their weights."""
        total = EMPTY
        for reading in self.readings:
            total = total.plus(reading.tally(ROOT).times(reading.weight))
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


def _first(labels: Labels) -> tuple[Reading, ...]:
    """The readings before anything was seen."""
    models = models_of(len(labels))
    return tuple(Reading(rate, tuple(likely * model.likely for model in models), {}) for rate, likely in RATES)


def _foretold(reading: Reading, labels: Labels, seen: Tally) -> list[float]:
    """For each model of a reading, how likely it held this outcome beforehand; of a share of a success as of so much of one."""
    found = []
    for a, b in reading.odds(labels, NEUTRAL):
        p = min(max(a / (a + b), NEVER), SURE)
        found.append(p**seen.successes * (1.0 - p) ** (1.0 - seen.successes))
    return found


def _normal(readings: Sequence[Reading]) -> tuple[Reading, ...]:
    total = sum(reading.weight for reading in readings)
    return tuple(replace(each, weights=tuple(weight / total for weight in each.weights)) for each in readings)


def _logit(p: float) -> float:
    p = min(max(p, NEVER), SURE)
    return log(p / (1.0 - p))
