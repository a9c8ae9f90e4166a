"""One crash of a policy at work: it moves a lever until a guard breaks and is undone; the agent is killed at one of its rows.

Used by `benchmarks/chaos.py` and `tests/chaos`. The goal stays missed whatever is done, so the policy helps step by step, up to
the value at which a tenth of the requests fail; the guard then undoes it. Wherever the agent is killed on the way: the policy has
to end rolled back, the lever where it stood before, every value that it ever took has its row, and none was set once too often.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from services.child import HERE, child, first_line
from services.crashes import Left, agent_of, chain_problems, configuration, read_journal, ready, states, stats_of, tail
from services.fragile import START

KIND = "integer"
UNDONE = "rolled_back"
TERMINAL_WITHIN = 60.0  # seconds from the restart: the rest of the way up and the way back
REACH_WITHIN = 60.0
KILLS = tuple(f"{row}:{side}" for row in ("move 1", "move 2", "move 3", "undo 1") for side in ("before", "after"))


@dataclass(frozen=True)
class PolicyCase:
    """The instant of the kill: right before or right after the n-th row of a move, or of a lever that is put back; "": none."""

    kill_at: str

    @property
    def name(self) -> str:
        """For the report."""
        return f"policy / http {KIND} / {self.kill_at or 'no kill'}"


def crash_policy(case: PolicyCase, folder: Path) -> Left:
    """Run a case; everything it starts has ended when it returns."""
    left = Left(case.name)
    with child([str(HERE / "fragile.py")], folder / "service.log") as service:
        ports = first_line(service)
        config = folder / "trimtab.yaml"
        config.write_text(json.dumps(_configuration(ports["public"], folder)))
        log = f"http://127.0.0.1:{ports['private']}/log"
        try:
            _live(case, folder, config, left)
            if case.kill_at and not left.unreached and not left.problems:
                _live_again(folder, config, left)
        except (httpx.HTTPError, OSError, RuntimeError) as error:
            left.problems.append(f"{type(error).__name__}: {error}")
        _judge(folder, httpx.get(log).json(), left)
    return left


def _live(case: PolicyCase, folder: Path, config: Path, left: Left) -> None:
    environment = {"CHAOS_KILL_AT": case.kill_at} if case.kill_at else {}
    with agent_of(folder, config, environment) as agent:
        deadline = time.monotonic() + REACH_WITHIN
        while agent.poll() is None and time.monotonic() < deadline and not _over(folder):
            time.sleep(0.1)
        if agent.poll() is None:
            left.unreached = bool(case.kill_at)
            if not _over(folder):
                left.problems.append(f"not undone within {REACH_WITHIN:.0f} s though nothing was killed")
        elif agent.poll() != -signal.SIGKILL:
            left.problems.append(f"the agent ended with {agent.poll()}: {tail(folder / 'agent.log')}")


def _live_again(folder: Path, config: Path, left: Left) -> None:
    restarted = time.monotonic()
    with agent_of(folder, config, {}) as agent:
        while not (ready(config) and _over(folder)) and time.monotonic() - restarted < TERMINAL_WITHIN:
            if agent.poll() is not None:
                left.problems.append(f"the restarted agent ended with {agent.poll()}: {tail(folder / 'agent.log')}")
                return
            time.sleep(0.1)
        left.seconds = time.monotonic() - restarted
        if not _over(folder):
            left.problems.append(f"not undone {left.seconds:.0f} s after the restart")
        time.sleep(1.5)  # nothing more may follow


def _judge(folder: Path, service: dict[str, Any], left: Left) -> None:
    """Compare the journal with the service."""
    actions, rows = read_journal(folder)
    left.edges = [f"{row['from_state'] or 'none'}->{row['to_state']}" for row in rows if row["kind"] == "transition"]
    left.problems += chain_problems(rows, actions)
    left.state = actions[-1][0] if actions else ""
    moves = [json.loads(row["data"]) for row in rows if row["kind"] == "move"]
    noted = Counter(json.dumps(data["to"]) for data in moves if not data.get("failed"))
    ours = [entry for entry in service["log"] if entry["lever"] == KIND]
    left.resent = sum(entry.get("changed") is False for entry in ours)
    for value, times in Counter(json.dumps(entry["value"]) for entry in ours if entry.get("changed")).items():
        if times > noted[value]:
            left.problems.append(f"the lever was set to {value} {times} times; the journal knows of {noted[value]}")
    if not moves and "move 1:before" not in left.case:
        left.problems.append("the policy moved nothing")
    if len(actions) != 1 or left.state != UNDONE:
        left.problems.append(f"the policy is {left.state or 'not there'} in the end, with {len(actions)} actions")
    if service["values"][KIND] != START[KIND]:
        left.problems.append(f"the lever holds {service['values'][KIND]} and not {START[KIND]}, where it stood before the policy")


def _over(folder: Path) -> bool:
    found = states(folder)
    return bool(found) and set(found) == {UNDONE}


def _configuration(port: int, folder: Path) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}"
    lever = {
        "name": KIND,
        "type": "http",
        "url": f"{url}/levers/{KIND}",
        "mode": "regulated",
        "kind": KIND,
        "bounds": [1, 8],
        "settle_seconds": 1.0,
        "moves": {"fragile_wait_seconds": "down"},
    }
    another = 3600.0  # seconds: the other policy does not get its turn
    return configuration(folder, stats_of(url), lever, target=0.04, cooldown=another)
