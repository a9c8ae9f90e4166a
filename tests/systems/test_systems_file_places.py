"""Values put into texts of every format: read back as themselves, and everything else unchanged byte for byte."""

from __future__ import annotations

import configparser
import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from trimtab.domain.errors import Permanent
from trimtab.domain.levers import LeverValue
from trimtab.systems.file.lines import DIALECTS, find_line
from trimtab.systems.file.places import Find, changed, find_json, find_text
from trimtab.systems.file.yaml_places import find_yaml
from trimtab.systems.paths import parse_path


def line(form: str, key: str, section: str | None = None) -> Find:
    return partial(find_line, dialect=DIALECTS[form], key=key, section=section)


def in_json(key: str) -> Find:
    return partial(find_json, steps=parse_path(key))


def in_yaml(key: str) -> Find:
    return partial(find_yaml, steps=parse_path(key))


CASES = [
    ("text", find_text, "8\n", "8", 4, "4\n"),
    ("text without an end", find_text, "8", "8", 4, "4"),
    ("text with space around", find_text, "\r\n  on \r\n", "on", False, "\r\n  off \r\n"),
    (
        "env",
        line("env", "SIZE"),
        "# SIZE=1\nexport SIZE=8 # more\r\nOTHER=2",
        "8",
        4,
        "# SIZE=1\nexport SIZE=4 # more\r\nOTHER=2",
    ),
    ("env quoted", line("env", "SIZE"), "A_SIZE=1\nSIZE='8'\n", "8", 16, "A_SIZE=1\nSIZE='16'\n"),
    ("env in double quotes", line("env", "M"), 'M="a b" # c', "a b", "c d", 'M="c d" # c'),
    ("env empty", line("env", "M"), "M=\nN=1\n", "", "x", "M=x\nN=1\n"),
    ("env hash in a word", line("env", "M"), "M=a#b\n", "a#b", "c", "M=c\n"),
    (
        "env inside of another's quotes",
        line("env", "M"),
        'K="-----\nM=no\n-----"\nM=1\n',
        "1",
        2,
        'K="-----\nM=no\n-----"\nM=2\n',
    ),
    ("ini", line("ini", "size", "pool"), "size=1\n[pool]\n; size=2\nsize : 8 ; c\n[x]\nsize=3", "8", 4, None),
    ("ini before sections", line("ini", "size"), "size = 1\n[pool]\nsize=8\n", "1", 4, "size = 4\n[pool]\nsize=8\n"),
    (
        "ini with spaces",
        line("ini", "my key", "a b"),
        "[ a b ]\nmy key = on demand  \n",
        "on demand",
        "per hour",
        "[ a b ]\nmy key = per hour  \n",
    ),
    ("properties", line("properties", "pool.size"), "pool.size 8\n", "8", 4, "pool.size 4\n"),
    (
        "properties colon",
        line("properties", "a"),
        "! a=1\n a : x # no comment \nb=1",
        "x # no comment",
        "y",
        "! a=1\n a : y \nb=1",
    ),
    ("properties continued before", line("properties", "a"), "z=1,\\\n  a=2\na=3\n", "3", 4, "z=1,\\\n  a=2\na=4\n"),
    ("byte order mark", line("env", "A"), "\ufeffA=1\n", "1", 2, "\ufeffA=2\n"),
    ("json", in_json("a.b[1]"), '{ "a" : {"b":[1 , 2,3]} }\n', 2, 5, '{ "a" : {"b":[1 , 5,3]} }\n'),
    ("json from the end", in_json("[-1]"), "[1,2]", 2, 5, "[1,5]"),
    ("json text", in_json('["a.b"]'), '{"a.b":"8","é":"\\u00e9"}', "8", 5, '{"a.b":"5","é":"\\u00e9"}'),
    ("json twice: the last counts", in_json("a"), '{"a":1,"a":2}', 2, 5, '{"a":1,"a":5}'),
    ("json whole", in_json("a"), '{"a":8}', 8, 4.0, '{"a":4}'),
    ("json boolean", in_json("a"), '{"a":true}', True, False, '{"a":false}'),
    ("json null", in_json("a"), '{"a":null}', None, 5, '{"a":5}'),
    (
        "json quotes",
        in_json("a"),
        '\ufeff{"x":"{}[]\\"a\\":1","a":"b"}',
        "b",
        'c"\n',
        '\ufeff{"x":"{}[]\\"a\\":1","a":"c\\"\\n"}',
    ),
    ("yaml", in_yaml("a.b"), "# é\na:\n  - x\n", None, 5, None),
    ("yaml plain", in_yaml("a[0].b"), "# é\r\na:\r\n-   b:   8   # more\r\n", 8, 4, "# é\r\na:\r\n-   b:   4   # more\r\n"),
    ("yaml flow", in_yaml("a.b"), "{a: {b: 1, c: 2}}", 1, 5, "{a: {b: 5, c: 2}}"),
    ("yaml single quotes", in_yaml("a"), "a: 'on'\n", "on", "it's", "a: 'it''s'\n"),
    ("yaml double quotes", in_yaml("a"), 'a: "8"\n', "8", 4, 'a: "4"\n'),
    ("yaml word that needs quotes", in_yaml("a"), "a: fast\n", "fast", "5 # x", 'a: "5 # x"\n'),
    ("yaml word that looks like a boolean", in_yaml("a"), "a: fast\n", "fast", "true", 'a: "true"\n'),
    ("yaml float", in_yaml("a"), "a: 0.5\n", 0.5, 1e-7, "a: 1.0e-07\n"),
    ("yaml on", in_yaml("a"), "a: On\n", "On", False, "a: Off\n"),
    ("yaml byte order mark", in_yaml("a"), "\ufeffa: 1\n", 1, 2, "\ufeffa: 2\n"),
    ("yaml other anchors", in_yaml("b"), "a: &x 1\nc: *x\nb: 8\n", 8, 4, "a: &x 1\nc: *x\nb: 4\n"),
]


@pytest.mark.parametrize(
    ("find", "text", "found", "value", "after"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_value_is_found_and_replaced_in_place(
    find: Find, text: str, found: object, value: LeverValue, after: str | None
) -> None:
    if found is None and after is None:
        with pytest.raises(Permanent):
            find(text)
        return
    place = find(text)
    assert place.found == found and type(place.found) is type(found)
    new = changed(text, find, value)
    assert after is None or new == after
    assert new[: place.start] == text[: place.start] and new.endswith(text[place.end :])


@pytest.mark.parametrize(
    ("find", "text", "words"),
    [
        pytest.param(line("env", "SIZE"), "SIZ=8\n", "Did you mean SIZ?", id="env key"),
        pytest.param(line("env", "SIZE"), "SIZE=1\nX=1\nSIZE=2\n", "lines 1 and 3", id="twice"),
        pytest.param(line("env", "A"), "A=1\\\n2\n", "goes on in the next line", id="continued"),
        pytest.param(line("env", "A"), 'A="x\ny"\n', "quotes do not close", id="quote over lines"),
        pytest.param(line("env", "A"), "A='x'y\n", "quotes do not close", id="quotes and more"),
        pytest.param(line("ini", "size", "pol"), "[pool]\nsize=1\n", "Did you mean pool?", id="ini section"),
        pytest.param(line("ini", "size"), "[pool]\nsize=1\n", "give section: pool", id="ini section not given"),
        pytest.param(line("ini", "size", "pool"), "size=1\n[pool]\nx=1\n", "give no section:", id="ini section too much"),
        pytest.param(in_json("a.c"), '{"a":{"b":1}}', "There is: b", id="json key"),
        pytest.param(in_json("a"), '{"a":{"b":1}}', "not one value", id="json object"),
        pytest.param(in_json("a[2]"), '{"a":[1,2]}', "no key 2", id="json index"),
        pytest.param(in_json("a.b"), '{"a":1}', "There is: nothing", id="json too far"),
        pytest.param(in_json("a"), "{'a':1}", "is no JSON", id="no json"),
        pytest.param(in_json("a"), "", "is no JSON", id="empty json"),
        pytest.param(in_json("a"), "[" * 100_000, "is no JSON", id="deep json"),
        pytest.param(in_yaml("a.workrs"), "a: {workers: 1}", "Did you mean workers?", id="yaml key"),
        pytest.param(in_yaml("a"), "a: 1\nb: 2\na: 3\n", "twice", id="yaml twice"),
        pytest.param(in_yaml("b"), "a: &x 1\nb: *x\n", "alias", id="yaml alias"),
        pytest.param(in_yaml("b.c"), "a: &x {c: 1}\nb: *x\n", "alias", id="yaml alias above"),
        pytest.param(in_yaml("a"), "a: &x 1\n", "anchor", id="yaml anchor"),
        pytest.param(in_yaml("a"), "a: |\n  x\n", "single word", id="yaml block"),
        pytest.param(in_yaml("a"), "a: 2020-01-01\n", "single word", id="yaml date"),
        pytest.param(in_yaml("a"), "a: [1]\n", "not one value", id="yaml list"),
        pytest.param(in_yaml("b"), "<<: {b: 1}\na: 1\n", "no key 'b'", id="yaml merged"),
        pytest.param(in_yaml("a"), "a: [1\n", "is no YAML", id="no yaml"),
        pytest.param(in_yaml("a"), "a: 1\n---\na: 2\n", "is no YAML", id="two documents"),
        pytest.param(in_yaml("a"), "", "empty", id="empty yaml"),
    ],
)
def test_what_is_no_place_is_refused_with_the_reason(find: Find, text: str, words: str) -> None:
    with pytest.raises(Permanent) as caught:
        find(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("find", "text", "value"),
    [
        pytest.param(line("env", "A"), "A=1\n", "x # y", id="comment"),
        pytest.param(line("env", "A"), "A=1\n", "x\nB=2", id="line end"),
        pytest.param(line("env", "A"), "A=1\n", " x", id="space"),
        pytest.param(line("env", "A"), "A='1'\n", "it's", id="quote"),
        pytest.param(line("ini", "a"), "a = 1\n", '"x"', id="quotes"),
        pytest.param(line("ini", "a"), "a = 1\n", "", id="nothing after a space"),
        pytest.param(in_yaml("a"), "a:\n", 5, id="yaml null"),
        pytest.param(find_text, "1\n", "x\ny", id="text of two lines"),
        pytest.param(find_text, "1\n", " x", id="text with space"),
    ],
)
def test_what_would_not_read_back_is_never_written(find: Find, text: str, value: LeverValue) -> None:
    try:
        new = changed(text, find, value)
    except Permanent:
        return
    assert find(new).found == value, "written, so it must read back"
    assert value == ""


NUMBERS = st.one_of(st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False))
KEY = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
END = st.sampled_from(["\n", "\r\n"])
OTHER = st.text(st.characters(exclude_characters="\r\n\\'\"", exclude_categories=["Cs"]), max_size=12)


@given(
    KEY,
    st.lists(OTHER, max_size=5),
    st.lists(OTHER, max_size=5),
    END,
    st.booleans(),
    NUMBERS,
    NUMBERS,
    st.sampled_from(list(DIALECTS)),
)
def test_in_files_of_lines_set_then_read_is_the_value_and_all_else_stays(
    key: str, before: list[str], after: list[str], end: str, closed: bool, old: float, new: float, form: str
) -> None:
    others = [other for other in (*before, *after) if key not in other and not other.lstrip().startswith("[")]
    head, tail = others[: len(before)], others[len(before) :]
    start = "".join(other + end for other in head) + f"{key}="
    rest = "".join(end + other for other in tail) + end * closed
    find = line(form, key)
    text = changed(f"{start}{old!r}{rest}", find, new)
    assert text.startswith(start) and text.endswith(rest)
    assert float(str(find(text).found)) == new


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)),
    lambda inside: st.one_of(st.lists(inside, max_size=3), st.dictionaries(st.text(max_size=4), inside, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), NUMBERS, st.sampled_from([None, 0, 3]), st.booleans())
def test_in_json_set_then_read_is_the_value_and_all_else_stays(
    document: dict[str, object], new: float, indent: int | None, escaped: bool
) -> None:
    document = document | {"pool": [document, {"size": 8}], "end": document}
    text = json.dumps(document, indent=indent, ensure_ascii=escaped)
    find = partial(find_json, steps=("pool", -1, "size"))
    place, after = find(text), changed(text, find, new)
    assert (after[: place.start], after[len(after) - len(text) + place.end :]) == (text[: place.start], text[place.end :])
    expected = json.loads(text)
    expected["pool"][-1]["size"] = new
    assert json.loads(after) == expected


WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)


@given(WORD, st.sampled_from(["small", "'small'", '"small"']))
def test_in_yaml_any_word_is_written_so_that_it_reads_back_and_comments_stay(word: str, written: str) -> None:
    head, tail = "# why\npool:\n    mode:   ", "   # not too large\n    other: [1,   2]\n"
    after = changed(head + written + tail, in_yaml("pool.mode"), word)
    assert after.startswith(head) and after.endswith(tail)
    assert YAML(typ="safe", pure=True).load(after) == {"pool": {"mode": word, "other": [1, 2]}}


@given(st.text(st.characters(codec="ascii", exclude_characters="%\r\n\\\"'", min_codepoint=32), min_size=1, max_size=10))
def test_an_ini_value_is_what_configparser_reads(word: str) -> None:
    text = "[pool]\nmode = small ; why\n[other]\nmode = x\n"
    try:
        after = changed(text, line("ini", "mode", "pool"), word)
    except Permanent:
        return
    parser = configparser.ConfigParser(inline_comment_prefixes=("#", ";"))
    parser.read_string(after)
    assert parser["pool"]["mode"] == word and parser["other"]["mode"] == "x"
