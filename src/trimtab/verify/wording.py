"""Verdicts in words, for people: what was seen, against what, and what to do when nothing can be said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from trimtab.domain.verdicts import VerdictStatus

_EPOCH = 1e8  # seconds; later times are read as Unix time


@dataclass(frozen=True, slots=True)
class Against:
    """What a verdict was formed against: samples and start (s) of the current regime, and which other accounts were open."""

    samples: int
    since: float
    own_past: bool
    episodes: bool
    drift: bool
    controls: tuple[str, ...] = ()  # what they explain was taken out

    def __str__(self) -> str:
        past = " and the series' own past" if self.own_past else ""
        episodes = ", in which such episodes ended by themselves" if self.episodes else ""
        drift = " and the drift it was on" if self.drift else ""
        beside = f", beside the control{'s' * (len(self.controls) > 1)} {' and '.join(self.controls)}" if self.controls else ""
        return f"the {self.samples:,} samples since {moment(self.since)}{past}{episodes}{drift}{beside}"


def moment(seconds: float) -> str:
    """A time of day in UTC, or plain seconds where the number is no Unix time.

    >>> moment(1_700_000_000.0), moment(90.0)
    ('22:13 UTC', '90 s')
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M UTC") if seconds > _EPOCH else f"{seconds:g} s"


def percent(fraction: float) -> str:
    """A fraction as people write it: "31 %", "0.4 %".

    >>> percent(0.312), percent(-0.004)
    ('31 %', '-0.4 %')
    """
    return f"{100 * fraction:.0f} %" if abs(fraction) >= 0.0095 else f"{100 * fraction:.1f} %"


def conclusive(
    status: VerdictStatus, effect: float, bounds: tuple[float, float], against: Against, n_after: int, *, rises: bool
) -> str:
    """The sentence of a verdict that excludes zero. `effect`, `bounds`: positive = better; `rises`: the metric went up."""
    side = "above" if rises else "below"
    low, high = sorted((abs(bounds[0]), abs(bounds[1])))
    return (
        f"{status}: {percent(abs(effect))} {side} what would have happened without it ({percent(low)} to {percent(high)}), "
        f"against {against}; {n_after:,} samples after settling"
    )


def undecided(
    effect: float, bounds: tuple[float, float], against: Against, n_after: int, *, futile: bool, undecidable: bool = False
) -> str:
    """The sentence of a verdict whose interval holds zero."""
    advice = "more samples may decide"
    if futile:
        advice = "a gain worth waiting for is unlikely by now"
    elif undecidable:
        advice = "too little is known of the time before for any wait to prove this"
    return (
        f"inconclusive: the effect lies between {percent(bounds[0])} and {percent(bounds[1])} (best guess {percent(effect)}), "
        f"against {against}; {n_after:,} samples after settling; {advice}"
    )
