"""The levers of a plant: what each holds, and which values it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Takes(Protocol):
    """What a lever takes: the value to store, or `ValueError` with what it would take."""

    def __call__(self, value: float | str) -> float | str:
        """The value as it is stored."""
        ...


def number(low: float, high: float = float("inf")) -> Takes:
    """Numbers from `low` to `high`.

    >>> number(1, 16)(4)
    4.0
    """

    def takes(value: float | str) -> float:
        if isinstance(value, str) or not low <= value <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}, got {value!r}")
        return float(value)

    return takes


def one_of(*choices: str) -> Takes:
    """One of some words."""

    def takes(value: float | str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, got {value!r}")
        return str(value)

    return takes


class Panel:
    """Base of plants with levers: `get` and `set` as `domain.ports.Plant` has them.

    >>> panel = Panel({"workers": number(1, 16)}, {"workers": 2})
    >>> panel.set("workers", 4); panel.get("workers")
    4.0
    """

    def __init__(self, takes: Mapping[str, Takes], values: Mapping[str, float | str]) -> None:
        self._takes = takes
        self._levers: dict[str, float | str] = {}
        for lever, value in values.items():
            self.set(lever, value)

    def get(self, lever: str) -> float | str:
        """The value of a lever. Raises `KeyError` where there is none of that name."""
        return self._levers[lever]

    def set(self, lever: str, value: float | str) -> None:
        """Set a lever. Raises `KeyError` for an unknown one, `ValueError` for a value that it cannot take."""
        takes = self._takes[lever]
        try:
            self._levers[lever] = takes(value)
        except ValueError as error:
            raise ValueError(f"{lever} {error}") from None

    def _setting(self, lever: str) -> float:
        return float(self._levers[lever])
