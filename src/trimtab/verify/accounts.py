"""The accounts of a trial side by side, one row for every view, so that all are weighed at once; and what the weakest says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.verify.nulls import Null

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Nulls:
    """What `Null` says of each of k accounts, in columns (k, 1)."""

    level: Array
    level_variance: Array
    rho: Array
    sd: Array
    df: Array
    last: Array
    slope: Array
    reach: Array
    widen: tuple[Array, Array]  # of rises and falls

    @classmethod
    def of(cls, nulls: Sequence[Null]) -> Nulls:
        """The same for each of several accounts."""

        def column(values: list[float]) -> Array:
            return np.asarray(values, dtype=np.float64)[:, np.newaxis]

        return cls(
            column([null.level for null in nulls]),
            column([null.level_variance for null in nulls]),
            column([null.rho for null in nulls]),
            column([null.sd for null in nulls]),
            column([null.df for null in nulls]),
            column([null.last for null in nulls]),
            column([null.slope for null in nulls]),
            column([null.reach for null in nulls]),
            (column([null.widen[0] for null in nulls]), column([null.widen[1] for null in nulls])),
        )


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts in force, "it goes on" first, each in one view or two, the plain one first."""

    plain: tuple[Null, ...]
    nulls: Nulls  # of all views
    first: NDArray[np.intp]  # row of each account's plain view
    last: NDArray[np.intp]  # row of its other view, or the same
    against_rises: NDArray[np.bool_]  # whether an account stands against the credit of rises
    against_falls: NDArray[np.bool_]

    @classmethod
    def of(cls, accounts: Sequence[tuple[Null, ...]]) -> Accounts:
        """From the views of each."""
        plain = tuple(views[0] for views in accounts)
        ends = np.cumsum([len(views) for views in accounts])
        first = np.concatenate(([0], ends[:-1]))
        bars = np.asarray([null.bars for null in plain])
        return cls(plain, Nulls.of([view for views in accounts for view in views]), first, ends - 1, bars >= 0, bars <= 0)

    def weakest(self, signed: Array) -> tuple[Array, Array]:
        """Of signed evidence in every view (k, m), that for a rise, and that for a fall, of the weakest account; least 0. (m,)"""
        rise = np.maximum(signed[self.first], signed[self.last])[self.against_rises].min(axis=0)
        fall = np.minimum(signed[self.first], signed[self.last])[self.against_falls].max(axis=0)
        return np.maximum(rise, 0.0), np.maximum(-fall, 0.0)

    def hull(self, low: Array, high: Array) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
        """Which accounts bound a difference from below and from above, and where, given the bounds of every view (k,).

        A view with bounded values makes a difference look smaller than it is, so that only its bound next to zero holds.
        """
        bounded = np.isfinite(self.nulls.reach[:, 0])
        low, high = np.where(bounded & (low <= 0.0), -np.inf, low), np.where(bounded & (high >= 0.0), np.inf, high)
        lows, highs = np.maximum(low[self.first], low[self.last]), np.minimum(high[self.first], high[self.last])
        lows, highs = np.minimum(lows, highs), np.maximum(lows, highs)  # where the views have nothing in common
        return (
            [(i, bound) for i, bound in enumerate(lows.tolist()) if self.against_rises[i]],
            [(i, bound) for i, bound in enumerate(highs.tolist()) if self.against_falls[i]],
        )
