"""Who is read how often when there is not processor time enough for all, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from trimtab.analyze.screen import Screen
from trimtab.analyze.worth import Worth
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Analysis, Goal, Guard, Symptom
from trimtab.domain.metrics import Reading, Series, Severity
from trimtab.loop.attention import Attention, _odd_from
from trimtab.loop.pace import Pace
from trimtab.loop.throttle import Throttle
from trimtab.monitor import Monitor
from trimtab.monitor.schedule import AT_ONCE, SLOWEST

NOBODY: frozenset[str] = frozenset()


@dataclass(eq=False)
class Source:
    name: str
    element: str
    interval: float | None = None
    level: float = 100.0
    noise: float = 1.0
    reads: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.series = Series.named(f"{self.name}_queue_length", self.element)
        self.metric_names = (self.series.name,)

    async def read(self, now: float) -> Sequence[Reading]:
        raise NotImplementedError

    async def close(self) -> None: ...


class World:
    """Sensors a, b, c … of elements of the same name, 30 s each; all turns in virtual time."""

    def __init__(self, names: str = "abcd", goals: Sequence[Goal] = (), guards: Sequence[Guard] = ()) -> None:
        self.sources = {name: Source(name, name) for name in names}
        self.monitor = Monitor(tuple(self.sources.values()), interval_seconds=30.0, window_seconds=3600.0)
        self.screen = Screen(30.0)
        self.attention = Attention(self.monitor, self.screen, Worth(goals, guards))
        self.rng, self.now = np.random.default_rng(5), 0.0

    def live(
        self, seconds: float, factor: float = 1.0, spared: frozenset[str] = NOBODY, symptoms: Sequence[Symptom] = ()
    ) -> World:
        end = self.now + seconds
        for source in self.sources.values():
            source.reads.clear()
        while self.now < end:
            for source in self.monitor.due(self.now):
                source.reads.append(self.now)
                value = source.level + source.noise * float(self.rng.normal())
                self.monitor.post(source, [Reading(source.series, value, self.now)], self.now)
            if self.screen.look(self.monitor, self.now) and self.attention.look(self.now, symptoms, spared):
                self.monitor.pace(factor, spared, self.attention.factors(factor, spared))
            self.now += 1.0
        return self

    def every(self) -> dict[str, float]:
        return {name: self.monitor.period_of(source) for name, source in self.sources.items()}


def goal(name, weight=1.0, element=None):
    return Goal(f"{name}_queue_length", 1e9, Direction.MINIMIZE, weight, element)


def reads_a_minute(every):
    return sum(60.0 / seconds for seconds in every.values())


# -- who is read how often


def test_within_the_budget_all_are_read_as_configured():
    assert set(World(goals=[goal("a")]).live(600.0).every().values()) == {30.0}


def test_what_a_goal_names_is_read_most_often_and_the_sum_is_what_is_to_be_spent():
    every = World("abcdefgh", goals=[goal("a")], guards=[Guard("b_queue_length", max=1.0)]).live(1200.0, 4.0).every()
    assert every["a"] < every["b"] < every["c"] == pytest.approx(every["h"])
    assert reads_a_minute(every) == pytest.approx(8 * 2.0 / 4.0, rel=0.01)
    assert every["a"] / every["c"] == pytest.approx(8.0**-0.5, rel=0.01)


def test_goals_of_more_weight_come_first():
    every = World(goals=[goal("a", 1.0), goal("b", 4.0)]).live(1200.0, 4.0).every()
    assert every["b"] < every["a"] < every["c"]


def test_what_has_surprised_is_read_as_often_as_configured_and_the_rest_makes_room():
    world = World("abcdefgh").live(4500.0, 4.0)
    assert world.every()["a"] == pytest.approx(120.0, rel=0.01)
    world.sources["a"].level = 130.0
    every = world.live(600.0, 4.0).every()
    assert every["a"] == pytest.approx(30.0)
    assert every["b"] > 150.0
    assert reads_a_minute(every) == pytest.approx(8 * 2.0 / 4.0, rel=0.02)


def test_a_symptom_counts_like_a_surprise():
    world = World("abcd").live(1800.0, 4.0)
    symptom = Symptom("anomaly", "c", "c_queue_length", Severity.WARNING, 0.8, "", world.now)
    every = world.live(120.0, 4.0, symptoms=[symptom]).every()
    assert every["c"] == min(every.values()) < 60.0


def test_nobody_is_ever_left_out():
    world = World("abcdefgh", goals=[goal(name, 1e6) for name in "abcdefg"])
    world.live(4.0 * 3600.0, 12.0)
    assert max(world.every().values()) <= SLOWEST * 30.0
    assert all(len(source.reads) >= 4.0 * 3600.0 / (SLOWEST * 30.0) - 2 for source in world.sources.values())


def test_who_is_spared_pays_nothing_and_what_that_costs_is_shared_by_the_others():
    every = World("abcdefgh").live(1200.0, 4.0, frozenset("a")).every()
    assert every["a"] == 30.0
    assert reads_a_minute(every) == pytest.approx(8 * 2.0 / 4.0, rel=0.02)
    everyone = World("ab").live(1200.0, 4.0, frozenset("ab")).every()
    assert set(everyone.values()) == {30.0}  # proof goes before thrift


# -- looking again


def test_a_surprise_is_looked_at_again_before_its_time_but_not_where_others_decide():
    for urgent, extra in ((NOBODY, True), (frozenset("a"), False)):
        world = World("abcd").live(3600.0)
        world.sources["a"].level = 130.0
        world.live(90.0, 1.0, urgent)
        gaps = np.diff(world.sources["a"].reads)
        assert bool(gaps.min() < 10.0) is extra
        assert np.diff(world.sources["b"].reads).min() >= 29.0


@pytest.mark.parametrize(("factor", "again"), [(4.0, True), (1.0, False)], ids=["read rarely", "read as configured"])
def test_what_is_odd_and_no_surprise_is_looked_at_again_where_the_next_read_is_far(factor, again):
    world = World("abcd").live(9000.0, factor)
    world.sources["a"].level, world.sources["a"].noise = 103.2, 0.0  # beyond 2.3 standard deviations, and not beyond 4
    world.live(300.0, factor)
    assert bool(np.diff(world.sources["a"].reads).min() < 10.0) is again
    told = world.attention.sentences(world.now)
    assert all("no surprise so far" in one for one in told if one.startswith("a/a "))


@pytest.mark.parametrize(("series", "score"), [(1, 0.368), (10, 0.436), (10_000, 0.5)], ids=str)
def test_a_sensor_of_many_series_is_odd_by_chance_no_more_often_than_one_of_a_single_series(series, score):
    assert _odd_from(series, 4.0) == pytest.approx(score, abs=0.001)


# -- what is told


def test_it_says_how_often_and_why():
    world = World("abcdefgh", goals=[goal("a")]).live(7200.0, 4.0)
    world.sources["d"].level = 130.0
    told = world.live(300.0, 4.0).attention.sentences(world.now)
    assert told[0].startswith("d/d is read every 30 s: no goal or guard is near, 1 surprise, the last ")
    assert any("a/a is read every" in one and "its goal a_queue_length, no surprise so far" in one for one in told)
    assert len(told) == 6  # of 8
    assert World("ab").live(600.0).attention.sentences(600.0) == []


def test_worth_is_the_most_that_speaks_for_a_series():
    worth = Worth([goal("a", 1.0), goal("a", 2.0, "x"), goal("b", 0.0001, "x")], [Guard("g", max=1.0, element="x")])
    a, other = Series("a_queue_length", "x"), Series("else", "x")
    assert worth.of(a)[0] == 8.0
    assert worth.of(Series("a_queue_length", "y"))[0] == 5.0
    assert worth.of(Series("g", "x")) == (4.0, "its guard g")
    assert worth.of(other) == (2.0, "the goal a_queue_length of its element")
    assert worth.of(Series("else", "y")) == (1.0, "")


# -- analyses


class Watching:
    """What a throttle asks of evidence and book."""

    def __init__(self, severity: Severity | None = None) -> None:
        found = [Symptom("threshold", "a", "x", severity, 1.0, "", 0.0)] if severity is not None else []
        self.analysis = Analysis(0.0, symptoms=tuple(found))

    def under_way(self) -> list[object]:
        return []

    def in_state(self, *states: object) -> list[object]:
        return []

    def goal(self, goal_id: str) -> None:
        return None


class Stage:
    def pace(self, factor: float) -> None: ...


@pytest.mark.parametrize(
    ("severity", "waits"), [(None, 20.0), (Severity.WARNING, 20.0), (Severity.CRITICAL, 0.0)], ids=["calm", "warning", "critical"]
)
def test_a_costly_analysis_is_not_repeated_at_every_reading(severity, waits):
    used = [0.0]
    world, watching = World(), Watching(severity)
    throttle = Throttle(Pace(2.0), lambda: used[0], world, world.attention)
    throttle._selfwatch.stretch = 1.0
    throttle.look(0.0, world.monitor, Stage(), watching, watching)
    with throttle.analysing(1000.0):
        used[0] += 0.1  # 0.1 s of processor time: half a per cent of a core allows it every 20 s
    assert throttle.after_reading() == pytest.approx(1000.0 + waits if waits else 0.0)


def test_reads_under_way_are_bounded_and_none_is_forgotten():
    sensors = [Source(f"s{i}", "e") for i in range(3 * AT_ONCE)]
    monitor = Monitor(sensors, interval_seconds=1000.0, window_seconds=3600.0)
    under_way, read = monitor.due(0.0), set()
    for now in range(200, 210):
        under_way += monitor.due(float(now))
        assert len(under_way) <= AT_ONCE
        assert (monitor.next_due() == float("inf")) == (len(under_way) == AT_ONCE)
        for sensor in under_way:
            read.add(sensor.name)
            monitor.post(sensor, [], float(now))
        under_way = []
    assert len(read) == len(sensors)


def test_a_pace_that_shortens_intervals_before_the_first_read_changes_nothing_of_that():
    sensors = [Source(f"s{i}", "e") for i in range(40)]
    monitor = Monitor(sensors, interval_seconds=100.0, window_seconds=3600.0)
    monitor.pace(4.0)
    first = monitor.due(0.0)
    monitor.pace(1.0)
    assert len(first) + len(monitor.due(30.0)) == 40
