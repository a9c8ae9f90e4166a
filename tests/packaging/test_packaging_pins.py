"""The pinned requirements fit pyproject.toml, name every hash, and tell of no index and no host."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FILES = ("runtime", "build", "dev")
PIN = re.compile(r"^([a-z0-9.-]+)==([^\s;]+)(?: ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def lines(name: str) -> list[str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return [line for line in text.splitlines() if not line.startswith("#")]


def pins(name: str) -> dict[str, str]:
    return {canonicalize_name(found[1]): found[2] for line in lines(name) if (found := PIN.match(line))}


@pytest.mark.parametrize("name", FILES)
def test_a_line_is_a_pin_or_a_hash_and_nothing_else(name: str) -> None:
    assert [line for line in lines(name) if not PIN.match(line) and not HASH.match(line)] == []


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_a_hash(name: str) -> None:
    found = lines(name)
    assert all(HASH.match(after) for line, after in pairwise(found) if PIN.match(line))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("runtime", PROJECT["project"]["dependencies"]),
        ("build", PROJECT["build-system"]["requires"]),
        ("dev", [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]),
    ],
    ids=FILES,
)
def test_what_pyproject_asks_for_is_pinned_as_it_asks(name: str, wanted: list[str]) -> None:
    pinned = pins(name)
    for text in wanted:
        requirement = Requirement(text)
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned: run `make constraints`"
        assert requirement.specifier.contains(version, prereleases=True)


def test_a_package_has_one_version_everywhere() -> None:
    dev = pins("dev")
    for name in ("runtime", "build"):
        assert pins(name).items() <= dev.items()
