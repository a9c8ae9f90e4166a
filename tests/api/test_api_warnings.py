"""No warning of a library reaches the log: the interface starts and answers with every warning turned into an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLAY = """
import asyncio, httpx
from api.fake_agent import FakeAgent
from trimtab.api import create_app

app = create_app(FakeAgent(), tokens=None, allowed_hosts=[], version="1")

async def play():
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for path in ("/agent/status", "/agent/goals", "/openapi.json", "/docs"):
            assert (await client.get(path)).status_code == 200, path
        for path in ("pause", "resume", "reload", "action/approve", "action/reject", "action/rollback"):
            assert (await client.post(f"/agent/{path}", json={"undo": "x"})).status_code == 422, path
        assert (await client.post("/agent/pause", json={})).status_code == 200

asyncio.run(play())
"""


def test_the_interface_starts_and_answers_without_a_warning():
    """In a process of its own: models are built once, and warn once."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-W", "error", "-c", PLAY]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
