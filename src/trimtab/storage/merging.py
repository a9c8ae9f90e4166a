"""Put sections together: what was written later replaces what was there at the same moment of the same series. Pure.

Called for reading and for sealing. What nearly always comes, ticks of the same series one after the other, is joined as matrices;
late, doubled and irregular samples take the longer way and give the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.storage.section import Floats, Integers, Section


def joined(sections: Sequence[Section]) -> list[Section]:
    """The same samples in as few sections as they need, each series in one of them only; the later section wins.

    >>> tick = lambda at, value: Section(np.array([at]), np.array([1, 2]), np.array([[value], [value]]))
    >>> (whole,) = joined([tick(10.0, 1.0), tick(30.0, 3.0), tick(20.0, 2.0), tick(20.0, 4.0)])
    >>> whole.times.tolist(), whole.values.tolist()
    ([10.0, 20.0, 30.0], [[1.0, 4.0, 3.0], [1.0, 4.0, 3.0]])
    """
    if len(sections) < 2:
        return list(sections)
    groups: dict[bytes, list[Section]] = {}
    for section in sections:
        groups.setdefault(section.slots.tobytes(), []).append(section)
    every = np.concatenate([group[0].slots for group in groups.values()])
    if len(groups) == 1 or bool((np.diff(every) > 0).all()) or np.unique(every).size == every.size:
        return [_in_a_row(group) for group in groups.values()]
    ids = np.concatenate([np.repeat(one.slots, one.times.size) for one in sections])
    times = np.concatenate([np.tile(one.times, one.slots.size) for one in sections])
    return scattered(ids, times, np.concatenate([one.values.ravel() for one in sections]))


def scattered(ids: Integers, times: Floats, values: Floats) -> list[Section]:
    """Samples (n,) in the order in which they were written, as sections."""
    order = np.lexsort((times, ids))  # stable: what was written later comes later
    ids, times, values = ids[order], times[order], values[order]
    stays = np.append((ids[1:] != ids[:-1]) | (times[1:] != times[:-1]), True)
    ids, times, values = ids[stays], times[stays], values[stays]
    begins = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    together: dict[bytes, list[int]] = {}
    ends = np.append(begins[1:], ids.size)
    for number, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        together.setdefault(times[begin:end].tobytes(), []).append(number)
    return [
        Section(
            times[begins[numbers[0]] : ends[numbers[0]]],
            ids[begins[numbers]],
            np.stack([values[begins[number] : ends[number]] for number in numbers]),
        )
        for numbers in together.values()
    ]


def clipped(section: Section, start: float, end: float) -> Section | None:
    """What of it lies in start ≤ timestamp ≤ end; None where nothing does."""
    first, last = np.searchsorted(section.times, start), np.searchsorted(section.times, end, "right")
    if first >= last:
        return None
    if first == 0 and last == section.times.size:
        return section
    return Section(section.times[first:last], section.slots, section.values[:, first:last])


def count(sections: Iterable[Section]) -> int:
    """How many samples there are."""
    return sum(section.values.size for section in sections)


def _in_a_row(group: Sequence[Section]) -> Section:
    """Sections of the same series, as one."""
    if len(group) == 1:
        return group[0]
    times = np.concatenate([one.times for one in group])
    values = np.concatenate([one.values for one in group], axis=1)
    if not (np.diff(times) > 0).all():
        order = np.argsort(times, kind="stable")
        order = order[_last_of_each(times[order])]
        times, values = times[order], values[:, order]
    return Section(times, group[0].slots, values)


def _last_of_each(times: Floats) -> NDArray[np.bool_]:
    return np.append(times[1:] != times[:-1], True)
