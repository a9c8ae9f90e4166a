"""The conformance suites themselves: each law holds for a sound adapter and catches the one that breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import SkipTest

import pytest

from trimtab.domain.errors import LeverError, Permanent, Retryable, SensorError
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.domain.metrics import Reading, Series
from trimtab.testing.jobs import JobConformance
from trimtab.testing.levers import LeverConformance
from trimtab.testing.sensors import SensorConformance


def laws(suite: type) -> list[str]:
    return sorted(name for name in dir(suite) if name.startswith("test_"))


class SoundLever:
    """Holds what it is told."""

    def __init__(self) -> None:
        self.spec = LeverSpec("workers", "shop", bounds=(1, 16))
        self.held: Any = 4
        self.reachable = True

    async def read(self) -> LeverValue:
        if not self.reachable:
            raise Retryable("gone")
        return self.held  # type: ignore[no-any-return]

    async def set(self, value: LeverValue) -> None:
        try:
            value = self.spec.coerce(value)
        except ValueError as error:
            raise Permanent(str(error)) from error
        if not self.reachable:
            raise Retryable("gone")
        self.held = value

    async def close(self) -> None:
        return


class Deaf(SoundLever):
    async def set(self, value: LeverValue) -> None:
        before = self.held
        await super().set(value)
        self.held = before


class Adding(SoundLever):
    async def set(self, value: LeverValue) -> None:
        before = self.held
        await super().set(value)
        self.held += before


class Gullible(SoundLever):
    async def set(self, value: LeverValue) -> None:
        self.held = value


class Shouting(SoundLever):
    async def read(self) -> LeverValue:
        if not self.reachable:
            raise OSError("gone")
        return await super().read()


class Texting(SoundLever):
    async def read(self) -> LeverValue:
        return str(await super().read())


class ClosingOnce(SoundLever):
    closed = False

    async def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


def lever_suite(lever: type[SoundLever]) -> LeverConformance:
    class Suite(LeverConformance):
        values = (2, 5)

        async def make(self) -> SoundLever:
            return lever()

        async def make_unreachable(self) -> SoundLever:
            made = lever()
            made.reachable = False
            return made

    return Suite()


@pytest.mark.parametrize("law", laws(LeverConformance))
def test_a_sound_lever_keeps_every_law(law: str) -> None:
    getattr(lever_suite(SoundLever), law)()


@pytest.mark.parametrize(
    ("lever", "law"),
    [
        (Deaf, "test_holds_what_was_set"),
        (Adding, "test_setting_twice_is_the_same_as_once"),
        (Adding, "test_values_are_absolute"),
        (Adding, "test_restoring_the_snapshot_is_the_identity"),
        (Gullible, "test_refuses_what_is_not_of_its_kind"),
        (Shouting, "test_out_of_reach_raises_only_lever_errors"),
        (Texting, "test_reads_a_value_of_its_kind"),
        (ClosingOnce, "test_closing_never_raises"),
    ],
)
def test_a_lever_that_breaks_a_law_is_caught(lever: type[SoundLever], law: str) -> None:
    with pytest.raises((AssertionError, RuntimeError, LeverError)):
        getattr(lever_suite(lever), law)()


def test_what_a_lever_cannot_have_is_skipped_and_seen() -> None:
    class Suite(LeverConformance):
        async def make(self) -> SoundLever:
            return SoundLever()

    with pytest.raises(SkipTest):
        Suite().test_out_of_reach_raises_only_lever_errors()


class SoundSensor:
    """Reads one series."""

    name, element, interval = "sound", "shop", None
    metric_names: Sequence[str] = ("a",)
    silent = False

    async def read(self, now: float) -> Sequence[Reading]:
        if self.silent:
            raise SensorError("nothing heard")
        return [Reading(Series.named("a", "shop"), 1.0, now)]

    async def close(self) -> None:
        return


class Extra(SoundSensor):
    metric_names = ("b",)


class Whole(SoundSensor):
    async def read(self, now: float) -> Sequence[Reading]:
        return [Reading(Series.named("a", "shop"), 1, now)]


class Late(SoundSensor):
    async def read(self, now: float) -> Sequence[Reading]:
        return [Reading(Series.named("a", "shop"), 1.0, now - 1.0)]


class Astray(SoundSensor):
    async def read(self, now: float) -> Sequence[Reading]:
        return [Reading(Series.named("a", "other"), 1.0, now)]


class Twice(SoundSensor):
    async def read(self, now: float) -> Sequence[Reading]:
        return [*await super().read(now), *await super().read(now)]


class Zero(SoundSensor):
    async def read(self, now: float) -> Sequence[Reading]:
        return [Reading(Series.named("a", "shop"), 0.0, now)]


class Empty(SoundSensor):
    async def read(self, now: float) -> Sequence[Reading]:
        return []


class Nameless(SoundSensor):
    name = ""


class Unclosable(SoundSensor):
    async def close(self) -> None:
        raise RuntimeError("no")


def sensor_suite(sensor: type[SoundSensor]) -> SensorConformance:
    class Suite(SensorConformance):
        async def make(self) -> SoundSensor:
            return sensor()

        async def make_silent(self) -> SoundSensor:
            made = sensor()
            made.silent = True
            return made

    return Suite()


@pytest.mark.parametrize("law", laws(SensorConformance))
def test_a_sound_sensor_keeps_every_law(law: str) -> None:
    getattr(sensor_suite(SoundSensor), law)()


@pytest.mark.parametrize(
    ("sensor", "law"),
    [
        (Extra, "test_yields_only_what_it_promised"),
        (Whole, "test_readings_are_floats_of_its_element_at_the_time_given"),
        (Late, "test_readings_are_floats_of_its_element_at_the_time_given"),
        (Astray, "test_readings_are_floats_of_its_element_at_the_time_given"),
        (Twice, "test_no_series_is_read_twice"),
        (Zero, "test_silence_is_an_error"),
        (Empty, "test_silence_is_an_error"),
        (Empty, "test_yields_something"),
        (Nameless, "test_has_a_name_and_a_sensible_interval"),
        (Unclosable, "test_closing_never_raises"),
    ],
)
def test_a_sensor_that_breaks_a_law_is_caught(sensor: type[SoundSensor], law: str) -> None:
    with pytest.raises((AssertionError, RuntimeError)):
        getattr(sensor_suite(sensor), law)()


class SoundJob:
    """Keeps its effects by key."""

    def __init__(self) -> None:
        self.effects: list[str] = []

    async def start(self, key: str) -> None:
        if key not in self.effects:
            self.effects.append(key)

    async def probe(self, key: str) -> str:
        return "done" if key in self.effects else "absent"

    async def undo(self, key: str) -> None:
        if key in self.effects:
            self.effects.remove(key)

    async def close(self) -> None:
        return


class Doubling(SoundJob):
    async def start(self, key: str) -> None:
        self.effects.append(key)


class Boasting(SoundJob):
    async def probe(self, key: str) -> str:
        return "done"


class Single(SoundJob):
    async def start(self, key: str) -> None:
        self.effects = [key]


class Lasting(SoundJob):
    async def undo(self, key: str) -> None:
        return


def job_suite(job: type[SoundJob]) -> JobConformance:
    class Suite(JobConformance):
        async def make(self) -> SoundJob:
            self.job = job()
            return self.job

        async def effects(self) -> int:
            return len(self.job.effects)

    return Suite()


@pytest.mark.parametrize("law", laws(JobConformance))
def test_a_sound_job_keeps_every_law(law: str) -> None:
    getattr(job_suite(SoundJob), law)()


@pytest.mark.parametrize(
    ("job", "law"),
    [
        (Boasting, "test_an_unknown_key_is_absent"),
        (Doubling, "test_starting_one_key_twice_starts_it_once"),
        (Single, "test_two_keys_are_two_effects"),
        (Lasting, "test_undoing_takes_the_effect_back"),
    ],
)
def test_a_job_that_breaks_a_law_is_caught(job: type[SoundJob], law: str) -> None:
    with pytest.raises(AssertionError):
        getattr(job_suite(job), law)()
