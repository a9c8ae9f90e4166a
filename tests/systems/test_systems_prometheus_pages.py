"""A page read with memory is the page read without: generated, damaged, and one after the other."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.systems.prometheus.exposition import Scrape, parse
from trimtab.systems.prometheus.pages import PageReader

NAMES = ("hits", "hits_total", "queue", "wait", "wait_bucket", "wait_sum", "size_count", "_total", "a:b")
LABELS = ("", "{}", '{a="1"}', '{a="2",}', '{ a = "x y" , b="q\\"}" }', '{a="back\\\\",b="new\\nline"}', '{a="ünï"}',
          '{le="+Inf"}', "{a=1}", '{a="1"', '{a="1"}}', '{"dotted.name",a="1"}', '{a="1",a="2"}', '{__name__="other"}',
          '{__x="1"}', '{a="} 3"}', '{a="1"b="2"}', "{,}")  # fmt: skip
VALUES = (
    "1",
    "0",
    "-2.5e3",
    "NaN",
    "+Inf",
    "1 1700000000000",
    "1 2 3",
    " 7",
    "7 ",
    "ten",
    "1_0",
    "",
    "3 # {} 5",
    "\t4",
    "9" * 50,
)
KINDS = ("counter", "gauge", "histogram", "summary", "untyped", "unknown", "info", "nonsense", "gauge extra")

sample = st.builds("{}{}{}{}".format, st.sampled_from(NAMES), st.sampled_from(LABELS), st.sampled_from((" ", "\t", "")),
                   st.sampled_from(VALUES))  # fmt: skip
plain = st.builds("{}{} {}".format, st.sampled_from(NAMES), st.sampled_from(LABELS[:8]), st.sampled_from(VALUES[:6]))
declaration = st.builds("# TYPE {} {}".format, st.sampled_from(NAMES), st.sampled_from(KINDS[:5]))
odd = st.one_of(
    st.builds("# TYPE {} {}".format, st.sampled_from((*NAMES, '"quoted.name"', "")), st.sampled_from(KINDS)),
    st.sampled_from(
        ("# HELP hits Requests", "#", "# EOF", "", "  ", "\r", "# TYPE hits", "#TYPE hits gauge", "<b> 2", "{", "9lives 3")
    ),
    sample,
    st.text(max_size=12),
)
usual_pages = st.lists(st.one_of(plain, plain, declaration), max_size=14)
any_pages = st.lists(st.one_of(plain, plain, declaration, odd), max_size=10)
asked = st.one_of(st.none(), st.sets(st.sampled_from(NAMES)))


def outcome(read: object) -> object:
    """What a reading comes to, NaN made comparable."""
    try:
        found = read()  # type: ignore[operator]
    except (ValueError, IndexError, KeyError, OverflowError):
        return "refused"
    assert isinstance(found, Scrape)
    samples = {name: {labels: repr(value) for labels, value in family.items()} for name, family in found.samples.items()}
    return samples, found.gauges


@settings(max_examples=600, deadline=None)
@given(st.lists(st.one_of(usual_pages, any_pages), min_size=1, max_size=4), asked, st.booleans())
def test_with_memory_and_without_a_page_reads_the_same(pages: list[list[str]], only: set[str] | None, gauges: bool) -> None:
    reader = PageReader(only, gauges=gauges)
    for lines in pages:
        text = "\n".join(lines)
        expected = outcome(lambda text=text: parse(text, 1.0, only, gauges=gauges))
        assert outcome(lambda text=text: reader.read_all(text, 1.0)) == expected


@settings(max_examples=300, deadline=None)
@given(any_pages, any_pages, asked)
def test_what_is_read_at_once_is_right_whatever_was_remembered(
    first: list[str], second: list[str], only: set[str] | None
) -> None:
    reader = PageReader(only)
    outcome(lambda: reader.read_all("\n".join(first), 0.0))
    text = "\n".join(second)
    try:
        found = reader.read(text, 1.0, new_lines=3)
    except ValueError:
        assert outcome(lambda: parse(text, 1.0, only)) == "refused"
        return
    if found is not None:
        assert outcome(lambda: found) == outcome(lambda: parse(text, 1.0, only))


PAGE = "\n".join(["# TYPE queue gauge", *(f'queue{{pool="p{i}"}} {i}' for i in range(50))])


ESCAPED = 'queue{pool="quote\\"d"} 3'


def test_a_page_of_new_lines_is_not_read_at_once_and_a_known_one_is() -> None:
    reader = PageReader(None)
    assert reader.read(PAGE, 0.0, new_lines=10) is None
    assert reader.read_all(PAGE, 0.0).find("queue") is not None
    again = reader.read(PAGE.replace("} 7", "} 7.5"), 1.0, new_lines=0)
    assert again is not None
    assert (again.find("queue") or {})[frozenset({("pool", "p7")})] == 7.5


def test_known_lines_go_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = PageReader(None)
    reader.read_all(ESCAPED, 0.0)
    monkeypatch.setattr("prometheus_client.parser.text_fd_to_metric_families", lambda _: pytest.fail("parsed again"))
    assert reader.read_all(ESCAPED, 1.0).at == 1.0
    with pytest.raises(pytest.fail.Exception):
        PageReader(None).read_all(ESCAPED, 1.0)


def test_label_sets_that_come_and_go_do_not_pile_up() -> None:
    reader = PageReader(None)
    for turn in range(400):
        reader.read_all("\n".join(f'queue{{pod="{turn}-{i}"}} 1' for i in range(20)), float(turn))
        assert len(reader._known) < 1_100


@pytest.mark.parametrize("value", ["1", "-0.0", "1e400", "nan", "Infinity", "0.1"])
def test_values_are_the_librarys(value: str) -> None:
    reader = PageReader(None)
    reader.read_all("queue 3", 0.0)
    found = reader.read_all(f"queue {value}", 1.0).find("queue") or {}
    expected = parse(f"queue {value}", 1.0).find("queue") or {}
    assert [math.copysign(1.0, v) for v in found.values()] == [math.copysign(1.0, v) for v in expected.values()]
    assert repr(found) == repr(expected)
