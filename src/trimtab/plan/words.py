"""Waits, moments, goals and lists in words: the same ones in every sentence that planning writes."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from trimtab.domain.goals import GoalState
from trimtab.domain.words import of_metric

COUNTED_IN_SECONDS = 600.0  # up to here a wait is told in seconds
_A_WEEK = 6 * 86_400.0  # seconds: from here on a weekday alone would be read as the next one


def seconds(value: float) -> str:
    """A wait, rounded up so that it is never promised too short.

    >>> seconds(39.2), seconds(600.0)
    ('40 s', '600 s')
    """
    whole = int(value)
    return f"{whole if whole == value else whole + 1} s"


def span(value: float) -> str:
    """A length of time to two parts, rounded up to its smaller one, so that it is never promised too short.

    >>> span(39.2), span(3600.0), span(11_473.0), span(200_000.0)
    ('40 s', '60 min', '3 h 12 min', '2 d 8 h')
    """
    if value <= 60:
        return seconds(value)
    minutes = int(-(-value // 60))
    if minutes <= 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(hours + (rest > 0), 24)
    return f"{days} d {rest} h" if rest else f"{days} d"


def wait(value: float) -> str:
    """A wait in seconds while people count in them, then to two parts.

    >>> wait(240.0), wait(3563.0)
    ('240 s', '60 min')
    """
    return seconds(value) if value <= COUNTED_IN_SECONDS else span(value)


def moment(at: float, timezone: str, now: float) -> str:
    """A moment (Unix seconds) as people of that zone write it, with its date where a weekday would not do.

    >>> moment(1_795_813_200.0, "Europe/Berlin", now=1_795_800_000.0)
    'Fri 22:00 Europe/Berlin'
    """
    when = datetime.fromtimestamp(at, ZoneInfo(timezone))
    return f"{when:%a %H:%M} {timezone}" if abs(at - now) < _A_WEEK else f"{when:%Y-%m-%d %H:%M} {timezone}"


def where_it_stands(state: GoalState) -> str:
    """A goal's metric, its value and its target in one clause.

    >>> from trimtab.domain.direction import Direction
    >>> from trimtab.domain.goals import Goal
    >>> from trimtab.domain.metrics import Health, Trust
    >>> goal = Goal("p95_seconds", 0.2, Direction.MINIMIZE)
    >>> where_it_stands(GoalState(goal, "shop", 0.12, 0.12, True, 1.0, 0.0, Trust(Health.OK)))
    'p95_seconds 0.12 s meets its goal of 0.2 s'
    """
    name, target = state.goal.metric_name, of_metric(state.goal.metric_name, state.goal.target_value)
    if state.current is None or state.achieved is None:
        return f"{name} is not known well enough to compare with its goal of {target}"
    return f"{name} {of_metric(name, state.current)} {'meets' if state.achieved else 'misses'} its goal of {target}"


def joined(parts: list[str], limit: int = 3, *, between: str = ", ", more: str = "more") -> str:
    """A list for people, cut where it would no longer be read; `more` says what the others are.

    >>> joined(["a", "b", "c", "d", "e"]), joined(["a, b", "c"], 1, between="; ", more="more held back")
    ('a, b, c and 2 more', 'a, b and 1 more held back')
    """
    over = len(parts) - limit
    return between.join(parts) if over <= 0 else f"{between.join(parts[:limit])} and {over} {more}"
