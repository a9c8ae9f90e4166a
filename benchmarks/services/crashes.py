"""One crash: run an action on a fragile service, kill the agent at a chosen instant, start it again, and look at what is left.

Used by `benchmarks/chaos.py` and `tests/chaos`. What is left is judged by an independent reader: the journal's file through plain
`sqlite3`, read only, and the service's own log of every PUT. Neither asks the agent.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from services.child import HERE, child, drain, end, first_line, free_port, start
from services.fragile import FOREIGN, START, VALUES

KINDS = tuple(START)
TERMINAL = {"kept", "kept_on_probation", "stepped_back", "yielded", "ignored", "rejected", "expired", "failed", "rolled_back"}
ENDED_BADLY = {"rollback_failed"}  # terminal too, but nothing here ever refuses a rollback
OURS = {"kept", "kept_on_probation"}  # states in which the lever holds what the action set
TERMINAL_WITHIN = 30.0  # seconds from the restart
REACH_WITHIN = 45.0
REQUEST, EFFECT = "request came", "effect took place"  # instants of the service, between two rows of the journal


@dataclass(frozen=True)
class Scenario:
    """How an action goes when nothing is killed. `slow` are the service's manners; `ask`: it first waits for a person."""

    name: str
    meaning: str
    slow: tuple[tuple[str, float], ...] = ()
    ask: str = ""  # approve | reject


@dataclass(frozen=True)
class Case:
    """A scenario, a lever, and the instant of the kill: `from->to:before|after`, REQUEST, EFFECT, or "" for none."""

    scenario: Scenario
    kind: str
    kill_at: str
    transport: str = "http"  # http | app

    @property
    def name(self) -> str:
        """For the report."""
        return f"{self.scenario.name} / {self.transport} {self.kind} / {self.kill_at or 'no kill'}"


@dataclass
class Left:
    """What one crash left. `problems` is empty where all is as it has to be."""

    case: str
    edges: list[str] = field(default_factory=list)  # transitions that the journal holds, in order
    state: str = ""
    seconds: float = 0.0  # from the restart until everything was terminal
    unreached: bool = False  # the action took another way this time, and the instant of the kill never came
    resent: int = 0  # PUTs of a value that the lever held already: harmless, but counted
    problems: list[str] = field(default_factory=list)


def crash(case: Case, folder: Path) -> Left:
    """Run a case; everything it starts has ended when it returns."""
    left = Left(case.name)
    manners = [word for name, value in case.scenario.slow for word in (f"--{name}", str(value))]
    program = [str(HERE / "fragile.py"), "--meaning", case.scenario.meaning, *manners]
    program += ["--socket", str(folder / "app.sock")] if case.transport == "app" else []
    with child(program, folder / "service.log") as service:
        ports = first_line(service)
        config = folder / "trimtab.yaml"
        config.write_text(json.dumps(_configuration(case, ports["public"], folder)))
        log = f"http://127.0.0.1:{ports['private']}/log"
        try:
            _run_until_killed(case, folder, config, log, left)
            if case.kill_at and not left.unreached and not left.problems:
                _run_again(case, folder, config, log, left)
        except (httpx.HTTPError, OSError, RuntimeError) as error:
            left.problems.append(f"{type(error).__name__}: {error}")
        _judge(case, folder, httpx.get(log).json(), left)
    return left


def _run_until_killed(case: Case, folder: Path, config: Path, log: str, left: Left) -> None:
    environment = {}
    if case.scenario.ask:
        environment["CHAOS_ANSWER"] = case.scenario.ask
    else:
        asked = {"lever": f"fragile/{case.kind}", "value": VALUES[case.kind][case.scenario.meaning]}
        environment["CHAOS_SUBMIT"] = json.dumps(asked)
    if "->" in case.kill_at:
        environment["CHAOS_KILL_AT"] = case.kill_at
    with agent_of(folder, config, environment) as agent:
        deadline = time.monotonic() + REACH_WITHIN
        while agent.poll() is None and time.monotonic() < deadline:
            if case.kill_at in (REQUEST, EFFECT) and _instant(case.kill_at, httpx.get(log).json()["log"]):
                agent.kill()
                agent.wait()
            elif (found := states(folder)) and set(found) <= (TERMINAL | ENDED_BADLY) - {"kept_on_probation"}:
                time.sleep(0.5)  # a kill right after the last row may be on its way
                left.unreached = bool(case.kill_at) and agent.poll() is None
                if left.unreached or not case.kill_at:
                    return
            time.sleep(0.05)
        if agent.poll() not in (None, -signal.SIGKILL):
            left.problems.append(f"the agent ended with {agent.poll()}: {tail(folder / 'agent.log')}")
        elif agent.poll() is None:
            left.problems.append(f"not terminal within {REACH_WITHIN:.0f} s though nothing was killed")


def _run_again(case: Case, folder: Path, config: Path, log: str, left: Left) -> None:
    environment = {"CHAOS_ANSWER": "reject"} if case.scenario.ask else {}
    restarted = time.monotonic()
    with agent_of(folder, config, environment) as agent:
        while not (ready(config) and _all_ended(folder)):
            if agent.poll() is not None:
                left.problems.append(f"the restarted agent ended with {agent.poll()}: {tail(folder / 'agent.log')}")
                return
            if time.monotonic() - restarted > TERMINAL_WITHIN + 10.0:
                break
            time.sleep(0.05)
        left.seconds = time.monotonic() - restarted
        if left.seconds > TERMINAL_WITHIN:
            left.problems.append(f"not terminal {left.seconds:.0f} s after the restart")
        while any(entry["answered"] is None for entry in httpx.get(log).json()["log"]):
            time.sleep(0.2)  # what an earlier life asked for may still take effect
        time.sleep(1.5)


def _judge(case: Case, folder: Path, service: dict[str, Any], left: Left) -> None:
    """Compare the journal with the service: terminal, once, none forgotten, and the lever holds what the journal says."""
    actions, rows = read_journal(folder)
    left.edges = [f"{row['from_state'] or 'none'}->{row['to_state']}" for row in rows if row["kind"] == "transition"]
    left.problems += chain_problems(rows, actions)
    ours = [entry for entry in service["log"] if entry["lever"] == case.kind]
    changes = [entry["value"] for entry in ours if entry.get("changed")]
    left.resent = sum(entry.get("changed") is False for entry in ours)
    if len(ours) != len(service["log"]):
        left.problems.append("another lever was touched")
    if ours and not actions:
        left.problems.append("an effect that the journal knows nothing of: forgotten")
    forward = {json.dumps(record["action"]["to_value"]) for _, record in actions}
    for value in {json.dumps(change) for change in changes}:
        times = [json.dumps(change) for change in changes].count(value)
        if value not in forward and value != json.dumps(START[case.kind]):
            left.problems.append(f"the lever was set to {value}, which no action asked for")
        if times > sum(json.dumps(record["action"]["to_value"]) == value for _, record in actions) and value in forward:
            left.problems.append(f"the effect {value} took place {times} times: doubled")
    left.state = actions[-1][0] if actions else ""
    left.problems += [
        f"{record['action']['action_id']} is {state} in the end" for state, record in actions if state not in TERMINAL
    ]
    held, expected = service["values"][case.kind], journalled_value(case.kind, actions)
    # The other hand writes a second after ours, which may be after a fast restart has undone the action: then its value stands.
    came_last = bool(dict(case.scenario.slow).get("foreign")) and held == FOREIGN[case.kind]
    if held != expected and not came_last:
        left.problems.append(f"by the journal ({left.state}) the lever should hold {expected!r}; it holds {held!r}")


def journalled_value(kind: str, actions: list[tuple[str, dict[str, Any]]]) -> object:
    """What a lever should hold by the journal: what the actions, oldest first, left there."""
    value: object = START[kind]
    for state, record in actions:
        if state in OURS:
            value = record["action"]["to_value"]
        elif state == "yielded":
            value = FOREIGN[kind]
        elif record["executed_at"] is not None:
            value = record["action"]["from_value"]
    return value


def read_journal(folder: Path) -> tuple[list[tuple[str, dict[str, Any]]], list[dict[str, Any]]]:
    """(state, record) of every action, and every row, straight from the file; nothing where there is no journal yet."""
    path = folder / "data" / "journal.db"
    if not path.exists():
        return [], []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as connection:
        connection.row_factory = sqlite3.Row
        actions = [
            (row["state"], json.loads(row["record"])) for row in connection.execute("SELECT * FROM actions ORDER BY ordinal")
        ]
        return actions, [dict(row) for row in connection.execute("SELECT * FROM journal ORDER BY seq")]


def chain_problems(rows: list[dict[str, Any]], actions: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """What is wrong with the rows as such: a gap, a broken link, a step from where the action did not stand."""
    problems, stands, previous = [], {}, ""
    for number, row in enumerate(rows, start=1):
        if row["seq"] != number or row["previous"] != previous:
            problems.append(f"row {row['seq']} does not follow the one before it")
        previous = row["hash"]
        if row["kind"] == "transition":
            if stands.get(row["action_id"]) != row["from_state"]:
                problems.append(
                    f"row {row['seq']}: {row['action_id']} left {row['from_state']}, but was {stands.get(row['action_id'])}"
                )
            stands[row["action_id"]] = row["to_state"]
    if stands != {record["action"]["action_id"]: state for state, record in actions}:
        problems.append("the actions do not stand where the rows say")
    return problems


def states(folder: Path) -> list[str]:
    """Where each action stands, oldest first."""
    try:
        return [state for state, _ in read_journal(folder)[0]]
    except sqlite3.Error:  # the agent is just making the file
        return []


def _all_ended(folder: Path) -> bool:
    return all(state in TERMINAL | ENDED_BADLY for state in states(folder))


def ready(config: Path) -> bool:
    """Whether the agent of this configuration answers that it is."""
    api = json.loads(config.read_text())["api"]
    try:
        return httpx.get(f"http://{api['host']}:{api['port']}/readyz", timeout=2.0).status_code == 200
    except httpx.HTTPError:
        return False


def _instant(name: str, log: list[dict[str, Any]]) -> bool:
    if not log:
        return False
    return log[0]["took_effect"] is None if name == REQUEST else log[0]["took_effect"] is not None


@contextlib.contextmanager
def agent_of(folder: Path, config: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """An agent that may be told where to die; it has ended when the block does."""
    with open(folder / "agent.log", "a") as log:
        process = start([str(HERE / "killable_agent.py"), str(config)], log, environment)
        drain(process)
        try:
            yield process
        finally:
            end(process)


def _configuration(case: Case, port: int, folder: Path) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}"
    by_http = case.transport == "http"
    lever: dict[str, Any] = {
        "name": case.kind,
        **(
            {"type": "http", "url": f"{url}/levers/{case.kind}"}
            if by_http
            else {"type": "app", "socket": str(folder / "app.sock")}
        ),
        "kind": case.kind,
        "settle_seconds": 1.5,
        "autonomy": "ask" if case.scenario.ask else "act",
        "moves": {"fragile_wait_seconds": "down"},
    }
    if case.kind in ("integer", "float"):
        lever |= {"bounds": [1, 8] if case.kind == "integer" else [0.25, 4.0], "step": 1 if case.kind == "integer" else 0.25}
    if case.kind == "choice":
        lever["choices"] = ["slow", "plain", "quick", "other", "wild", "foreign"]
    sensor: dict[str, Any] = {"type": "app", "socket": str(folder / "app.sock")}
    if by_http:
        sensor = stats_of(url)
    return configuration(folder, sensor, lever, target=0.07 if case.scenario.ask else 1.0, cooldown=3)


def stats_of(url: str) -> dict[str, Any]:
    """A sensor that asks the fragile service at `url`."""
    return {
        "type": "http_json",
        "url": f"{url}/stats",
        "metrics": {"fragile_wait_seconds": "wait", "fragile_error_ratio": "errors"},
    }


def configuration(folder: Path, sensor: dict[str, Any], lever: dict[str, Any], target: float, cooldown: float) -> dict[str, Any]:
    """An agent that looks at the fragile service twice a second, guards its errors and wants its wait below `target` seconds."""
    return {
        "version": 1,
        "storage": {"path": str(folder / "data")},
        "api": {"host": "127.0.0.1", "port": free_port()},
        "monitoring": dict.fromkeys(
            ("interval_seconds", "analysis_interval_seconds", "optimization_interval_seconds", "execution_interval_seconds"), 0.5
        ),
        "corrective_action_cooldown_seconds": cooldown,
        "decision": {"verify_seconds": 4},
        "elements": [
            {
                "name": "fragile",
                "sensors": [sensor],
                "levers": [lever],
                "guards": [{"metric_name": "fragile_error_ratio", "max": 0.05}],
            }
        ],
        "goals": [{"metric_name": "fragile_wait_seconds", "target_value": target, "direction": "minimize"}],
    }


def tail(path: Path) -> str:
    """The last lines of a log."""
    return " | ".join(path.read_text(errors="replace").splitlines()[-4:])
