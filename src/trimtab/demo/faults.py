"""What goes wrong in the demo, drawn by a seed. Pure; told to the service and its clients by `scene`, and never to the agent.

The service starts healthy, with settings that are right for the world it is in. A fault is that the world outgrows one of them:
a bulk import, more pages that people want, more traffic, a slow service downstream.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from trimtab.demo.load import POPULAR_PAGES, RATES
from trimtab.demo.parts.items import DOWNSTREAM_SECONDS
from trimtab.demo.parts.orders import START_ROWS
from trimtab.domain.errors import TrimtabError

NAMES = ("index", "cache", "batch", "workers")
DRAWN, ALL, NONE = "drawn", "all", "none"
HOW_MANY = ((1, 1), (2, 3), (3, 3), (4, 1))  # faults, and how often as many are drawn
FIRST_AFTER = (17.0, 21.0)  # seconds after the agent's start: by then it knows what is usual
REST = (3.0, 6.0)  # seconds between the cure of one fault and the next
PUSH = 1.4  # a machine that shrugs a fault off gets it so much larger


class BadChoice(TrimtabError):
    """The faults asked for are not what the demo has."""


@dataclass(frozen=True, slots=True)
class World:
    """A change of the world: what is told to the service or its clients, and in words what happens."""

    words: str
    service: Mapping[str, float]
    clients: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `after` is seconds since the agent's start (the first) or the end of the one before it."""

    name: str  # one of NAMES
    element: str  # the part that it hits
    cure: str  # the lever or job that helps: for the demo's own reckoning
    after: float
    world: World
    worse: World  # the same, larger


def draw(seed: int, wanted: str = DRAWN) -> tuple[Fault, ...]:
    """The faults of a seed in the order in which they set in. `wanted`: drawn, all, none, or names with commas between them.

    The order and the sizes are always the seed's. Raises `BadChoice` for a name that is not in `NAMES`.

    >>> [fault.name for fault in draw(7, "cache,index")] == [fault.name for fault in draw(7, "index,cache")]
    True
    >>> draw(7, "none")
    ()
    """
    rng = random.Random(f"trimtab demo {seed}")
    order = rng.sample(NAMES, len(NAMES))
    counts, weights = zip(*HOW_MANY, strict=True)
    count = rng.choices(counts, weights)[0]
    sizes = {name: rng.random() for name in NAMES}  # all are drawn, so that the choice of faults does not change them
    kind = rng.random()
    chosen = order[:count] if wanted == DRAWN else [name for name in order if name in _named(wanted)]
    waits = [rng.uniform(*FIRST_AFTER), *(rng.uniform(*REST) for _ in NAMES)]
    return tuple(_fault(name, sizes[name], kind, wait) for name, wait in zip(chosen, waits, strict=False))


def _named(wanted: str) -> Collection[str]:
    if wanted in (ALL, NONE):
        return NAMES if wanted == ALL else ()
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in names:
        if name not in NAMES:
            choices = f"{', '.join(NAMES)} (several with commas), {DRAWN}, {ALL} or {NONE}"
            raise BadChoice(f"there is no fault {name!r}", remedy=f"Choose {choices}.")
    if not names:
        raise BadChoice("no fault is named", remedy=f"Name one of {', '.join(NAMES)}, or {NONE}.")
    return names


def _fault(name: str, size: float, kind: float, wait: float) -> Fault:
    make, cure = _KINDS[name]
    world, worse = (make(size, push, kind) for push in (1.0, PUSH))
    return Fault(name, cure.split("/")[0], cure, wait, world, worse)


def _index(size: float, push: float, kind: float) -> World:
    rows = round((300_000 + 120_000 * size) * push, -3)
    return World(f"an import adds {rows:,.0f} orders to the {START_ROWS:,} in the database", {"import_orders": rows}, {})


def _cache(size: float, push: float, kind: float) -> World:
    pages = round((180 + 120 * size) * push)
    return World(f"people look at {pages} pages instead of {POPULAR_PAGES}", {}, {"popular_pages": pages})


def _batch(size: float, push: float, kind: float) -> World:
    rate = round((88 + 27 * size) * push)
    return World(f"/score is asked {rate} times a second instead of {RATES['scoring']:.0f}", {}, {"scoring": rate})


def _workers(size: float, push: float, kind: float) -> World:
    if kind < 0.5:
        rate = round((140 + 35 * size) * push)
        return World(f"/item is asked {rate} times a second instead of {RATES['items']:.0f}", {}, {"items": rate})
    seconds = round((0.050 + 0.010 * size) * push, 3)
    was = f"{DOWNSTREAM_SECONDS * 1000:.0f} ms"
    return World(f"the service behind /item takes {seconds * 1000:.0f} ms instead of {was}", {"downstream_seconds": seconds}, {})


_KINDS: Mapping[str, tuple[Callable[[float, float, float], World], str]] = {
    "index": (_index, "orders/index_orders_customer"),
    "cache": (_cache, "pages/cache_pages"),
    "batch": (_batch, "scoring/batch_size"),
    "workers": (_workers, "items/workers"),
}
