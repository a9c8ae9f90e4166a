"""Drive the REST interface with requests made from its own OpenAPI document, and count what is off.

    python benchmarks/api_fuzz.py                         # against a small stand-in for the agent
    python benchmarks/api_fuzz.py --url http://127.0.0.1:8642 --token …   # against a running agent: it will be paused, resumed, …

Fails (exit 1) on any 5xx, undocumented status or content type, answer off its schema, accepted bad request, refused good one, or
operation that ignores its authentication. `tests/api/test_api_fuzz.py` runs the short form of the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PHASES = "examples,coverage,fuzzing,stateful"


def fuzz(
    url: str, *, token: str | None, examples: int, phases: str, seed: int | None, limit: float, options: Sequence[str] = ()
) -> tuple[int, str]:
    """Exit status and report of one schemathesis run. What it writes goes to a folder of its own, which is removed."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{url.rstrip('/')}/openapi.json"]
    command += ["--checks", "all", "--phases", phases, "--max-examples", str(examples), "--continue-on-failure", "--no-color"]
    command += ["--seed", str(seed)] if seed is not None else []
    command += options
    command += ["-H", f"Authorization: Bearer {token}"] if token else []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=limit, check=False)
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the REST interface by its OpenAPI document.")
    parser.add_argument("--url", help="a running agent; without it a stand-in is served")
    parser.add_argument("--token", help="of an operator")
    parser.add_argument("--examples", type=int, default=200, help="requests per operation and phase")
    parser.add_argument("--phases", default=PHASES)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds")
    options = parser.parse_args()

    def run(url: str, token: str | None) -> int:
        code, report = fuzz(
            url, token=token, examples=options.examples, phases=options.phases, seed=options.seed, limit=options.limit
        )
        print(report)
        return code

    if options.url:
        return run(options.url, options.token)
    sys.path[:0] = [str(ROOT / "tests")]
    from api.conftest import serving
    from api.fake_agent import FakeAgent, FakeTokens

    worst = 0
    for tokens in (None, FakeTokens()):
        with serving(FakeAgent(), tokens) as server:
            worst = max(worst, run(server.url, "operator-token" if tokens else None))
    return worst


if __name__ == "__main__":
    sys.exit(main())
