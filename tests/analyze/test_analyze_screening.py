"""The screen over all series, and which of them it sends to the deep tier."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from trimtab.analyze import Analyzer, FleetDetector
from trimtab.analyze.screen import Screen
from trimtab.analyze.tiers import STAYS_SECONDS, DeepTier
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal
from trimtab.domain.metrics import Series

DAY, STEP = 86_400.0, 600.0
MONDAY = 4 * DAY  # 5 January 1970


def day_of(t, height=10.0):
    return height * np.sin(2.0 * np.pi * t / DAY)


def run(fleet, course, days, *, start=MONDAY):
    """Scores (ticks, n) of `course(t)` → (n,), for so many days."""
    return np.array([fleet.update(t, course(t)) for t in start + STEP * np.arange(int(days * DAY / STEP))])


# -- season


def test_what_is_usual_at_one_hour_is_strange_at_another():
    rng, n = np.random.default_rng(11), 40
    fleet = FleetDetector(n)
    run(fleet, lambda t: day_of(t) + rng.normal(0.0, 1.0, n), 5)
    t = MONDAY + 5 * DAY
    assert abs(fleet.expected(0) - day_of(t)) < 2.0
    values = day_of(t) + rng.normal(0.0, 1.0, n)
    values[: n // 2] += 7.0  # well within the day's range of ±10
    scores = fleet.update(t, values)
    assert (scores[: n // 2] > 0.5).mean() > 0.9
    assert (scores[n // 2 :] > 0.5).sum() <= 1


def test_a_weekend_is_compared_with_weekends():
    rng, n = np.random.default_rng(12), 20
    wrong = []

    def office(t):
        height = 3.0 if int(t // DAY - MONDAY / DAY) % 7 >= 5 else 12.0
        wrong.append(abs(fleet.expected(0) - day_of(t, height)))
        return day_of(t, height) + rng.normal(0.0, 1.0, n)

    fleet = FleetDetector(n)
    run(fleet, office, 21)
    per_day = int(DAY / STEP)
    assert np.mean(wrong[-2 * per_day :]) < 0.75  # the third Saturday and Sunday; compared with working days it is 2


def test_a_series_without_a_season_is_given_none():
    rng, n = np.random.default_rng(13), 100
    with_past, fresh = FleetDetector(n), FleetDetector(n)
    run(with_past, lambda t: rng.normal(0.0, 1.0, n), 6)
    run(fresh, lambda t: rng.normal(0.0, 1.0, n), 0.5)
    off = [abs(with_past.expected(i)) for i in range(n)]
    assert np.median(off) < 1.5 * np.median([abs(fresh.expected(i)) for i in range(n)])


@pytest.mark.parametrize(("zone", "foreseen"), [("Europe/Berlin", True), ("UTC", False)])
def test_days_begin_where_people_live_summer_time_included(zone, foreseen):
    """A load that jumps at nine in the morning does so after the clocks have changed, too: in local time, not in UTC."""
    berlin, rng = ZoneInfo("Europe/Berlin"), np.random.default_rng(14)
    start = 1_774_220_400.0  # Monday, 23 March 2026, midnight in Berlin; the clocks go forward on the 29th
    fleet = FleetDetector(8, zone=ZoneInfo(zone))

    def office(t):
        return 40.0 * (9 <= datetime.fromtimestamp(t, berlin).hour < 17) + 0.1 * rng.normal(size=8)

    run(fleet, office, 6.99, start=start)
    after = start + 7 * DAY - 3600.0  # midnight in Berlin again
    run(fleet, office, 8.9 / 24, start=after)
    fleet.update(after + 9.7 * 3600.0, np.full(8, math.nan))
    assert (fleet.expected(0) > 25.0) is foreseen


def test_a_profile_carries_a_series_over_a_gap_of_its_own():
    rng, n = np.random.default_rng(15), 2
    fleet = FleetDetector(n)
    run(fleet, lambda t: day_of(t) + rng.normal(0.0, 0.5, n), 4)

    def one_silent(t):
        values = day_of(t) + rng.normal(0.0, 0.5, n)
        values[1] = math.nan
        return values

    scores = run(fleet, one_silent, 0.4, start=MONDAY + 4 * DAY)
    assert scores[:, 1].max() == 0.0
    t = MONDAY + 4.4 * DAY
    assert abs(fleet.expected(1) - day_of(t)) < 4.0  # the level alone would be at 0, where the day began
    assert fleet.update(t, [day_of(t)] * 2)[1] < 0.5


# -- tails


def test_a_series_that_is_often_far_out_surprises_no_more_than_others():
    rng, n = np.random.default_rng(16), 25
    kinds = {
        "normal": rng.normal,
        "student t": lambda size: rng.standard_t(3, size),
        "log-normal": lambda size: rng.lognormal(size=size),
        "rare ones": lambda size: rng.poisson(0.02, size).astype(float),
    }
    scores = run(FleetDetector(n * len(kinds)), lambda t: np.concatenate([draw(size=n) for draw in kinds.values()]), 21)
    last_week = scores[-int(7 * DAY / STEP) :] > 0.5
    found = dict(zip(kinds, last_week.reshape(-1, len(kinds), n).sum(axis=(0, 2)) / n, strict=True))
    assert all(count < 5.0 for count in found.values()), found  # surprises a series-week; one limit for all gives 10 to 25


# -- places


def test_it_weighs_less_than_600_bytes_a_series():
    assert FleetDetector(10_000).nbytes < 600 * 10_000


def test_growing_and_restarting_leave_the_others_alone():
    rng = np.random.default_rng(17)
    values = rng.normal(50.0, 2.0, (600, 3))
    rows = iter(values[:, :2])
    alone = run(FleetDetector(2), lambda t: next(rows), 2)
    fleet = FleetDetector(2)
    first = [fleet.update(MONDAY + STEP * i, values[i, :2]) for i in range(200)]
    fleet.grow(3)
    then = []
    for i in range(200, 288):
        if i == 250:
            fleet.restart(2)
        then.append(fleet.update(MONDAY + STEP * i, values[i]))
    np.testing.assert_allclose(np.vstack([np.array(first), np.array(then)[:, :2]]), alone[:288], atol=1e-6)
    assert np.array(then)[:29, 2].max() == np.array(then)[50:79, 2].max() == 0.0  # it warms up, twice


def test_values_beyond_all_measure_are_missing():
    fleet = FleetDetector(4)
    for i in range(100):
        scores = fleet.update(60.0 * i, [1e300 if i % 2 else 1.0, -math.inf, 1e18 * i, 5.0 + i % 2])
    assert np.isfinite(scores).all()
    assert fleet.expected(0) == pytest.approx(1.0)
    assert fleet.expected(3) == pytest.approx(5.5, abs=0.1)


# -- the screen over a monitor


def test_the_screen_names_what_is_off(view):
    rng, screen = np.random.default_rng(18), Screen(10.0)
    for i in range(120):
        for name in ("a", "b", "c"):
            view.add(name, float(rng.normal(100.0, 2.0)) + (40.0 if name == "b" and i == 119 else 0.0))
        screen.look(view, view.now)
    assert set(screen.surprises) == {"shop/b"}


def test_a_tick_waits_for_its_time_however_often_it_is_woken(view):
    screen = Screen(30.0)
    view.add("a", 1.0)
    ticks = [now for now in (100.0, 101.0, 115.0, 129.0, 129.5, 159.0, 160.0, 30.0) if screen.look(view, now)]
    assert ticks == [100.0, 129.5, 160.0, 30.0]  # every 30 s from 100 on, and at once where the clock went back


def test_a_counter_is_judged_by_its_rate_and_a_reset_is_no_surprise(view):
    rng, screen, count, resets = np.random.default_rng(19), Screen(10.0), 0.0, []
    for i in range(200):
        count = 0.0 if i == 150 else count + float(rng.normal(1000.0, 20.0))
        if i == 190:
            count -= 900.0  # hardly any requests
        view.add("requests_total", count)
        screen.look(view, view.now)
        resets.append(bool(screen.surprises))
    assert [i for i, found in enumerate(resets) if found] == [190]


def test_places_are_used_again(view):
    screen = Screen(10.0)
    for i in range(300):
        view.known.clear()
        view.values.clear()
        view.add(f"pod{i}", *([float(i)] * (i + 1)))
        screen.look(view, view.now)
    assert len(screen._places) == 1
    assert screen._fleet.n_series == 64


# -- who gets a detector


NAMES = [Series(name) for name in "abcdefgh"]
IDS = [series.metric_id for series in NAMES]


def tier(places, first=(), told=()):
    found = DeepTier(places, first=frozenset(first))
    found.choose(NAMES, [f"/{name}" for name in told], 0.0)
    return found


def test_with_room_for_all_all_are_deep():
    assert tier(8).choose(NAMES, [], 1.0) == set(IDS)


@pytest.mark.parametrize(
    ("places", "first", "telling", "at", "deep"),
    [
        pytest.param(3, "", "", 60.0, "abc", id="those that came first"),
        pytest.param(3, "h", "", 60.0, "abch", id="what a goal names comes on top"),
        pytest.param(0, "gh", "a", 60.0, "gh", id="no places but for what is named"),
        pytest.param(3, "", "h", 60.0, "bch", id="one that tells takes the place of a quiet one"),
        pytest.param(3, "", "defgh", 60.0, "def", id="no more than there are places"),
        pytest.param(3, "", "a", 60.0, "abc", id="one that has a place keeps it"),
    ],
)
def test_places_go_to(places, first, telling, at, deep):
    found = tier(places, first).choose(NAMES, [f"/{name}" for name in telling], at)
    assert sorted(found) == [f"/{name}" for name in deep]


def test_who_has_told_something_stays_an_hour_and_then_makes_room():
    deep = tier(1, told="h")
    assert deep.choose(NAMES, ["/g"], 60.0) == {"/h"}
    assert deep.waiting == 1
    assert deep.choose(NAMES, ["/h"], 1000.0) == {"/h"}  # it tells again: the hour begins anew
    assert deep.choose(NAMES, ["/g"], STAYS_SECONDS + 500.0) == {"/h"}
    assert deep.choose(NAMES, ["/g"], STAYS_SECONDS + 1000.0) == {"/g"}
    assert deep.waiting == 0


def test_it_says_how_many_are_watched_and_who_waits():
    assert tier(8).sentence is None
    deep = tier(1, told="h")
    deep.choose(NAMES, ["/g", "/f"], 60.0)
    assert deep.sentence == ("1 of 8 series have a detector of their own, the others are screened, 2 that surprised wait for one")


def test_what_is_gone_leaves_its_place():
    deep = tier(1, told="h")
    assert deep.choose(NAMES[:2], [], 60.0) == {"/a"}


def test_a_series_without_a_detector_gets_one_when_it_surprises_and_is_told_as_ever(view):
    rng = np.random.default_rng(20)
    goal = Goal("named", 1e9, Direction.MINIMIZE)
    analyzer = Analyzer([goal], deep_series=1, screen_seconds=10.0, look_ahead=False)
    found = None
    for i in range(260):
        for name in ("named", "first", "quiet", "sick"):
            view.add(name, float(rng.normal(100.0, 2.0)) + (60.0 if name == "sick" and i >= 250 else 0.0))
        found = analyzer.analyze(view, view.now)
    assert {symptom.metric_name for symptom in found.symptoms if symptom.kind == "anomaly"} == {"sick"}
    assert analyzer.deep.choose(view.series(), [], view.now) == {"shop/named", "shop/sick"}
