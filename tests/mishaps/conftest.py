"""A target and a site for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mishaps.kit import Site, Target


@pytest.fixture
def target() -> Iterator[Target]:
    found = Target()
    found.start("stats")
    found.start("levers")
    yield found
    found.stop_all()


@pytest.fixture
def site(tmp_path: Path, target: Target) -> Site:
    made = Site(tmp_path, target)
    made.write()
    return made
