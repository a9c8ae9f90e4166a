"""The policies that `learning.py` holds trimtab's choice against. All see the same contexts and the same rewards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from learning_worlds import LEVELS, Problem

Labels = tuple[str, ...]


class Policy:
    """Chooses, and learns what came of it."""

    def choose(self, options: Sequence[str], labels: Labels) -> str:
        raise NotImplementedError

    def learn(self, option: str, labels: Labels, reward: float) -> None:
        """Nothing, for who knows already."""


class Best(Policy):
    """Always the option that is best on average over all contexts and times: known to it from the start."""

    def __init__(self, problem: Problem) -> None:
        self._option = max(problem.options, key=problem.average)

    def choose(self, options: Sequence[str], labels: Labels) -> str:
        return self._option


class Greedy(Policy):
    """ε-greedy (Sutton and Barto 2018, 2.4) on means by context; `step`: a constant step size, None for sample averages."""

    def __init__(self, rng: np.random.Generator, step: float | None = None, *, contextual: bool = True) -> None:
        self._rng, self._step, self._contextual = rng, step, contextual
        self._mean: dict[tuple[str, Labels], float] = {}
        self._count: dict[tuple[str, Labels], int] = {}

    def choose(self, options: Sequence[str], labels: Labels) -> str:
        if self._rng.random() < 0.1:
            return str(self._rng.choice(list(options)))
        return max(options, key=lambda option: self._mean.get(self._key(option, labels), 1.0))  # optimistic: each is tried once

    def learn(self, option: str, labels: Labels, reward: float) -> None:
        key = self._key(option, labels)
        count = self._count[key] = self._count.get(key, 0) + 1
        step = 1.0 / count if self._step is None else max(self._step, 1.0 / count)
        self._mean[key] = (mean := self._mean.get(key, 0.0)) + step * (reward - mean)

    def _key(self, option: str, labels: Labels) -> tuple[str, Labels]:
        return option, labels if self._contextual else ()


class Followed(Greedy):
    """Always the option that was best on average so far, whatever the context."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng, contextual=False)

    def choose(self, options: Sequence[str], labels: Labels) -> str:
        return max(options, key=lambda option: self._mean.get((option, ()), 1.0))


class Thompson(Policy):
    """Thompson sampling with a Beta posterior in each context, fading by `rate` (1: never)."""

    def __init__(self, rng: np.random.Generator, rate: float = 1.0) -> None:
        self._rng, self._rate = rng, rate
        self._seen: dict[tuple[str, Labels], tuple[float, float]] = {}

    def choose(self, options: Sequence[str], labels: Labels) -> str:
        def draw(option: str) -> float:
            won, lost = self._seen.get((option, labels), (0.0, 0.0))
            return float(self._rng.beta(1.0 + won, 1.0 + lost))

        return max(options, key=draw)

    def learn(self, option: str, labels: Labels, reward: float) -> None:
        won, lost = self._seen.get((option, labels), (0.0, 0.0))
        self._seen[option, labels] = self._rate * won + reward, self._rate * lost + 1.0 - reward


class LinUCB(Policy):
    """Li et al. (2010), algorithm 1, with one column for each label; `rate`: discounted as in Russac et al. (2019)."""

    def __init__(self, rng: np.random.Generator, rate: float = 1.0, alpha: float = 0.5) -> None:
        self._rate, self._alpha, self._columns = rate, alpha, [*LEVELS, "near", "far", "day", "night"]
        self._gram: dict[str, np.ndarray] = {}
        self._sum: dict[str, np.ndarray] = {}

    def choose(self, options: Sequence[str], labels: Labels) -> str:
        x = self._features(labels)

        def bound(option: str) -> float:
            inverse = np.linalg.inv(self._gram.get(option, np.eye(x.size)))
            return float(x @ inverse @ self._sum.get(option, np.zeros(x.size)) + self._alpha * np.sqrt(x @ inverse @ x))

        return max(options, key=bound)

    def learn(self, option: str, labels: Labels, reward: float) -> None:
        x, one = self._features(labels), np.eye(len(self._columns) + 1)
        self._gram[option] = self._rate * self._gram.get(option, one) + np.outer(x, x) + (1 - self._rate) * one
        self._sum[option] = self._rate * self._sum.get(option, np.zeros(x.size)) + reward * x

    def _features(self, labels: Labels) -> np.ndarray:
        return np.array([1.0, *(float(column in labels) for column in self._columns)])


RIVALS: dict[str, Callable[[np.random.Generator], Policy]] = {
    "best so far": Followed,
    "ε-greedy": Greedy,
    "ε-greedy, step .1": lambda rng: Greedy(rng, 0.1),
    "Thompson": Thompson,
    "Thompson, fading": lambda rng: Thompson(rng, 0.97),
    "LinUCB": LinUCB,
    "LinUCB, fading": lambda rng: LinUCB(rng, 0.99),
}
