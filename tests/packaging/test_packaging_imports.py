"""What it costs to import the package and to ask for help. Processor time of a child, so that a busy machine changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median

import pytest

import trimtab

HEAVY = ("numpy", "pydantic", "fastapi", "starlette", "uvicorn", "httpx", "rich", "structlog", "psutil", "ruamel", "typer")
IMPORT_SECONDS = 0.05
HELP_SECONDS = 0.4


def child(code: str, *arguments: str) -> str:
    """Standard output of Python code in a process of its own, which nothing of this one reaches."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV_", "TRIMTAB_"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(code: str) -> set[str]:
    """The top-level packages that `code` leaves in `sys.modules`."""
    return set(json.loads(child(f"{code}\nimport json, sys\nprint(json.dumps([m.partition('.')[0] for m in sys.modules]))")))


def cpu_of(code: str) -> float:
    """Median processor time (s) of running `code` in five fresh processes, without the interpreter's own start."""
    timed = f"import time\nbegan = time.process_time()\n{code}\nprint(time.process_time() - began)"
    return median(float(child(timed).splitlines()[-1]) for _ in range(5))


def test_importing_trimtab_loads_nothing_heavy() -> None:
    assert not loaded_by("import trimtab") & set(HEAVY)


def test_importing_trimtab_takes_next_to_nothing() -> None:
    assert cpu_of("import trimtab") <= IMPORT_SECONDS


@pytest.mark.parametrize("module", ["trimtab.sdk", "trimtab.domain.ports"])
def test_what_runs_inside_other_programs_loads_nothing_heavy(module: str) -> None:
    assert not loaded_by(f"import {module}") & set(HEAVY)


def test_the_check_would_notice() -> None:
    assert "numpy" in loaded_by("import trimtab; trimtab.verify.judge")


HELP = """
import contextlib, io, sys
sys.argv = ["trimtab", "--help"]
from trimtab.cli import main
with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
    main()
assert "demo" in shown.getvalue(), shown.getvalue()
"""


def test_help_comes_at_once() -> None:
    assert cpu_of(HELP) <= HELP_SECONDS


def test_help_loads_nothing_that_only_commands_need() -> None:
    assert not loaded_by(HELP) & {"numpy", "pydantic", "fastapi", "httpx", "uvicorn", "psutil", "ruamel"}


@pytest.mark.parametrize("name", trimtab.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(trimtab, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = trimtab.no_such_name
