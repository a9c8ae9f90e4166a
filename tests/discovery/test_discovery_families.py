"""What a metrics page is taken to offer: tables of pages as services of several kinds write them."""

from __future__ import annotations

import pytest

from trimtab.discovery.families import offer
from trimtab.systems.prometheus.exposition import parse

HISTOGRAM = """\
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{{le="0.1"}} {fast}
http_request_duration_seconds_bucket{{le="1"}} {all}
http_request_duration_seconds_bucket{{le="+Inf"}} {all}
http_request_duration_seconds_sum 1
http_request_duration_seconds_count {all}
"""
COUNTERS = """\
# TYPE http_requests_total counter
http_requests_total {n}
# TYPE http_errors_total counter
http_errors_total {bad}
# TYPE cache_errors_total counter
cache_errors_total 0
"""
OWN = """\
# TYPE python_gc_objects_collected_total counter
python_gc_objects_collected_total 5
# TYPE promhttp_metric_handler_requests_total counter
promhttp_metric_handler_requests_total 9
# TYPE process_open_fds gauge
process_open_fds 7
# TYPE go_gc_duration_seconds histogram
go_gc_duration_seconds_bucket{le="+Inf"} 9
"""


def two(before: str, after: str):
    return offer("shop", parse(before, 0.0), parse(after, 2.0))


def by_role(found):
    return {each.role: each for each in found.suggestions}


def test_a_page_with_everything_offers_p95_rate_and_error_ratio_with_their_present_values():
    first = HISTOGRAM.format(fast=0, all=0) + COUNTERS.format(n=100, bad=10) + OWN
    then = HISTOGRAM.format(fast=100, all=100) + COUNTERS.format(n=300, bad=20) + OWN
    found = by_role(two(first, then))
    assert found["p95"].made.of == "http_request_duration_seconds"
    assert found["p95"].made.name == "shop_p95_seconds" and found["p95"].now == pytest.approx(0.095)
    assert found["rate"].made.rate == "http_requests_total" and found["rate"].now == 100.0
    assert found["errors"].made.ratio == ("http_errors_total", "http_requests_total") and found["errors"].now == 0.05
    assert not any(each.since_start for each in found.values())


def test_without_traffic_the_past_speaks_and_says_so():
    page = HISTOGRAM.format(fast=100, all=100) + COUNTERS.format(n=300, bad=3)
    found = by_role(two(page, page))
    assert found["p95"].since_start and found["p95"].now == pytest.approx(0.095)
    assert found["errors"].since_start and found["errors"].now == pytest.approx(0.01)
    assert found["rate"].now == 0.0, "nothing came, and that is a fact"


def test_a_service_that_was_never_asked_has_no_values():
    page = HISTOGRAM.format(fast=0, all=0) + COUNTERS.format(n=0, bad=0)
    found = by_role(two(page, page))
    assert (found["p95"].now, found["errors"].now) == (None, None)


def test_what_a_runtime_says_of_itself_is_no_service():
    assert two(OWN, OWN).suggestions == () and two(OWN, OWN).gauges == ()


@pytest.mark.parametrize(
    ("page", "rate", "errors", "labelled"),
    [
        ("jobs_total 3\njobs_failed_total 1\n", "jobs_total", ("jobs_failed_total", "jobs_total"), ""),
        (
            'http_requests_total{code="200"} 3\nhttp_requests_total{code="500"} 1\n',
            "http_requests_total",
            None,
            "http_requests_total",
        ),
        ("grpc_requests_total 3\ncache_hits_total 9\n", "grpc_requests_total", None, ""),
        (HISTOGRAM.format(fast=1, all=1), "http_request_duration_seconds_count", None, ""),
        ("errors_total 3\n", None, None, ""),
    ],
    ids=["jobs", "errors are a label", "of two the one about requests", "only a histogram", "errors of nothing"],
)
def test_counters_are_told_by_their_names(page, rate, errors, labelled):
    found = two(page, page)
    roles = by_role(found)
    assert (roles["rate"].made.rate if "rate" in roles else None) == rate
    assert (roles["errors"].made.ratio if "errors" in roles else None) == errors
    assert found.labelled == labelled


@pytest.mark.parametrize(
    ("histogram", "name"),
    [("request_latency_ms", "shop_p95_ms"), ("rpc_duration_milliseconds", "shop_p95_milliseconds"), ("query_time", "shop_p95")],
)
def test_the_unit_of_a_histogram_goes_into_the_name(histogram, name):
    page = f'# TYPE {histogram} histogram\n{histogram}_bucket{{le="1"}} 1\n{histogram}_bucket{{le="+Inf"}} 1\n'
    assert by_role(two(page, page))["p95"].made.name == name


def test_a_histogram_of_sizes_is_no_time():
    page = '# TYPE http_request_size_bytes histogram\nhttp_request_size_bytes_bucket{le="+Inf"} 1\n'
    assert two(page, page).suggestions == ()


def test_gauges_that_are_one_number_are_offered():
    page = '# TYPE queue_length gauge\nqueue_length 4\n# TYPE by_shard gauge\nby_shard{s="1"} 1\nby_shard{s="2"} NaN\n'
    assert two(page, page).gauges == (("queue_length", 4.0),)
