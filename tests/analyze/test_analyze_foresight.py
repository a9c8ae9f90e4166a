"""What a person is told of the future, and when nothing is."""

from __future__ import annotations

import re

import numpy as np
import pytest

from trimtab.analyze.foresight import foretell
from trimtab.domain.forecasts import Subject
from trimtab.domain.metrics import Unit

HOUR, DAY = 3600.0, 86_400.0
NOW = 1_767_571_200.0 + 21 * DAY
HOURS = np.arange(21 * 24)
T = NOW - 21 * DAY + HOUR * HOURS
LOAD = Subject("load", "shop", "requests_per_second")
DISK = Subject("saturation", "host", "disk_usage_percent", 90.0, highest=100.0)
NOISE = np.random.default_rng(3).standard_normal(HOURS.size)
DAILY = 100 + 40 * np.sin(2 * np.pi * HOURS / 24) + 2 * NOISE


def told(subject=LOAD, y=DAILY, t=T, now=NOW, ahead=DAY, unit=Unit.PER_SECOND, trend=None):
    return foretell(subject, unit, np.asarray(t, float), np.asarray(y, float), HOUR, now, ahead, trend)


def test_load_is_told_with_its_peak_and_interval():
    found = told()
    assert re.fullmatch(
        r"requests_per_second: \d+\.?\d* /s now; in the next 24.0 h at most 1(3[5-9]|4\d) /s \(90 %: 13\d /s to 14\d /s\)",
        found.sentence,
    )
    assert [round((one.at - NOW) / HOUR) for one in found.course] == list(range(24))
    inside = [one.low <= 100 + 40 * np.sin(2 * np.pi * i / 24) <= one.high for i, one in enumerate(found.course)]
    assert np.mean(inside) > 0.9


def test_a_disk_in_whole_per_cent_is_full_in_days_with_an_interval():
    y = np.floor(60.0 + 1.25 * HOURS / 24 + 0.1 * NOISE)  # 86 % now, 90 % in three days
    found = told(DISK, y, unit=Unit.PERCENT, trend=(T + HOUR / 2, y))
    assert re.search(r"; 90 % in \d\.\d days \(90 %: \d\.\d days to \d\.\d days\)$", found.sentence)
    assert found.reached.earliest < NOW + 3.0 * DAY < found.reached.latest
    assert found.reached.latest - found.reached.earliest < 3 * DAY


def test_what_is_a_share_is_never_foretold_to_be_more_than_all():
    found = told(DISK, 40 + 0.119 * HOURS + 0.1 * NOISE, unit=Unit.PERCENT, ahead=5 * DAY)
    assert max(one.high for one in found.course) == 100.0
    assert "past 90 % " in found.sentence


def test_a_season_that_will_pass_its_goal_says_when():
    goal = Subject("goal", "shop", "requests_per_second", 120.0)
    assert re.search(r"; past 120 /s in \d\.\d h$", told(goal).sentence)
    assert re.search(r"; maybe past 14\d /s in \d\.\d h$", told(Subject("goal", "shop", "requests_per_second", 141.5)).sentence)
    assert told(Subject("goal", "shop", "requests_per_second", 190.0)).sentence.endswith(")")
    assert re.search(
        r"at least .*; past 70 /s in 1\d\.\d h$", told(Subject("goal", "shop", "requests_per_second", 70.0, False)).sentence
    )


def test_what_stopped_arriving_is_not_carried_on():
    found = told(now=NOW + 9 * HOUR)
    assert found.hold == "it stopped arriving 9.0 h ago"
    assert (found.course, found.reached) == ((), None)
    assert found.sentence == "requests_per_second: nothing is foretold: it stopped arriving 9.0 h ago"


def test_a_sensor_that_is_slower_than_the_step_has_not_stopped():
    t = NOW - 300.0 * np.arange(40, 0, -1)
    found = foretell(LOAD, Unit.PER_SECOND, t, 20 + np.sin(np.arange(40.0)), 60.0, NOW + 250.0, HOUR)
    assert found.hold == "" and found.course[0].mean == pytest.approx(20.0, abs=2.0)
    assert foretell(LOAD, Unit.PER_SECOND, t, np.ones(40), 60.0, NOW + 1000.0, HOUR).hold == "it stopped arriving 21 min ago"


@pytest.mark.parametrize("known", [0, 1, 15])
def test_too_few_samples_say_how_many_it_takes(known):
    t, y = (T[-known:], DAILY[-known:]) if known else (T[:0], DAILY[:0])
    assert re.fullmatch(r"\S+ \S+ of samples are known, it takes 16.0 h", told(t=t, y=y).hold)


def test_no_further_than_a_third_of_what_is_known():
    found = told(t=T[-30:], y=DAILY[-30:], ahead=7 * DAY)
    assert len(found.course) == 10
    assert "in the next 10.0 h" in found.sentence


def test_a_counter_is_told_as_its_rate_whatever_its_resets():
    counter = 7200.0 * (HOURS % 10)  # a new beginning each tenth hour: 2 a second, and once 0
    found = told(Subject("series", "shop", "requests_total"), counter, unit=Unit.COUNT)
    assert np.mean([one.mean for one in found.course]) == pytest.approx(1.8, abs=0.15)
    assert min(one.low for one in found.course) >= 0.0
    assert "2 /s now" in found.sentence


def test_a_constant_stays_one():
    found = told(Subject("series", "shop", "queue_length"), np.full(HOURS.size, 7.0), unit=Unit.NONE)
    assert {(one.mean, one.low, one.high) for one in found.course} == {(7.0, 7.0, 7.0)}


def test_samples_that_are_no_numbers_and_gaps_are_left_out():
    y = np.where(HOURS % 7 == 3, np.nan, np.where(HOURS % 11 == 5, np.inf, DAILY))
    gap = (HOURS > 100) & (HOURS < 170)
    found = told(t=T[~gap], y=y[~gap])
    assert all(np.isfinite([one.mean, one.low, one.high]).all() for one in found.course)
    assert np.mean([abs(one.mean - 100 - 40 * np.sin(2 * np.pi * i / 24)) < 8 for i, one in enumerate(found.course)]) > 0.9


def test_a_clock_change_moves_the_peak_by_the_next_days():
    shifted = 100 + 40 * np.sin(2 * np.pi * (HOURS + (HOURS >= 18 * 24)) / 24) + 2 * NOISE
    found = told(y=shifted)
    error = [abs(one.mean - 100 - 40 * np.sin(2 * np.pi * (i + 1) / 24)) for i, one in enumerate(found.course)]
    assert np.mean(error) < 5.0


def test_the_bucket_that_is_not_over_is_left_out():
    found = told(t=np.append(T, NOW), y=np.append(DAILY, 0.0), now=NOW + 60.0)
    assert found.course[0].at == NOW and found.course[0].mean == pytest.approx(100.0, abs=8.0)


def test_cost_is_told_as_a_sum_beside_what_was_spent():
    found = told(Subject("cost", "web", "spend"), np.full(HOURS.size, 0.01), unit=Unit.NONE)
    assert found.sentence == "spend: 864 expected in the next 24.0 h (90 %: 864 to 864); 864 in as long before"
