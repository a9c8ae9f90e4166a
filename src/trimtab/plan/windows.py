"""Whether the calendar lets something be started on an element now, and if not, the sentence that says when it will.

Asked by the guards for every proposal, and again right before an action starts. What a person asked for or approved is not asked
about: a person stands above a window. Nor is an undo: what did harm is taken back at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trimtab.domain.windows import Calendar, Window
from trimtab.plan.words import joined, moment, span


def out_of_hours(calendar: Calendar, element: str, now: float) -> str | None:
    """Why nothing may be started on `element` at `now`; None where it may."""
    frozen = [window for window in calendar.freezes_of(element) if window.open_at(now)]
    if frozen:
        return joined([f"change freeze '{window.name}' {_until(window, now)}" for window in frozen], 2, between="; ")
    windows = calendar.maintenance_of(element)
    if not windows or any(window.open_at(now) for window in windows):
        return None
    opening = [(at, window) for window in windows if (at := window.next_change(now)) is not None]
    where = f"outside of the maintenance windows of {element}"
    if not opening:
        return f"{where}: none of them opens any more"
    at, window = min(opening, key=lambda each: each[0])
    return f"{where}: '{window.name}' opens in {span(at - now)} ({moment(at, window.timezone, now)})"


def standing(calendar: Calendar, now: float) -> list[Mapping[str, Any]]:
    """Every window and freeze as it stands at `now`, for the status."""
    kinds = (("maintenance", calendar.maintenance), ("freeze", calendar.freezes))
    return [_standing(kind, window, now) for kind, windows in kinds for window in windows]


def _until(window: Window, now: float) -> str:
    at = window.next_change(now)
    return "has no end" if at is None else f"ends in {span(at - now)} ({moment(at, window.timezone, now)})"


def _standing(kind: str, window: Window, now: float) -> Mapping[str, Any]:
    at, is_open = window.next_change(now), window.open_at(now)
    word = "closes" if is_open else "opens"
    says = f"{word} in {span(at - now)} ({moment(at, window.timezone, now)})" if at is not None else f"never {word} again"
    elements = sorted(window.elements)
    return {"name": window.name, "kind": kind, "elements": elements, "open": is_open, "changes_at": at, "says": says}
