"""Clocks: whatever an operator or ntpd does to the system's, ours goes forward, at very nearly the true rate."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.loop.clocks import SLEW, VirtualClock, WallClock


class System:
    """The machine's two clocks, turned by hand."""

    def __init__(self, monkeypatch):
        self.wall, self.mark = 1_700_000_000.0, 500.0
        monkeypatch.setattr(time, "time", lambda: self.wall)
        monkeypatch.setattr(time, "clock_gettime", lambda _: self.mark)

    def pass_by(self, seconds):
        self.wall += seconds
        self.mark += seconds


@pytest.fixture
def system(monkeypatch):
    return System(monkeypatch)


def test_undisturbed_it_is_the_systems_time(system):
    clock = WallClock()
    for _ in range(100):
        system.pass_by(7.3)
        assert clock.now() == pytest.approx(system.wall, abs=1e-6)


@pytest.mark.parametrize("jump", [-86_400.0, -3600.0, -1.0, 1.0, 3600.0, 86_400.0])
def test_a_jump_of_the_system_clock_is_not_followed(system, jump):
    clock = WallClock()
    before = clock.now()
    system.wall += jump
    assert clock.now() == before  # no time has passed
    system.pass_by(60.0)
    assert clock.now() == pytest.approx(before + 60.0, abs=60.0 * SLEW + 1e-6)


@pytest.mark.parametrize("jump", [-1.0, 1.0])
def test_a_small_error_is_slewed_away_at_500_ppm(system, jump):
    clock = WallClock()
    clock.now()
    system.wall += jump
    for _ in range(1000):  # 1 s at 500 ppm takes 2000 s
        system.pass_by(1.0)
        clock.now()
    assert abs(system.wall - clock.now()) == pytest.approx(0.5, abs=1e-3)
    for _ in range(1001):
        system.pass_by(1.0)
        clock.now()
    assert clock.now() == pytest.approx(system.wall, abs=1e-6)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.0, 1e4)), max_size=30))
def test_it_never_goes_back_and_keeps_the_rate(changes):
    with pytest.MonkeyPatch.context() as patched:
        system = System(patched)
        clock = WallClock()
        last = clock.now()
        for jump, seconds in changes:
            system.wall += jump
            system.pass_by(seconds)
            now = clock.now()
            assert now >= last
            assert now - last == pytest.approx(seconds, abs=seconds * SLEW + 1e-5)
            last = now


def test_the_real_one_is_the_real_time_and_moves():
    clock = WallClock()
    first = clock.now()
    assert first == pytest.approx(time.time(), abs=1.0)
    time.sleep(0.01)
    assert 0.005 < clock.now() - first < 1.0


def test_the_virtual_clock_only_goes_forward():
    clock = VirtualClock(100.0)
    clock.advance_to(130.0)
    clock.advance_to(20.0)
    assert clock.now() == 130.0
