"""What may serve as a control: it went along with the metric before, and did not break with it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trimtab.domain.verdicts import VerdictStatus
from trimtab.verify import choose_controls, judge

N, AT = 600, 540


def noise(rng, n, rho, sd=1.0):
    out, state = [], float(rng.standard_normal())
    for e in rng.standard_normal(n) * math.sqrt(1 - rho * rho):
        state = rho * state + float(e)
        out.append(sd * state)
    return np.asarray(out)


def world(seed, correlation=0.95):
    """A metric and its sister (N,): one load moves both."""
    rng = np.random.default_rng([11, seed])
    shared = noise(rng, N, 0.9)
    own = math.sqrt(correlation**-2 - 1.0)
    return 100.0 + 10.0 * shared, 50.0 + 4.0 * (shared + own * rng.standard_normal(N))


T = 30.0 * np.arange(N)
APPLIED = T[AT] - 1.0


def chosen(y, **offered):
    return choose_controls((T, y), offered, applied_at=APPLIED)


def test_a_sister_is_chosen_and_a_stranger_and_a_copy_are_not():
    y, kin = world(1)
    stranger = 50.0 + noise(np.random.default_rng(5), N, 0.9)
    found = chosen(y, kin=kin, stranger=stranger, copy=2.0 * y, flat=np.full(N, 3.0))
    assert found.names == ("kin",)
    assert set(found.refused) == {"stranger", "copy", "flat"}
    assert "correlation" in found.refused["stranger"]


def test_what_broke_with_the_metric_is_no_control():
    y, kin = world(2)
    incident = (np.arange(N) >= AT - 30) & (np.arange(N) < AT)
    assert "as the incident began" in chosen(y * (1 + 1.5 * incident), kin=kin * (1 + 1.5 * incident)).refused["kin"]
    assert chosen(y * (1 + 1.5 * incident), kin=kin).names == ("kin",)


def test_what_always_rises_with_the_metric_is_one():
    y, kin = world(3)
    i = np.arange(N)
    bursts = ((i >= 200) & (i < 240)) | ((i >= AT - 30) & (i < AT + 20))
    assert chosen(y * (1 + 1.5 * bursts), kin=kin * (1 + 1.5 * bursts)).names == ("kin",)


@pytest.mark.parametrize("hole", [slice(0, 100), slice(None)], ids=["a sixth missing", "all missing"])
def test_what_is_not_there_is_no_control(hole):
    y, kin = world(4)
    kin[hole] = np.nan
    assert chosen(y, kin=kin).names == ()


def test_what_follows_the_action_has_no_say_in_the_choice():
    y, kin = world(5)
    spoilt = kin.copy()
    spoilt[AT:] = 7.0
    assert chosen(y, kin=kin).names == chosen(y, kin=spoilt).names == ("kin",)


def test_the_verdict_names_its_control_and_finds_what_the_past_alone_does_not():
    alone, beside = [], []
    for seed in range(20):
        y, kin = world(seed, 0.98)
        y[AT:] *= 0.93
        alone.append(judge((T, y), applied_at=APPLIED, goal="minimize"))
        beside.append(judge((T, y), applied_at=APPLIED, goal="minimize", controls={"web-2": kin}))
    assert (
        sum(v.status is VerdictStatus.IMPROVED for v in beside) >= 18 > 2 * sum(v.status is VerdictStatus.IMPROVED for v in alone)
    )
    assert all("beside the control web-2" in v.reason and "control web-2" in v.method for v in beside)


@pytest.mark.parametrize("dead", ["it repeats its last value", "it did so just before", "it answers zero"])
def test_a_control_whose_sensor_dies_gives_no_credit(dead):
    found = []
    for seed in range(20):
        y, kin = world(seed, 0.98)
        last = {"it repeats its last value": AT, "it did so just before": AT - 3, "it answers zero": AT}[dead]
        kin[last + 1 :] = 0.0 if "zero" in dead else kin[last]
        found.append(judge((T, y), applied_at=APPLIED, goal="minimize", controls={"kin": kin}).status)
    assert set(found) == {VerdictStatus.INCONCLUSIVE}
