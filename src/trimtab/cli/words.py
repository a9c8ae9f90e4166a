"""Sentences of the agent, put together for a screen. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_HEAD, _TAIL = "HOLD: ", "; no action rests on it"


def causes(holds: Iterable[str]) -> list[tuple[str, str]]:
    """Hold sentences by their cause: (what is held, why), those with one reason together.

    >>> causes(["HOLD: p95: nothing listens; no action rests on it", "HOLD: errors: nothing listens; no action rests on it"])
    [('p95 and errors', 'nothing listens')]
    """
    subjects: dict[str, list[str]] = {}
    for hold in holds:
        about, _, why = hold.removeprefix(_HEAD).removesuffix(_TAIL).partition(": ")
        among = subjects.setdefault(why or about, [])
        if why and about not in among:
            among.append(about)
    return [(_listed(among), why) if among else (why, "") for why, among in subjects.items()]


def without_holds(sentence: str) -> str:
    """A plan's sentence without the holds, which are shown by themselves.

    >>> without_holds("No action. HOLD: p95: nothing listens; no action rests on it")
    'No action'
    """
    return sentence.partition(_HEAD)[0].strip().rstrip(".;")


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
