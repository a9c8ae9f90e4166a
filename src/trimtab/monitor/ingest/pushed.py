"""Pushed as columns, and what a body that holds none is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trimtab.domain.errors import TrimtabError


class Malformed(TrimtabError):
    """A body that does not hold what it should. Nothing of it was taken."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a body held. All columns are (n,) and belong together; `series` are numbers in the `Catalog` it was decoded with."""

    series: NDArray[np.int64]
    timestamps: NDArray[np.float64]  # Unix seconds
    values: NDArray[np.float64]  # finite
    gone: int = 0  # series that their sender declared to be at their end
    refused: int = 0  # samples for which the catalog had no room
    unusable: int = 0  # samples that are no finite number, or of a kind that is not kept
    deltas: Mapping[int, float] = field(default_factory=dict)  # series → what was added up for it

    def __len__(self) -> int:
        return int(self.series.size)

    def only(self, keep: NDArray[np.bool_]) -> Pushed:
        """The samples that `keep` (n,) marks; the counts stay."""
        return replace(self, series=self.series[keep], timestamps=self.timestamps[keep], values=self.values[keep])


def columns(series: ArrayLike, timestamps: ArrayLike, values: ArrayLike, gone: int, unusable: int) -> Pushed:
    """Columns (n,) of any form as `Pushed`. What is not finite is only counted, and so is what has the number -1: no room."""
    number = np.asarray(series, dtype=np.int64)
    at = np.asarray(timestamps, dtype=np.float64)
    value = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(value) & np.isfinite(at)
    room = number >= 0
    keep = finite & room
    if keep.all():
        return Pushed(number, at, value, gone, 0, unusable)
    refused, bad = int((~room).sum()), int((room & ~finite).sum())
    return Pushed(number[keep], at[keep], value[keep], gone, refused, unusable + bad)
