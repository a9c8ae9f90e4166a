"""What the demo reads off the service's metrics page by itself, without the agent: the measure of before and after."""

from __future__ import annotations

import bisect
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean, variance

from trimtab.demo.setup import PARTS, Part
from trimtab.domain.direction import Direction
from trimtab.systems.prometheus.derive import Derivation, derive
from trimtab.systems.prometheus.exposition import Scrape, parse

PERIOD_SECONDS = 0.5  # the agent is quick: a fault may stand for five seconds only before the first change
BLOCK_SECONDS = 0.5  # of counters as one value
DRAWN_EVERY = 2  # scrapes: whoever looks on wants one value a second
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Measured:
    """A relative effect with its interval, positive = better; None where the values carry no interval."""

    effect: float
    low: float | None
    high: float | None

    @property
    def better(self) -> bool:
        """Whether the interval lies above zero."""
        return self.low is not None and self.low > 0.0


def compare(before: Sequence[float], after: Sequence[float], direction: Direction) -> Measured | None:
    """How `after` stands to `before`, both positive: the ratio of their geometric means, by Welch's t interval on logarithms.

    It takes the two for what they are, and knows nothing of what would have come anyway: the demo knows that, since it made the
    fault. None without a value on either side.

    >>> compare([1.0, 1.1, 0.9], [0.5, 0.52, 0.48], Direction.MINIMIZE).better
    True
    """
    x, y = ([math.log(max(value, 1e-9)) for value in values] for values in (before, after))
    if not x or not y:
        return None
    gain = direction.sign * (fmean(y) - fmean(x))
    half = _half_width(x, y)
    low, high = (None, None) if half is None else (_relative(gain - half, direction), _relative(gain + half, direction))
    return Measured(_relative(gain, direction), low, high)


def _relative(gain: float, direction: Direction) -> float:
    """A gain in logarithms as a share: halving what is to be small is 50 % better, doubling what is to be large 100 %."""
    return math.expm1(gain) if direction is Direction.MAXIMIZE else -math.expm1(-gain)


def _half_width(x: Sequence[float], y: Sequence[float]) -> float | None:
    if min(len(x), len(y)) < 3:
        return None
    a, b = variance(x) / len(x), variance(y) / len(y)
    if a + b == 0.0:
        return 0.0
    freedom = (a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (len(y) - 1))
    return _student(freedom) * math.sqrt(a + b)


def _student(freedom: float) -> float:
    """The two-sided quantile of Student's t, by its expansion around the normal (Abramowitz and Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2.0)
    terms = ((z**3 + z) / 4.0, (5 * z**5 + 16 * z**3 + 3 * z) / 96.0, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384.0)
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))


class Counters:
    """Every scrape since the start. `close` ends the reading."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/metrics"
        self._scrapes: list[Scrape] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read no more."""
        self._over.set()
        self._thread.join(timeout=2.0)

    def value(self, what: Derivation, start: float, end: float) -> float | None:
        """A derived series over one stretch of time (Unix seconds) as a whole; None where it was not read, or did not move."""
        scrapes = self._between(start, end)
        return derive(what, scrapes[0], scrapes[-1]) if len(scrapes) > 1 else None

    def values(self, what: Derivation, start: float, end: float, block: float = BLOCK_SECONDS) -> list[float]:
        """The same for each stretch of `block` seconds within."""
        edges = [start + n * block for n in range(int((end - start) / block + 1e-6) + 1)]
        found = [self.value(what, a - 0.5 * PERIOD_SECONDS, b + 0.5 * PERIOD_SECONDS) for a, b in pairwise(edges)]
        return [value for value in found if value is not None]

    def lately(self, part: Part, seconds: float) -> float | None:
        """A part's goal metric over the last seconds."""
        now = time.time()
        return self.value(part.goal, now - seconds - 0.5 * PERIOD_SECONDS, now)

    def trace(self, part: Part, count: int) -> list[float]:
        """A part's goal metric second by second, the newest last."""
        scrapes = self._scrapes[-1 - count * DRAWN_EVERY :: DRAWN_EVERY]
        found = (derive(part.goal, a, b) for a, b in pairwise(scrapes))
        return [value for value in found if value is not None]

    def meets(self, part: Part, seconds: float) -> bool:
        """Whether a part met its goal over the last seconds."""
        value = self.lately(part, seconds)
        return value is not None and part.met_by(value)

    def _between(self, start: float, end: float) -> list[Scrape]:
        times = [scrape.at for scrape in self._scrapes]
        return self._scrapes[bisect.bisect_left(times, start) : bisect.bisect_right(times, end)]

    def _follow(self) -> None:
        import httpx

        names = {name for part in PARTS for name in (f"{part}_seconds_bucket", f"{part}_requests_total", f"{part}_errors_total")}
        with httpx.Client(timeout=5.0, trust_env=False) as client:
            due = time.monotonic()
            while not self._over.wait(max(0.0, due - time.monotonic())):
                due = max(due + PERIOD_SECONDS, time.monotonic())
                try:
                    text = client.get(self._url).text
                    self._scrapes.append(parse(text, time.time(), only=names | {"pages_hits_total"}, gauges=False))
                except (httpx.HTTPError, ValueError):
                    continue  # not read: nothing is made of it
