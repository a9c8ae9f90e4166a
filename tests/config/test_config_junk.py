"""Whatever is in the file or the environment, the only error is `ConfigError`, and its problems have places."""

import json
import re

from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from trimtab.config import Settings, load
from trimtab.config.environment import variables
from trimtab.domain.errors import ConfigError

NESTED = """name type levers sensors guards kind bounds depends_on metric_name min max step choices url path metrics
    cpu_usage warning critical element where on"""
SIGNS = "${env:A} $${ ${ *a - : { } [ ] , | > --- ... .nan .inf 1e999 0x 0o9 1_0 1:30 ~ # é"
WORDS = [*Settings.model_fields, *NESTED.split()]
SPACED = ("&a ", "!!int ", "!x ", "<<: ", "? ", ": ", "- ", '"', "'", "\n", "\n  ", "%YAML 1.1\n", "\t", "\\ud800", "\x07")
PIECES = [*SIGNS.split(), *SPACED]


def attempt(factory, content: bytes, environ=None):
    file = factory.getbasetemp() / "junk.yaml"
    file.write_bytes(content)
    try:
        load(file, environ=environ or {"A": "secret-value"})
    except ConfigError as error:
        problems = error.problems
    else:
        return
    assert problems
    for problem in problems:
        assert re.match(rf"({re.escape(str(file))}(:\d+:\d+)?|environment variable \S+): .+; .+", problem), problem
        assert "\n" not in problem


@profile(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes(tmp_path_factory, content):
    attempt(tmp_path_factory, content)


@profile(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*WORDS, *PIECES]) | st.text(max_size=4), max_size=25))
def test_pieces_of_yaml_in_any_order(tmp_path_factory, pieces):
    attempt(tmp_path_factory, "".join(pieces).encode("utf-8", "replace"))


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([*WORDS, "${env:A}"])
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5), max_leaves=20
)


@profile(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(WORDS), trees, max_size=6))
def test_known_words_in_the_wrong_places(tmp_path_factory, tree):
    attempt(tmp_path_factory, json.dumps(tree).encode())


@profile(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([name for name, _ in variables(Settings)] + ["TRIMTAB_", "TRIMTAB_X"]),
        st.text(st.characters(exclude_characters="\0"), max_size=8)
        | st.sampled_from(["1", "true", ".nan", "\udcff", "${env:A}"]),
        max_size=4,
    ),
    st.dictionaries(st.sampled_from(WORDS), trees, max_size=3),
)
def test_any_environment(tmp_path_factory, environ, tree):
    attempt(tmp_path_factory, json.dumps(tree).encode(), environ)
