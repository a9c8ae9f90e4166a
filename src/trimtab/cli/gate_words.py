"""How the status says who may start what now: the pause, the windows, the configuration that is not in use. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trimtab.domain.words import setting


def gate_facts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Labelled sentences for a person.

    >>> list(gate_facts({"paused": True, "paused_by": "ann", "paused_since": "2026-11-20T14:00:00.000Z"}))
    [('paused', 'by ann since 2026-11-20T14:00:00Z: nothing new starts; `trimtab resume` goes on')]
    """
    if document.get("paused_by"):
        since = str(document.get("paused_since")).replace(".000Z", "Z")
        yield "paused", f"by {document['paused_by']} since {since}: nothing new starts; `trimtab resume` goes on"
    if document.get("pause_file"):
        yield "paused", f"by the file {document['pause_file']}; `trimtab resume` removes it"
    if document.get("paused") and not (document.get("paused_by") or document.get("pause_file")):
        yield "paused", "nothing new starts; `trimtab resume` goes on"
    for window in document.get("windows") or ():
        of = ", ".join(window["elements"]) or "all elements"
        yield window["kind"], f"'{window['name']}' of {of} is {'on' if window['open'] else 'off'}; {window['says']}"
    if (document.get("config") or {}).get("problem"):
        yield "config", f"not in use: {document['config']['problem']}"


def policy_fact(regulation: Mapping[str, Any]) -> str:
    """Where a policy stands, in one sentence.

    >>> policy_fact({"element": "web", "policy": "hold", "set_points": {"web/servers": 2}})
    'web: hold; servers at 2'
    """
    points = (f"{lever.partition('/')[2]} at {setting(value)}" for lever, value in regulation["set_points"].items())
    parts = [f"{regulation['element']}: {regulation['policy']}", ", ".join(points)]
    if regulation.get("moves"):
        last = regulation["last_moves"][0] if regulation.get("last_moves") else None
        counted = f"{regulation['moves']} moves" if regulation["moves"] != 1 else "1 move"
        parts.append(f"{counted}, the last because {last['reason']}" if last and last["reason"] else counted)
    if regulation.get("left_to_others"):
        parts.append(f"left to another hand: {', '.join(regulation['left_to_others'])}")
    if regulation.get("holding"):
        parts.append(f"no move is made: {regulation['holding']}")
    return "; ".join(parts)


def without_pauses(holds: list[str]) -> list[str]:
    """The holds but for those that `gate_facts` tells."""
    return [hold for hold in holds if not hold.startswith("paused")]
