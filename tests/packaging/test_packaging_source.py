"""Rules for the source tree as a whole, which no single room can keep by itself."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "trimtab"
LONGEST = 400  # lines: what a reader takes in at one sitting
ROOMS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
SYSTEMS = sorted(path.parent for path in PACKAGE.glob("systems/*/__init__.py"))

# Whose machine a text was written on is nobody's business. Generic forms only.
PRIVATE = re.compile(
    r"(?<![\w./-])/(?:home|Users)/(?!ada\b|alice\b|you\b)[A-Za-z0-9_]+/"  # a person's folder
    r"|(?<![\w./-])/(?:root|work|workspace)/[A-Za-z0-9_.]+"
    r"|\b[A-Za-z]:\\\\?Users\\"
    r"|(?<![\w./-])/tmp/[A-Za-z0-9_]{3,}"
    r"|\b[a-z0-9-]+\.(?:corp|internal|intranet|lan)\b"
)
ADDRESS = re.compile(r"\b(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}\b")  # RFC 1918


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the project: as git has it, or, in an unpacked sdist, as it lies there."""
    asked = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if asked.returncode == 0 and asked.stdout:
        return tuple(path for name in asked.stdout.split("\0") if name and (path := ROOT / name).is_file())
    folders = ("src", "tests", "docs", "benchmarks", "examples", "requirements")
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return tuple(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def private_parts(text: str, *, made_up: bool = False) -> list[str]:
    """What in `text` tells of a machine; addresses count unless they are `made_up`."""
    patterns = (PRIVATE,) if made_up else (PRIVATE, ADDRESS)
    return [found[0] for pattern in patterns for found in pattern.finditer(text)]


def texts() -> Iterator[tuple[Path, str]]:
    """Every tracked file that is text."""
    for path in tracked():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_can_be_read_at_one_sitting_and_says_what_it_is(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(source)), "a file opens with its place in the loop"


@pytest.mark.parametrize("room", [*ROOMS, *SYSTEMS], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_says_what_it_reads_produces_may_import_and_never_does(room: Path) -> None:
    told = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    for word in ("Reads:", "Produces:", "May import:", "Never:"):
        assert word in re.sub(r"\s+", " ", told)


def test_every_room_has_a_place_in_the_order_of_imports() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = " ".join(contracts[0]["layers"])
    apart = {"testing"}  # imported by nobody, so in no layer
    missing = [room.name for room in ROOMS if not re.search(rf"\btrimtab\.{room.name}\b", layers) and room.name not in apart]
    assert not missing


def test_no_file_tells_of_a_machine() -> None:
    others = {path.relative_to(ROOT): text for path, text in texts() if path != Path(__file__)}
    told = {str(path): private_parts(text, made_up=path.parts[0] == "tests") for path, text in others.items()}
    assert {path: parts for path, parts in told.items() if parts} == {}


@pytest.mark.parametrize(
    "text", ["/home/" + "somebody/x", "/root/" + "x", "192.168." + "1.7", "db.prod" + ".internal", "/tmp/" + "scratch"]
)
def test_the_check_would_notice(text: str) -> None:
    assert private_parts(f"see {text} for more")


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)
