"""What was true when something was tried: the few facts that beliefs are kept apart by.

Each fact is one of two to four words, so that a context fills up with outcomes within weeks and not within years. It is part of
the action, and with it of the journal: beliefs can be built anew from there. "" means unknown, which older actions say of all.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime

HOURS = ("night", "morning", "afternoon", "evening")  # six hours each, from midnight UTC
LEVELS = ("low", "usual", "high")  # thirds of what the load was lately
PLACES = ("low", "middle", "high")  # thirds of a lever's bounds


@dataclass(frozen=True, slots=True)
class Context:
    """Four facts about the moment of an action.

    >>> Context(load="high", miss="far").words
    'load high, miss far'
    """

    load: str = ""  # low | usual | high: how much the element had to do, against what is usual there
    hour: str = ""  # night | morning | afternoon | evening, UTC
    miss: str = ""  # near | far: whether its goal was missed by more than twice
    position: str = ""  # low | middle | high: where the lever stood within its bounds

    @property
    def labels(self) -> tuple[str, ...]:
        """The facts in the order of the fields."""
        return (self.load, self.hour, self.miss, self.position)

    @property
    def words(self) -> str:
        """What is known, for people; "" where nothing is."""
        return ", ".join(f"{name} {label}" for name, label in zip(FACTS, self.labels, strict=True) if label)


UNKNOWN = Context()
FACTS: tuple[str, ...] = tuple(field.name for field in fields(Context))


def hour_of(at: float) -> str:
    """The quarter of the day (UTC) that `at`, in Unix seconds, is in.

    >>> hour_of(0.0), hour_of(13 * 3600.0)
    ('night', 'afternoon')
    """
    return HOURS[datetime.fromtimestamp(at, UTC).hour // 6]


def third(share: float, names: tuple[str, str, str] = PLACES) -> str:
    """The name of the third that a share between 0 and 1 is in.

    >>> third(0.1), third(0.5), third(1.0)
    ('low', 'middle', 'high')
    """
    return names[min(2, max(0, int(3.0 * share)))]
