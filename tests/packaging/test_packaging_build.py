"""What is shipped: the wheel and the sdist, built offline by the pinned back end."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import trimtab

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_holds_the_package_its_types_and_its_licence_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(built / f"trimtab-{trimtab.__version__}-py3-none-any.whl") as wheel:
        names = wheel.namelist()
    assert "trimtab/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names} == {"trimtab", f"trimtab-{trimtab.__version__}.dist-info"}
    source = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src" / "trimtab").rglob("*.py")}
    assert source <= set(names)


def test_the_sdist_holds_all_that_its_tests_need(built: Path) -> None:
    with tarfile.open(built / f"trimtab-{trimtab.__version__}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"Makefile", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "pyproject.toml", "src/trimtab/py.typed",
              "requirements/runtime.txt", "tests/conftest.py", "examples/trimtab.yaml", "docs/architecture.md",
              "benchmarks/verdicts.py"}  # fmt: skip
    assert wanted <= names
    assert not [name for name in names if name.endswith((".pyc", ".db")) or "trimtab-data" in name]
