"""Reading the text format: what is declared, what is dropped before parsing, and text that is broken anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.systems.prometheus.exposition import parse

PAGE = """# HELP hits_total Requests.
# TYPE hits_total counter
hits_total{route="/a b",code="200"} 10
hits_total{route="quote\\"d}",code="500"} 1 1700000000000
# TYPE errors counter
# TYPE queue gauge
queue{pool="a"} 3
queue{pool="b"} NaN
# TYPE wait histogram
wait_bucket{le="0.1"} 1
wait_bucket{le="+Inf"} 2
wait_sum 0.3
wait_count 2
# TYPE size summary
size{quantile="0.5"} 4
size_sum 8
size_count 2
undeclared 7
undeclared_total 8
{"dotted.name",pool="a"} 9
"""
NAMES = (
    "hits_total",
    "errors_total",
    "queue",
    "wait_bucket",
    "size",
    "undeclared",
    "undeclared_total",
    "wait_count",
    "not_there",
)


def label_values(name: str, only: set[str] | None = None) -> dict[tuple[tuple[str, str], ...], float] | None:
    found = parse(PAGE, 0.0, only).find(name)
    return None if found is None else {tuple(sorted(labels)): value for labels, value in found.items()}


def test_labels_with_spaces_quotes_and_braces() -> None:
    assert label_values("hits_total") == {
        (("code", "200"), ("route", "/a b")): 10.0,
        (("code", "500"), ("route", 'quote"d}')): 1.0,
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("errors", {}, id="declared, not counted yet"),
        pytest.param("errors_total", {}, id="the same by its full name"),
        pytest.param("hits", 2, id="a counter without its _total"),
        pytest.param("not_there", None, id="unknown"),
    ],
)
def test_what_is_declared_and_what_is_unknown(name: str, expected: object) -> None:
    found = label_values(name)
    assert (len(found) if isinstance(expected, int) and found else found) == expected


def test_gauges_are_what_is_neither_counter_histogram_nor_summary() -> None:
    assert parse(PAGE, 0.0).gauges == {"queue", "undeclared", "dotted.name"}


@given(st.sets(st.sampled_from(NAMES)), st.booleans())
def test_what_was_asked_for_reads_as_if_all_had_been_parsed(only: set[str], gauges: bool) -> None:
    whole, part = parse(PAGE, 0.0), parse(PAGE, 0.0, only, gauges=gauges)
    wanted = only | (whole.gauges if gauges else set())
    for name in wanted:
        assert repr(part.find(name)) == repr(whole.find(name))
    if gauges:
        assert part.gauges == whole.gauges


@pytest.mark.parametrize("only", [None, {"hits_total"}], ids=["all", "some"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# a comment\n",
        "<html></html>",
        '{"json": 1}',
        "hits_total",
        "hits_total ten",
        'hits_total{a="1" 3',
        "9lives 3",
        "ok 1\n<b> 2",
    ],
)
def test_what_is_not_in_the_format(text: str, only: set[str] | None) -> None:
    with pytest.raises(ValueError):
        parse(text, 0.0, only)


@pytest.mark.parametrize(("only", "fits"), [(None, False), ({"x"}, True)], ids=["all of it", "none of it"])
def test_only_what_was_asked_for_counts_against_the_limit(only: set[str] | None, fits: bool) -> None:
    text = "# TYPE hits_total counter\n" + "\n".join(f'hits_total{{n="{index}"}} 1' for index in range(20_001))
    if fits:
        assert parse(text, 0.0, only).samples == {}
    else:
        with pytest.raises(ValueError, match="more than 20,000"):
            parse(text, 0.0, only)


@settings(max_examples=300)
@given(st.integers(0, len(PAGE)), st.integers(0, 40), st.text(max_size=10))
def test_a_page_damaged_anywhere_is_read_or_refused_never_worse(place: int, length: int, insert: str) -> None:
    damaged = PAGE[:place] + insert + PAGE[place + length :]
    try:
        scrape = parse(damaged, 0.0)
    except (ValueError, IndexError, KeyError):  # what the sensor turns into a SensorError
        return
    assert all(type(value) is float for family in scrape.samples.values() for value in family.values())
