"""Rates, ratios and quantiles between two scrapes: tables for resets, edges of buckets and silence, and laws."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.errors import UnitMismatch
from trimtab.systems.prometheus.derive import Derivation, derive, factor, histogram_quantile
from trimtab.systems.prometheus.exposition import parse

INF = float("inf")
NAN = float("nan")


def between(what: Derivation, before: str, after: str, seconds: float = 10.0) -> float | None:
    return derive(what, parse(before, 1000.0), parse(after, 1000.0 + seconds))


def same(found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return (math.isnan(found) and math.isnan(expected)) or found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("hits_total 10", "hits_total 40", 3.0, id="grows"),
        pytest.param("hits_total 10", "hits_total 10", 0.0, id="stands still"),
        pytest.param("hits_total 100", "hits_total 20", 2.0, id="reset: from zero to its new value"),
        pytest.param("hits_total 100", "hits_total 0", 0.0, id="reset to zero"),
        pytest.param("other 1", "hits_total 40", None, id="not known before"),
        pytest.param("hits_total 10", "other 1", None, id="gone"),
        pytest.param("# TYPE hits counter", 'hits_total{a="1"} 40', 4.0, id="declared before, first counted now"),
        pytest.param('hits_total{a="1"} 10', 'hits_total{a="1"} 20\nhits_total{a="2"} 30', 4.0, id="new label set from zero"),
        pytest.param(
            'hits_total{a="1"} 10\nhits_total{a="2"} 90', 'hits_total{a="1"} 20\nhits_total{a="2"} 10', 2.0, id="one resets"
        ),
        pytest.param("# TYPE hits counter\nhits 10", "# TYPE hits counter\nhits 40", 3.0, id="counter without _total"),
        pytest.param("hits_total 10", "hits_total NaN", NAN, id="NaN passes"),
        pytest.param("hits_total NaN", "hits_total 10", NAN, id="from NaN"),
        pytest.param("hits_total 10", "hits_total +Inf", INF, id="infinity passes"),
    ],
)
def test_rate(before: str, after: str, expected: float | None) -> None:
    assert same(between(Derivation("r", rate="hits_total"), before, after), expected)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param({}, 3.0, id="everything is summed"),
        pytest.param({"route": "/pay"}, 2.0, id="one route"),
        pytest.param({"route": "/pay", "code": "500"}, 1.0, id="two labels"),
        pytest.param({"route": "/misspelt"}, None, id="nothing matches: missing, not zero"),
        pytest.param({"misspelt": "x"}, None, id="no such label"),
    ],
)
def test_where(where: dict[str, str], expected: float | None) -> None:
    label_sets = ('route="/pay",code="200"', 'route="/pay",code="500"', 'route="/",code="200"')
    before, after = ("\n".join(f"hits_total{{{labels}}} {count}" for labels in label_sets) for count in (0, 10))
    assert same(between(Derivation("r", rate="hits_total", where=where), before, after), expected)


@pytest.mark.parametrize("seconds", [0.0, -30.0], ids=["no time has passed", "the clock went back"])
def test_without_time_there_is_no_rate(seconds: float) -> None:
    assert between(Derivation("r", rate="hits_total"), "hits_total 1", "hits_total 9", seconds) is None


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("e_total 0\nr_total 0", "e_total 5\nr_total 100", 0.05, id="a share"),
        pytest.param("e_total 5\nr_total 0", "e_total 5\nr_total 100", 0.0, id="no errors among requests is a real zero"),
        pytest.param("e_total 5\nr_total 100", "e_total 5\nr_total 100", None, id="both stand still: missing"),
        pytest.param("e_total 5\nr_total 100", "e_total 9\nr_total 100", None, id="the denominator stands still: missing"),
        pytest.param("r_total 0", "r_total 100", None, id="the numerator is unknown"),
        pytest.param("# TYPE e counter\nr_total 0", "# TYPE e counter\nr_total 100", 0.0, id="declared, never counted: zero"),
        pytest.param("e_total 0", "e_total 5", None, id="the denominator is unknown"),
        pytest.param("e_total 50\nr_total 1000", "e_total 1\nr_total 10", 0.1, id="both reset"),
        pytest.param("e_total 0\nr_total 0", "e_total NaN\nr_total 100", NAN, id="NaN passes"),
        pytest.param("e_total 0\nr_total NaN", "e_total 1\nr_total 100", NAN, id="NaN below passes"),
    ],
)
def test_ratio(before: str, after: str, expected: float | None) -> None:
    assert same(between(Derivation("q", ratio=("e_total", "r_total")), before, after), expected)


@pytest.mark.parametrize(
    ("q", "buckets", "expected"),
    [
        pytest.param(0.5, [(0.1, 0), (0.2, 10), (INF, 10)], 0.15, id="inside a bucket"),
        pytest.param(0.95, [(1.0, 100), (INF, 100)], 0.95, id="the first bucket starts at zero"),
        pytest.param(1.0, [(1.0, 5), (2.0, 10), (INF, 10)], 2.0, id="the maximum is a bound"),
        pytest.param(0.5, [(1.0, 5), (2.0, 10), (INF, 10)], 1.0, id="exactly on a bound"),
        pytest.param(0.99, [(1.0, 5), (2.0, 6), (INF, 10)], 2.0, id="in +Inf: the bound below"),
        pytest.param(0.5, [(1.0, 0), (INF, 10)], 1.0, id="all in +Inf"),
        pytest.param(0.5, [(-1.0, 10), (INF, 10)], -1.0, id="the lowest bound is negative"),
        pytest.param(0.5, [(0.0, 10), (INF, 10)], 0.0, id="the lowest bound is zero"),
        pytest.param(0.5, [(1.0, 5), (2.0, 10)], NAN, id="no +Inf bucket"),
        pytest.param(0.5, [(INF, 10)], NAN, id="only +Inf"),
        pytest.param(0.5, [(1.0, 0), (INF, 0)], None, id="nothing observed: missing"),
        pytest.param(0.5, [], None, id="no buckets"),
        pytest.param(0.5, [(1.0, 6), (2.0, 4), (INF, 8)], 2 / 3, id="a bucket below its neighbour is lifted"),
        pytest.param(0.5, [(1.0, 6), (INF, NAN)], NAN, id="NaN count"),
    ],
)
def test_histogram_quantile(q: float, buckets: list[tuple[float, float]], expected: float | None) -> None:
    assert same(histogram_quantile(q, buckets), expected)


def histogram(*counts: float, labels: str = "") -> str:
    bounds = ("0.1", "0.2", "+Inf")
    return "\n".join(f'lat_bucket{{{labels}le="{bound}"}} {count}' for bound, count in zip(bounds, counts, strict=True)) + "\n"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(histogram(0, 0, 0), histogram(0, 10, 10), 0.15, id="since the scrape before"),
        pytest.param(histogram(50, 50, 50), histogram(50, 60, 60), 0.15, id="the past does not count"),
        pytest.param(histogram(50, 60, 60), histogram(50, 60, 60), None, id="nothing new: missing, not zero"),
        pytest.param(histogram(2, 50, 50), histogram(4, 20, 20), 0.1375, id="a reset restarts every bucket, the grown ones too"),
        pytest.param("# TYPE lat histogram\n", histogram(0, 10, 10), 0.15, id="declared before"),
        pytest.param("other 1", histogram(0, 10, 10), None, id="not known before"),
        pytest.param(
            histogram(0, 0, 0, labels='r="a",') + histogram(9, 9, 9, labels='r="b",'),
            histogram(0, 5, 5, labels='r="a",') + histogram(9, 14, 14, labels='r="b",'),
            0.15,
            id="label sets are summed",
        ),
    ],
)
def test_quantile_of_a_histogram(before: str, after: str, expected: float | None) -> None:
    assert same(between(Derivation("p50", quantile=0.5, of="lat"), before, after), expected)


def test_where_selects_histograms() -> None:
    before = histogram(0, 0, 0, labels='r="a",') + histogram(0, 0, 0, labels='r="b",')
    after = histogram(10, 10, 10, labels='r="a",') + histogram(0, 10, 10, labels='r="b",')
    assert between(Derivation("p50", quantile=0.5, of="lat", where={"r": "b"}), before, after) == pytest.approx(0.15)
    assert between(Derivation("p50", quantile=0.5, of="lat", where={"r": "c"}), before, after) is None


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30), st.floats(1.0, 600.0))
def test_a_rate_is_never_negative_and_counts_every_increase(increments: list[int], seconds: float) -> None:
    """Whatever resets in between, growth seen by scrapes one after the other is what was counted since each reset."""
    value, grown = 0, 0.0
    for index, more in enumerate(increments):
        restarted = index % 5 == 4
        new = more if restarted else value + more
        rate = between(Derivation("r", rate="hits_total"), f"hits_total {value}", f"hits_total {new}", seconds)
        assert rate is not None and rate >= 0.0
        grown += rate * seconds
        value = new
    assert grown <= sum(increments) + 1e-6


@given(st.lists(st.integers(0, 50), min_size=2, max_size=8), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_quantiles_rise_with_q_and_stay_within_the_bounds(per_bucket: list[int], one: float, other: float) -> None:
    running = [sum(per_bucket[: index + 1]) for index in range(len(per_bucket))]
    bounds = [float(index + 1) for index in range(len(running) - 1)] + [INF]
    buckets = list(zip(bounds, map(float, running), strict=True))
    low, high = (histogram_quantile(q, buckets) for q in sorted((one, other)))
    if running[-1] == 0:
        assert low is None and high is None
    else:
        assert low is not None and high is not None
        assert 0.0 <= low <= high + 1e-12 <= bounds[-2] + 1e-9


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        pytest.param(Derivation("p50_ms", quantile=0.5, of="pay_seconds"), 500.0, id="seconds as _ms"),
        pytest.param(Derivation("p50_milliseconds", quantile=0.5, of="pay_seconds"), 500.0, id="seconds as _milliseconds"),
        pytest.param(Derivation("p50_seconds", quantile=0.5, of="pay_seconds"), 0.5, id="seconds as they are"),
        pytest.param(Derivation("p50_seconds", quantile=0.5, of="pay_ms"), 0.0005, id="milliseconds as _seconds"),
        pytest.param(Derivation("p50_megabytes", quantile=0.5, of="body_bytes"), 5e-7, id="bytes as _megabytes"),
        pytest.param(Derivation("p50", quantile=0.5, of="pay_seconds"), 0.5, id="a name without a unit promises nothing"),
        pytest.param(Derivation("p50_ms", quantile=0.5, of="pay_time"), 0.5, id="a source without a unit: the name's word"),
        pytest.param(Derivation("error_ratio", ratio=("errors_total", "hits_total")), 0.25, id="a ratio"),
        pytest.param(Derivation("error_percent", ratio=("errors_total", "hits_total")), 25.0, id="a ratio as _percent"),
        pytest.param(Derivation("mean_ms", ratio=("pay_seconds_sum", "pay_seconds_count")), 500.0, id="a mean in _ms"),
        pytest.param(Derivation("busy_percent", ratio=("busy_ms_total", "pay_seconds_sum")), 0.02, id="ms per second in percent"),
        pytest.param(Derivation("hits_per_second", rate="hits_total"), 0.4, id="a rate"),
        pytest.param(Derivation("cpu_percent", rate="cpu_seconds_total"), 20.0, id="seconds per second in percent"),
        pytest.param(Derivation("cpu_ratio", rate="busy_ms_total"), 1e-4, id="milliseconds per second as a ratio"),
        pytest.param(Derivation("sent_megabytes_per_second", rate="sent_bytes_total"), 3e-7, id="bytes as megabytes per second"),
        pytest.param(Derivation("pay_per_second", rate="pay_seconds_count"), 1.0, id="the count of a histogram is no time"),
    ],
)
def test_the_value_is_in_the_unit_that_the_name_carries(what: Derivation, expected: float) -> None:
    counts = {"errors_total": 1, "hits_total": 4, "cpu_seconds_total": 2, "busy_ms_total": 1, "sent_bytes_total": 3,
              "pay_seconds_sum": 5, "pay_seconds_count": 10}  # fmt: skip
    for histogram in ("pay_seconds", "pay_ms", "pay_time", "body_bytes"):
        counts |= {f'{histogram}_bucket{{le="1"}}': 10, f'{histogram}_bucket{{le="+Inf"}}': 10}
    before, after = ("\n".join(f"{name} {times * grown}" for name, grown in counts.items()) for times in (0, 1))
    assert between(what, before, after) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        pytest.param(
            Derivation("shop_p95_bytes", quantile=0.95, of="pay_seconds"),
            r"shop_p95_bytes would be in bytes, but the histogram pay_seconds is in seconds. Call it shop_p95_seconds",
            id="time is no size",
        ),
        pytest.param(
            Derivation("hits_ms", rate="hits_total"), "the rate of hits_total is per second. Call it hits_per_second", id="rate"
        ),
        pytest.param(Derivation("error_percent", rate="errors_total"), "Call it error_per_second", id="a rate is no percent"),
        pytest.param(
            Derivation("sent_seconds_per_second", rate="sent_bytes_total"), "Call it sent_bytes_per_second", id="bytes a second"
        ),
        pytest.param(
            Derivation("mean_percent", ratio=("pay_seconds_sum", "pay_seconds_count")),
            "pay_seconds_sum per pay_seconds_count is in seconds. Call it mean_seconds",
            id="a mean is no percent",
        ),
        pytest.param(
            Derivation("busy_ms", ratio=("busy_seconds_total", "wall_seconds_total")), "Call it busy_ratio", id="time per time"
        ),
    ],
)
def test_a_name_that_promises_another_dimension_is_refused(what: Derivation, words: str) -> None:
    with pytest.raises(UnitMismatch, match=words):
        factor(what)
