"""Say in the log what is put on hold, and what is released: once each, and no warning where a series only warms up."""

from __future__ import annotations

from typing import Any

from trimtab.domain.goals import Analysis


def report_holds(before: Analysis, now: Analysis, log: Any) -> None:
    """One line when a series is put on hold, no warning where it only warms up, and one when it is released."""
    held, known = {_subject(hold): hold for hold in now.holds}, {_subject(hold) for hold in before.holds}
    for subject in held.keys() - (known - (before.warming - now.warming)):
        (log.info if subject in now.warming else log.warning)("Hold", reason=held[subject])
    for subject in known - held.keys():
        log.info("Hold released", subject=subject)


def _subject(hold: str) -> str:
    """What a hold sentence is about.

    >>> _subject("HOLD: shop_p95_seconds: 2 of the 5 samples")
    'shop_p95_seconds'
    """
    return hold.removeprefix("HOLD: ").split(": ")[0]
