"""How levers are laid out for the search: evenly, or in proportion where their bounds span decades."""

from __future__ import annotations

import pytest

from trimtab.domain.levers import LeverKind, LeverSpec
from trimtab.plan.axes import Axis


def axis(low, high, step=1.0, kind=LeverKind.INTEGER):
    return Axis.of(LeverSpec("lever", "it", kind, (low, high), step), low)


@pytest.mark.parametrize(
    ("one", "proportional"),
    [
        (axis(1, 101), True),
        (axis(1, 100), False),
        (axis(0, 100), False),
        (axis(0, 5000), True),
        (axis(0.0, 1.0, 0.01, LeverKind.FLOAT), False),
        (axis(0.0, 1.0, 0.0001, LeverKind.FLOAT), False),
        (axis(0.001, 1.0, 0.001, LeverKind.FLOAT), True),
    ],
    ids=["decades", "just not", "per cent", "many from zero", "share", "fine share", "share over decades"],
)
def test_a_lever_is_moved_in_proportion_where_its_bounds_span_decades(one, proportional):
    assert one.proportional is proportional
    middle = (one.low + one.high) / 2
    assert (one.place(middle) > 0.6) is proportional
    assert one.coordinates([middle])[0, 0] == pytest.approx(one.place(middle))
