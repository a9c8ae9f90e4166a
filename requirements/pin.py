"""Pin every dependency with its hashes: pyproject.toml in; runtime, build, dev and bench out, as .txt (`make constraints`).

Existing pins are kept as long as pyproject.toml allows them; `--upgrade` asks for the newest of everything. The files name no
index and no host: where packages come from is the business of the machine that installs them, what they are is not.
Needs pip-tools in the interpreter that runs it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = "# Made from pyproject.toml by `make constraints`: change that file, not this one.\n"
OPTIONS = (
    *("--quiet", "--generate-hashes", "--strip-extras", "--no-header", "--no-annotate", "--no-emit-options"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"),
)
EDITABLE = "editables>=0.5"  # what hatchling asks for when it installs in place


def main() -> int:
    """Write what running needs, what building needs, what tests need and the peers of the benches; one version in all of them."""
    parser = argparse.ArgumentParser(description="Pin every dependency with its hashes.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    options = parser.parse_args()
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    build = [*project["build-system"]["requires"], EDITABLE]
    runtime = project["project"]["dependencies"]
    extras = [wanted for extra in project["project"]["optional-dependencies"].values() for wanted in extra]
    groups = project["dependency-groups"]
    dev = [*runtime, *build, *extras, *groups["dev"]]
    with tempfile.TemporaryDirectory() as folder:
        above: list[str] = []
        for name, wanted in (("runtime", runtime), ("build", build), ("dev", dev), ("bench", [*dev, *groups["bench"]])):
            pin(Path(folder), name, wanted, above, options.upgrade)
            above.append(name)
    return 0


def pin(folder: Path, name: str, wanted: list[str], above: list[str], upgrade: bool) -> None:
    """Resolve `wanted` under the pins of the files `above`, starting from what `name`.txt says now."""
    pinned, source = folder / f"{name}.txt", folder / f"{name}.in"
    source.write_text("\n".join(wanted) + "\n")
    if (HERE / pinned.name).exists() and not upgrade:
        pinned.write_text((HERE / pinned.name).read_text())
    limits = [option for each in above for option in ("-c", str(folder / f"{each}.txt"))]
    environment = {
        key: value for key, value in os.environ.items() if key != "PIP_FIND_LINKS"
    }  # hashes of the registry's files only
    command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *limits, str(source), "-o", str(pinned)]
    subprocess.run(command, check=True, env=environment, cwd=folder)
    lines = [line for line in pinned.read_text().splitlines() if line and not line.startswith("#")]
    (HERE / pinned.name).write_text(HEADER + "\n".join(lines) + "\n")
    print(f"{pinned.name}: {sum(not line.startswith(' ') for line in lines)} packages")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
