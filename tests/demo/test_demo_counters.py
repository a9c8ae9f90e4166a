"""Before and after as the demo measures it: the ratio of two levels, with an interval that is not narrower than it should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.demo.counters import Counters, compare
from trimtab.demo.setup import PARTS
from trimtab.domain.direction import Direction
from trimtab.systems.prometheus.exposition import Scrape

levels = st.lists(st.floats(0.01, 100.0), min_size=3, max_size=12)


@pytest.mark.parametrize(
    ("before", "after", "direction", "effect"),
    [
        ([2.0] * 3, [1.0] * 3, Direction.MINIMIZE, 0.5),
        ([1.0] * 3, [2.0] * 3, Direction.MINIMIZE, -1.0),
        ([0.2] * 3, [0.8] * 3, Direction.MAXIMIZE, 3.0),
        ([0.8] * 3, [0.2] * 3, Direction.MAXIMIZE, -0.75),
    ],
    ids=["latency halved", "latency doubled", "hits times four", "hits lost"],
)
def test_an_effect_is_relative_and_positive_where_it_is_better(before, after, direction, effect):
    measured = compare(before, after, direction)
    assert measured.effect == pytest.approx(effect)
    assert measured.better is (effect > 0)


@pytest.mark.parametrize(("before", "after"), [([], [1.0]), ([1.0], [])], ids=["no before", "no after"])
def test_nothing_is_made_of_nothing(before, after):
    assert compare(before, after, Direction.MINIMIZE) is None


def test_two_values_are_too_few_for_an_interval():
    measured = compare([1.0, 1.1], [0.1, 0.1], Direction.MINIMIZE)
    assert measured.effect > 0.8
    assert (measured.low, measured.high, measured.better) == (None, None, False)


@given(levels, levels, st.sampled_from(Direction))
def test_the_interval_holds_the_effect_and_mirrors(before, after, direction):
    measured, back = compare(before, after, direction), compare(after, before, direction)
    assert measured.low - 1e-9 <= measured.effect <= measured.high + 1e-9
    assert not (measured.better and back.better)


def test_levels_that_are_the_same_are_rarely_called_better():
    rng = np.random.default_rng(3)
    draws = [compare(*np.exp(0.3 * rng.standard_normal((2, 8))), Direction.MINIMIZE) for _ in range(2000)]
    assert sum(measured.better for measured in draws) <= 70  # 2.5 % and some


class Recorded(Counters):
    """Counters with scrapes of the test's own."""

    def __init__(self, scrapes):
        self._scrapes = scrapes


def test_stretches_are_cut_from_counters_and_share_their_edges():
    none = frozenset()
    scrapes = [
        Scrape(n / 2, {"pages_hits_total": {none: 9.0 * min(n, 10)}, "pages_requests_total": {none: 10.0 * n}}) for n in range(21)
    ]
    hits = PARTS["pages"].goal
    counters = Recorded(scrapes)
    assert counters.value(hits, 0.0, 5.0) == pytest.approx(0.9)
    assert counters.value(hits, 5.0, 10.0) == 0.0
    assert counters.value(hits, 20.0, 30.0) is None
    assert counters.values(hits, 0.0, 5.0) == pytest.approx([0.9] * 10)
    assert counters.trace(PARTS["pages"], 6) == pytest.approx([0.9, 0.0, 0.0, 0.0, 0.0, 0.0])
