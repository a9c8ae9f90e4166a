"""Can trimtab run a service that it has never seen, driven by YAML and REST alone? Each run draws one from a seed.

A service (`services/unknown.py`) with three levers (one helps, one does nothing, one breaks a guard beyond a point) runs in a
process of its own, the agent (`python -m trimtab run`) in another. After 60 s demand rises by ×1.5 to ×6. Bars, each judged from
the service's own truth and not from what the agent says of itself:

  recovered   the true level is within the goal again at most 120 s after the fault, and stays there
  nothing wrong kept   no change of the lever that does nothing is `kept`, nor of the harmful one beyond its point
  guard held  at the end no guard is broken
  at most 3 actions at once
  calm        (--no-fault) nothing is kept in 5 minutes

Usage: python benchmarks/unknown_service.py [--runs 5] [--seed 0] [--no-fault] [--short] [--parallel 5] [--seconds S] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent))

from services.child import HERE, child, drain, first_line, free_port
from services.drawing import Drawn, configuration, draw

FAULT_AT = 60.0
RECOVER_WITHIN = 120.0
WATCH_AFTER = 90.0  # seconds more, to see what becomes of changes on probation
CALM_SECONDS = 300.0
POLL = 1.0
START_PATIENCE = 30.0


@dataclass
class Run:
    """What one run came to."""

    seed: int
    fault: bool
    service: str
    met_after: float | None = None  # seconds from the fault until the goal was first met again, by the service's truth
    recovered_after: float | None = None  # the same, until it was met for good: from then to the end of the run
    reported_after: float | None = None  # the same, by GET /agent/goals
    most_at_once: int = 0
    guard_held: bool | None = None
    guard_broken_seconds: float = 0.0  # by truth, trials included
    wrong_kept: list[str] = field(default_factory=list)
    wrong_on_probation: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    positions: dict[str, float] = field(default_factory=dict)
    trouble: str = ""

    @property
    def failures(self) -> list[str]:
        """The bars that were missed."""
        missed = [self.trouble] if self.trouble else []
        if self.fault and (self.recovered_after is None or self.recovered_after > RECOVER_WITHIN):
            missed.append(
                "not recovered in time" if self.met_after is None or self.met_after > RECOVER_WITHIN else "met, then missed again"
            )
        if not self.fault and self.kept:
            missed.append("kept something without a fault")
        if self.wrong_kept:
            missed.append("wrong change kept")
        if not self.guard_held:
            missed.append("guard left broken")
        if self.most_at_once > 3:
            missed.append("more than 3 at once")
        return missed


def main() -> int:
    """Run, print a line each and the total; exit status 0 only where all pass."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    parser.add_argument("--no-fault", action="store_true")
    parser.add_argument("--short", action="store_true", help="one run with a fault")
    parser.add_argument("--parallel", type=int, default=5)
    parser.add_argument("--seconds", type=float, help="length of a run")
    parser.add_argument("--keep", type=Path, help="a folder for configurations, logs and journals")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runs = 1 if options.short else options.runs
    usual = CALM_SECONDS if options.no_fault else FAULT_AT + RECOVER_WITHIN + WATCH_AFTER
    seconds = options.seconds or usual
    with ThreadPoolExecutor(max_workers=min(options.parallel, 5)) as pool:
        jobs = [
            pool.submit(run, seed, not options.no_fault, seconds, options.keep)
            for seed in range(options.seed, options.seed + runs)
        ]
        results = []
        for job in jobs:
            results.append(job.result())
            if not options.json:
                print(line(results[-1]), flush=True)
    passed = sum(not result.failures for result in results)
    if options.json:
        print(
            json.dumps({"passed": passed, "of": runs, "runs": [asdict(r) | {"failures": r.failures} for r in results]}, indent=2)
        )
    else:
        print(f"{passed} of {runs} passed")
    return 0 if passed == runs else 1


def line(result: Run) -> str:
    """A run for a person."""
    first, good, told = (_seconds(after) for after in (result.met_after, result.recovered_after, result.reported_after))
    head = f"{'FAIL' if result.failures else 'PASS'} seed {result.seed} {result.service}"
    met = f"goal met again after {first}, for good after {good}, reported after {told}"
    outcome = met if result.fault else f"{len(result.kept)} kept"
    tail = [f"at most {result.most_at_once} at once", f"guard broken for {result.guard_broken_seconds:.0f} s in trials"]
    tail += [f"MISSED: {', '.join(result.failures)}"] if result.failures else []
    tail += [f"on probation: {', '.join(result.wrong_on_probation)}"] if result.wrong_on_probation else []
    return "\n     ".join([f"{head}: {outcome}; {'; '.join(tail)}", *result.actions])


def _seconds(after: float | None) -> str:
    return "never" if after is None else f"{after:.0f} s"


def run(seed: int, fault: bool, seconds: float, keep: Path | None) -> Run:
    """One service, one agent, one verdict."""
    drawn = draw(seed)
    result = Run(seed, fault, describe(drawn))
    with tempfile.TemporaryDirectory(prefix="trimtab-unknown-") as temporary:
        folder = Path(temporary) if keep is None else keep / f"{'fault' if fault else 'calm'}-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _one(drawn, result, folder, fault, seconds)
        except (RuntimeError, httpx.HTTPError, OSError) as error:
            result.trouble = f"{type(error).__name__}: {error}; agent's log ends: {_tail(folder / 'agent.log')}"
    return result


def describe(drawn: Drawn) -> str:
    """What was drawn, in a line."""
    levers = ", ".join(f"{x.role}={x.name}:{x.kind}{'/' + x.moves if x.moves else ''}" for x in drawn.levers)
    times = f"every {drawn.interval:g} s, cool-down {drawn.cooldown:g}, settle {drawn.settle:g}"
    fault = f"{'max' if drawn.maximize else 'min'} ×{drawn.fault:.1f} ({drawn.steps} steps)"
    return f"{drawn.metric} {fault} {times}, noise {drawn.noise:.0%} ρ {drawn.rho:.1f}; {levers}"


def _one(drawn: Drawn, result: Run, folder: Path, fault: bool, seconds: float) -> None:
    program = str(HERE / "unknown.py")
    with child([program, "--seed", str(drawn.seed), "--duration", str(seconds + 120)], folder / "service.log") as service:
        ports = first_line(service)
        truth, api = f"http://127.0.0.1:{ports['private']}", free_port()
        config = folder / "trimtab.yaml"
        config.write_text(json.dumps(configuration(drawn, ports["public"], str(folder / "data"), api), indent=1))  # JSON is YAML
        with child(["-m", "trimtab", "run", "--config", str(config)], folder / "agent.log") as agent, httpx.Client() as client:
            drain(agent)
            watch = Watch(client, truth, f"http://127.0.0.1:{api}", drawn, result)
            watch.wait_until_ready(agent)
            watch.follow(fault, seconds)
            watch.settle_accounts()


class Watch:
    """The harness's eyes: the agent by REST, the service by its truth."""

    def __init__(self, client: httpx.Client, truth: str, agent: str, drawn: Drawn, result: Run) -> None:
        self._client, self._truth, self._agent, self._drawn, self._result = client, truth, agent, drawn, result

    def wait_until_ready(self, agent: Any) -> None:
        """Until the agent answers."""
        deadline = time.monotonic() + START_PATIENCE
        while time.monotonic() < deadline:
            if agent.poll() is not None:
                raise RuntimeError(f"the agent ended with {agent.returncode}")
            try:
                if self._client.get(f"{self._agent}/healthz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
        raise RuntimeError("the agent did not answer in time")

    def follow(self, fault: bool, seconds: float) -> None:
        """Watch for `seconds`, with a fault after 60 s."""
        began = time.monotonic()
        fault_at: float | None = None
        met_since: float | None = None  # since when the truth has held without a break
        while (now := time.monotonic()) - began < seconds:
            if fault and fault_at is None and now - began >= FAULT_AT:
                self._client.post(f"{self._truth}/fault")
                fault_at = time.monotonic()
                time.sleep(max(POLL, 3.0 * self._drawn.lag))  # until it can be seen
            truth = self._get(f"{self._truth}/truth")
            if not truth["guard_held"]:
                self._result.guard_broken_seconds += POLL
            if fault_at is not None:
                met_since = (met_since or now) if truth["goal_met"] else None
                self._result.recovered_after = met_since - fault_at if met_since is not None else None
                if truth["goal_met"] and self._result.met_after is None:
                    self._result.met_after = now - fault_at
                self._ask_goal(fault_at)
            self._result.most_at_once = max(self._result.most_at_once, self._get(f"{self._agent}/agent/status")["active_actions"])
            time.sleep(POLL)

    def _ask_goal(self, fault_at: float) -> None:
        goal = self._get(f"{self._agent}/agent/goals")[0]
        if goal["achieved"]:
            self._result.reported_after = self._result.reported_after or time.monotonic() - fault_at
        elif goal["achieved"] is False:
            self._result.reported_after = None

    def settle_accounts(self) -> None:
        """What stands at the end, and whether it is right."""
        truth, result = self._get(f"{self._truth}/truth"), self._result
        result.guard_held, result.positions = truth["guard_held"], truth["positions"]
        roles = {lever.name: lever for lever in self._drawn.levers}
        for item in reversed(self._get(f"{self._agent}/agent/actions/recent?count=200")):
            action = self._get(f"{self._agent}/agent/actions/{item['action_id']}")
            name, to, state = _lever_of(action), _value_of(action), action.get("state", item.get("state"))
            lever = roles[name]
            text = f"{lever.role}: {item['description']}: {state}: {action.get('reason', '')}"
            if state not in ("ignored",):
                result.actions.append(text)
            beyond = lever.role == "harms" and lever.position(to) > lever.point
            wrong = lever.role == "nothing" or beyond
            if state == "kept":
                result.kept.append(text)
            if wrong and state == "kept":
                result.wrong_kept.append(text)
            if wrong and state == "kept_on_probation":
                result.wrong_on_probation.append(text)

    def _get(self, url: str) -> Any:
        return self._client.get(url, timeout=10.0).raise_for_status().json()


def _lever_of(action: dict[str, Any]) -> str:
    parameters = action.get("parameters") or action.get("action", {}).get("parameters", {})
    return str(parameters["lever"]).split("/")[-1]


def _value_of(action: dict[str, Any]) -> Any:
    parameters = action.get("parameters") or action.get("action", {}).get("parameters", {})
    return parameters["to"]


def _tail(path: Path) -> str:
    return " | ".join(path.read_text(errors="replace").splitlines()[-5:]) if path.exists() else "(no log)"


if __name__ == "__main__":
    sys.exit(main())
