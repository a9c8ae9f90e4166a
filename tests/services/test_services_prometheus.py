"""A real Prometheus writes to a real agent: nothing is lost, value by value."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "benchmarks" / "ingest.py"


@pytest.mark.services
def test_all_that_a_real_prometheus_sends_is_in_the_store():
    if shutil.which("prometheus") is None:
        if os.environ.get("TRIMTAB_REQUIRE_SERVICES") == "1":
            pytest.fail("prometheus is not installed, and TRIMTAB_REQUIRE_SERVICES asks for it")
        pytest.skip("prometheus is not installed: make test-services installs it, as root on Debian")
    done = subprocess.run(
        [sys.executable, str(BENCH), "--only", "prometheus", "--rate", "3000", "--seconds", "8"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 metrics differ" in done.stdout
