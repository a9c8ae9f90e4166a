"""Maintenance windows and change freezes as the YAML has them, each of which becomes a `domain.windows.Window`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from trimtab.config.parts import TIME_FORM, Name, Part, rule
from trimtab.domain.windows import WEEKDAYS, Window

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except Exception:  # ZoneInfo raises half a dozen kinds for names that are no zone
        raise PydanticCustomError("unknown_timezone", "unknown") from None
    return value


def _dates(value: str) -> str:
    first, last = _span_of(value)
    if last < first:
        raise rule(f"'{value}' ends before it begins", "write the earlier date first")
    return value


def _span_of(text: str) -> tuple[date, date]:
    first, dots, last = text.partition("..")
    try:
        return date.fromisoformat(first.strip()), date.fromisoformat((last if dots else first).strip())
    except ValueError:
        raise rule(f"'{text}' is no date", "write 2026-11-27, or 2026-12-20..2027-01-02 for all days between") from None


def _time_of(text: str) -> time:
    return time(0) if text == "24:00" else time.fromisoformat(text)


Zone = Annotated[str, AfterValidator(_known_zone)]
TimeOfDay = Annotated[str, Field(pattern=TIME_FORM)]
Dates = Annotated[str, AfterValidator(_dates)]


class WindowSettings(Part):
    """Times in which something may be started on `elements` (by default all), and outside of which nothing is."""

    name: Name
    days: tuple[Weekday, ...] = ()  # by default every day
    start: TimeOfDay | None = None  # by default the whole day
    end: Annotated[TimeOfDay | None, Field(validate_default=True)] = None
    timezone: Zone | None = None  # by default the top level's
    elements: tuple[Name, ...] = ()

    @field_validator("end")
    @classmethod
    def _both(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "start" in info.data and (value is None) is not (info.data["start"] is None):
            given, lacking = ("a start", "end") if value is None else ("an end", "start")
            raise rule(f"there is {given} and no {lacking}", "give both, or neither for the whole day")
        return value

    def window(self, timezone: str) -> Window:
        """The window as the rest of trimtab knows it; `timezone` is the one at the top level.

        >>> WindowSettings(name="nights", days=("fri",), start="22:00", end="06:00").window("UTC").days
        frozenset({4})
        """
        return Window(
            self.name,
            frozenset(WEEKDAYS.index(day) for day in self.days),
            start=None if self.start is None else _time_of(self.start),
            end=None if self.end is None else _time_of(self.end),
            timezone=self.timezone or timezone,
            elements=frozenset(self.elements),
        )


class FreezeSettings(WindowSettings):
    """Times in which nothing is started on `elements` (by default all). A day counts that is in `days` or in `dates`."""

    dates: tuple[Dates, ...] = ()  # 2026-11-27, or 2026-12-20..2027-01-02

    @model_validator(mode="after")
    def _some_time(self) -> FreezeSettings:
        if not (self.days or self.dates or self.start):
            raise rule("it has no days, no dates and no times", "say when it is; to stop everything now there is `trimtab pause`")
        return self

    def window(self, timezone: str) -> Window:
        """The freeze as the rest of trimtab knows it.

        >>> FreezeSettings(name="peak", dates=("2026-11-27",)).window("UTC").dates[0][0].isoformat()
        '2026-11-27'
        """
        return replace(super().window(timezone), dates=tuple(_span_of(each) for each in self.dates))
