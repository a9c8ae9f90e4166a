# ruff: noqa: E501 — one case a line reads best
"""Maintenance windows and change freezes: when they are on, when that changes, and what is held back by them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plan.plan_world import NOW, Believing, Proposing, action, record, situation
from trimtab.domain.actions import ActionState, Choice
from trimtab.domain.windows import WEEKDAYS, Calendar, Window
from trimtab.plan import PlanSettings, make_plan
from trimtab.plan.windows import out_of_hours, standing

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
NIGHTS = Window("nights", frozenset(range(5)), start=time(22), end=time(6), timezone=BERLIN)


def at(text: str, zone: str = "UTC", fold: int = 0) -> float:
    """Unix seconds of what a clock shows; `fold` 1 is the second of two that look alike."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-20T21:59:59", False),
        ("2026-11-20T22:00:00", True),  # Friday
        ("2026-11-21T05:59:59", True),  # belongs to Friday
        ("2026-11-21T06:00:00", False),
        ("2026-11-21T23:00:00", False),  # Saturday
        ("2026-11-23T05:00:00", False),  # the night of Sunday
        ("2026-11-23T23:00:00", True),
    ],
)
def test_a_window_past_midnight_belongs_to_the_day_that_it_begins_on(moment, is_open):
    assert NIGHTS.open_at(at(moment, BERLIN)) is is_open


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, "2026-03-28", 7.0),
        (BERLIN, "2026-10-24", 9.0),
        (BERLIN, "2026-06-20", 8.0),
        (NEW_YORK, "2026-03-07", 7.0),
        (NEW_YORK, "2026-10-31", 9.0),
    ],
)
def test_a_night_is_as_long_as_the_clocks_make_it(zone, day, hours):
    window = Window("nights", start=time(22), end=time(6), timezone=zone)
    opens = window.next_change(at(f"{day}T12:00", zone))
    assert opens == at(f"{day}T22:00", zone)
    assert window.next_change(opens) - opens == hours * 3600


@pytest.mark.parametrize(
    ("zone", "day", "gap"), [(BERLIN, "2026-03-29", "01:00:00"), (NEW_YORK, "2026-03-08", "07:00:00")], ids=["Berlin", "New York"]
)
def test_what_the_change_to_summer_time_skips_never_comes(zone, day, gap):
    skipped = Window("skipped", frozenset({6}), start=time(2, 15), end=time(2, 45), timezone=zone)
    before = at(f"{day}T00:00", zone)
    assert skipped.next_change(before) == before + (7 * 24 - 1) * 3600 + 2.25 * 3600  # a week later, less the hour
    begun = Window("begun", start=time(2, 30), end=time(5), timezone=zone)
    assert begun.next_change(before) == at(f"{day}T{gap}")  # the first moment at which the clock shows 02:30 or later


@pytest.mark.parametrize(("zone", "day"), [(BERLIN, "2026-10-25"), (NEW_YORK, "2026-11-01")], ids=["Berlin", "New York"])
def test_what_comes_twice_counts_twice(zone, day):
    hour = 2 if zone == BERLIN else 1
    window = Window("twice", start=time(hour, 15), end=time(hour, 45), timezone=zone)
    edges, now = [], at(f"{day}T00:00", zone)
    for _ in range(4):
        now = window.next_change(now)
        edges.append(now)
    first, second = (at(f"{day}T0{hour}:15", zone, fold) for fold in (0, 1))
    assert edges == [first, first + 1800, second, second + 1800] and second - first == 3600


FREEZE = Window("holidays", dates=((date(2026, 12, 20), date(2027, 1, 2)),), timezone=BERLIN)


@pytest.mark.parametrize(
    ("window", "moment", "is_open", "changes"),
    [
        (FREEZE, "2026-11-01T12:00", False, "2026-12-20T00:00"),
        (FREEZE, "2026-12-31T23:59", True, "2027-01-03T00:00"),
        (FREEZE, "2027-01-03T00:00", False, None),
        (replace(FREEZE, days=frozenset({4})), "2026-11-20T12:00", True, "2026-11-21T00:00"),  # Fridays, too
        (replace(FREEZE, days=frozenset({4})), "2027-01-03T00:00", False, "2027-01-08T00:00"),
        (replace(FREEZE, start=time(20), end=time(4)), "2026-12-25T12:00", False, "2026-12-25T20:00"),
        (replace(FREEZE, start=time(20), end=time(4)), "2027-01-03T03:00", True, "2027-01-03T04:00"),
        (Window("always"), "2026-11-20T12:00", True, None),
        (Window("round the clock", start=time(0), end=time(0), timezone=BERLIN), "2026-11-20T12:00", True, None),
    ],
)
def test_dates_days_and_times_together(window, moment, is_open, changes):
    now = at(moment, BERLIN)
    assert window.open_at(now) is is_open
    assert window.next_change(now) == (None if changes is None else at(changes, BERLIN))


def oracle(window: Window, now: float) -> bool:
    """What a person with a calendar and a clock on the wall would say."""
    wall = datetime.fromtimestamp(now, ZoneInfo(window.timezone))
    for back in (0, 1):
        day = wall.date() - timedelta(days=back)
        listed = day.weekday() in window.days or any(first <= day <= last for first, last in window.dates)
        if (window.days or window.dates) and not listed:
            continue
        minutes = (wall.date() - day).days * 1440 + wall.hour * 60 + wall.minute
        start = 0 if window.start is None else window.start.hour * 60 + window.start.minute
        end = 1440 if window.end is None else window.end.hour * 60 + window.end.minute
        if start <= minutes < (end if end > start else end + 1440):
            return True
    return False


clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
changes_of_clocks = st.sampled_from(
    ["2026-03-28T20:00", "2026-10-24T20:00", "2026-03-07T20:00", "2026-10-31T20:00", "2026-06-30T20:00"]
)
day_sets = st.frozensets(st.integers(0, 6), max_size=3)
spans = st.builds(
    lambda first, days: (first, first + timedelta(days=days)), st.dates(date(2026, 3, 1), date(2026, 11, 5)), st.integers(0, 9)
)


@settings(max_examples=25, deadline=None)
@given(
    day_sets,
    st.lists(spans, max_size=2),
    st.none() | st.tuples(clocks, clocks),
    st.sampled_from([BERLIN, NEW_YORK, "Asia/Kolkata"]),
    changes_of_clocks,
)
def test_it_agrees_with_a_naive_oracle_minute_by_minute(days, dates, times, zone, begin):
    start, end = times or (None, None)
    window = Window("any", days, tuple(dates), start, end, zone)
    begin = at(begin)
    truth = [oracle(window, begin + 60 * minute) for minute in range(2 * 1440)]
    assert [window.open_at(begin + 60 * minute) for minute in range(0, 2 * 1440, 7)] == truth[::7]
    flips = [begin + 60 * minute for minute in range(1, len(truth)) if truth[minute] is not truth[minute - 1]]
    now, found = begin, []
    while (now := window.next_change(now)) is not None and now < begin + 2 * 86_400:
        found.append(now)
    assert found == flips


NOWISH = datetime.fromtimestamp(NOW, ZoneInfo("UTC"))  # Friday 1970-01-02 03:46:40
DAY = Window("day", start=time(9), end=time(17), elements=frozenset({"checkout"}))


@pytest.mark.parametrize(
    ("calendar", "element", "says"),
    [
        (Calendar(), "checkout", None),
        (Calendar((DAY,)), "other", None),
        (Calendar((DAY,)), "checkout", "outside of the maintenance windows of checkout: 'day' opens in 5 h 14 min (Fri 09:00 UTC)"),
        (Calendar((DAY, Window("nights", start=time(22), end=time(6)))), "checkout", None),
        (Calendar((DAY, Window("nights", start=time(22), end=time(6)))), "other", None),
        (Calendar((Window("nights", start=time(4), end=time(6)),)), "any", "outside of the maintenance windows of any: 'nights' opens in 14 min (Fri 04:00 UTC)"),
        (Calendar((Window("gone", dates=((date(1969, 1, 1), date(1969, 1, 2)),)),)), "any", "outside of the maintenance windows of any: none of them opens any more"),
        (Calendar(freezes=(Window("fridays", frozenset({4})),)), "any", "change freeze 'fridays' ends in 20 h 14 min (Sat 00:00 UTC)"),
        (Calendar(freezes=(replace(DAY, start=time(0)),)), "other", None),
        (Calendar((Window("nights", start=time(22), end=time(6)),), (Window("fridays", frozenset({4})),)), "any", "change freeze 'fridays' ends in 20 h 14 min (Sat 00:00 UTC)"),
        (Calendar(freezes=(Window("far", dates=((date(1970, 1, 1), date(1970, 2, 3)),)),)), "any", "change freeze 'far' ends in 32 d 21 h (1970-02-04 00:00 UTC)"),
    ],
)  # fmt: skip
def test_what_is_said_of_an_element(calendar, element, says):
    assert NOWISH.weekday() == WEEKDAYS.index("fri")
    assert out_of_hours(calendar, element, NOW) == says


@pytest.mark.parametrize("asks", [False, True], ids=["acting", "asking"])
@pytest.mark.parametrize("shut", [False, True], ids=["open", "shut"])
def test_outside_of_its_windows_an_element_is_neither_changed_nor_asked_about(asks, shut):
    window = DAY if shut else replace(DAY, start=time(1))
    rules = PlanSettings(calendar=Calendar((window,)), enable_automatic_actions=not asks)
    plan = make_plan(situation(), [Proposing(action())], Believing(), rules)
    ((_, decision),) = plan.decided
    assert decision.choice is (Choice.WAIT if shut else Choice.ASK if asks else Choice.ACT)
    assert ("'day' opens in" in decision.reason) is shut
    assert ("'day' opens in" in plan.sentence) is shut


def test_the_status_shows_each_with_when_it_changes():
    calendar = Calendar((DAY,), (Window("fridays", frozenset({4})),))
    day, fridays = standing(calendar, NOW)
    assert (day["kind"], day["open"], day["elements"], day["changes_at"]) == (
        "maintenance",
        False,
        ["checkout"],
        32 * 3600 + 3600,
    )
    assert day["says"] == "opens in 5 h 14 min (Fri 09:00 UTC)"
    assert (fridays["kind"], fridays["open"], fridays["elements"]) == ("freeze", True, [])
    assert fridays["says"].startswith("closes in 20 h")


def test_an_undo_is_no_business_of_the_calendar():
    """What is under way holds its locks and is finished or undone; only a start is asked about."""
    under_way = record(ActionState.ROLLING_BACK, at=NOW - 10)
    plan = make_plan(replace(situation(), records=(under_way,)), [], Believing(), PlanSettings(calendar=Calendar((DAY,))))
    assert "under way (rolling back)" in plan.sentence
