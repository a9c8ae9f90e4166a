"""Bad data in short: generated cases against the whole agent, by the independent checker of benchmarks/bad_data.py."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import structlog

from trimtab.assembly.logs import silence

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
bad_data = importlib.import_module("bad_data")


@pytest.fixture(autouse=True)
def quiet():
    silence()
    yield
    structlog.reset_defaults()


def test_no_generated_case_of_bad_data_breaks_a_law():
    kinds, moments, broken, _ = bad_data.run(20, seed=3)
    assert broken == []
    assert len(kinds) >= 12 and len(moments) >= 4  # otherwise the laws were hardly tested


@pytest.mark.parametrize("name", bad_data.CREDULOUS)
def test_the_checker_catches_a_credulous_agent(name):
    made, fits = bad_data.CREDULOUS[name]
    cases = [case for number in range(400) if fits(case := bad_data.draw(number, 0))][:6]
    with made():
        assert any(bad_data.play(case, 0)[1] for case in cases)  # one is enough, and ends it
