"""The short form of `benchmarks/api_fuzz.py`: requests made from the OpenAPI document, answers checked against it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from api.conftest import serving
from api.fake_agent import FakeAgent, FakeTokens

_BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "api_fuzz.py"
_SPEC = importlib.util.spec_from_file_location("api_fuzz", _BENCHMARK)
assert _SPEC and _SPEC.loader
api_fuzz = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(api_fuzz)

# Few edges, or those of a twin, and generating is what takes the time: the random requests reach these too.
ONE = ["--include-path", "/agent/status"]
SKIPPED = ["--exclude-path-regex", "goals|plan|series|metrics|z$|resume|reject"]


@pytest.mark.parametrize(
    ("tokens", "phases", "options", "least"),
    [
        pytest.param(None, "examples,coverage", SKIPPED, 100, id="no tokens, every edge of every schema"),
        pytest.param(FakeTokens(), "fuzzing", [], 14, id="tokens, random requests"),
    ],
)
def test_nothing_is_off_the_document(tokens: FakeTokens | None, phases: str, options: list[str], least: int) -> None:
    agent = FakeAgent()
    token = "operator-token" if tokens else None
    with serving(agent, tokens) as server:
        code, report = api_fuzz.fuzz(server.url, token=token, examples=3, phases=phases, seed=1, limit=110, options=options)
    assert code == 0, report
    generated = re.search(r"(\d+) generated", report)
    assert generated and int(generated[1]) >= least, report
    assert len(agent.effects) == len(set(agent.effects)), "nothing was executed twice"


def test_the_fuzzer_would_notice() -> None:
    """An agent that fails inside must make the run fail: otherwise the test above could not."""
    broken = FakeAgent(fail_with=RuntimeError("on purpose"))
    with serving(broken, None) as server:
        code, report = api_fuzz.fuzz(server.url, token=None, examples=1, phases="fuzzing", seed=1, limit=110, options=ONE)
    assert code == 1, report
    assert "Server error" in report
