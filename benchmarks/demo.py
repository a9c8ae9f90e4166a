"""Does the demo keep its promises? Runs `trimtab demo --json` for several seeds, then once without a fault. Bars, on two cores:

  first        the first verified improvement at most 120 s after the start
  improved     of all faults drawn, 90 % or more are improved: a change stands that the agent's verdict credits, and the service's
               own counters, read without the agent, say the same with an interval above zero
  harm undone  at most 30 s after it was set
  whole run    at most 6 minutes
  no fault     nothing is kept

Usage: python benchmarks/demo.py [--seeds 5] [--first 1] [--short] [--faults drawn] [--keep DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FIRST_WITHIN = 120.0
IMPROVED_SHARE = 0.9
HARM_WITHIN = 30.0
RUN_WITHIN = 360.0
PATIENCE = 400.0  # seconds, after which a demo that does not end is ended


@dataclass
class Run:
    """What one run came to."""

    seed: int
    faults: str
    seconds: float = 0.0
    status: int = -1
    first: float | None = None
    drawn: list[str] = field(default_factory=list)
    improved: list[str] = field(default_factory=list)
    harm: float | None = None  # seconds until it was undone
    kept: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # checks of the demo itself
    lines: list[str] = field(default_factory=list)
    trouble: str = ""

    @property
    def failures(self) -> list[str]:
        """The bars that this run misses by itself."""
        missed = [self.trouble] if self.trouble else []
        if self.faults != "none" and (self.first is None or self.first > FIRST_WITHIN):
            missed.append(f"first improvement later than {FIRST_WITHIN:.0f} s")
        if self.harm is None or self.harm > HARM_WITHIN:
            missed.append(f"harm not undone within {HARM_WITHIN:.0f} s")
        if self.seconds > RUN_WITHIN:
            missed.append(f"longer than {RUN_WITHIN:.0f} s")
        if self.faults == "none" and self.kept:
            missed.append("kept something without a fault")
        return missed


def main() -> int:
    """Run, print a table and the bars; exit status 0 only where none is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--faults", default="drawn")
    parser.add_argument("--short", action="store_true", help="one seed")
    parser.add_argument("--keep", type=Path, help="a folder for the documents")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seeds = range(options.first, options.first + (1 if options.short else options.seeds))
    runs: list[Run] = []
    for seed, faults in [*((seed, options.faults) for seed in seeds), (options.first, "none")]:
        runs.append(run(seed, faults, options.keep))
        if not options.json:
            print(row(runs[-1]), flush=True)
    bars = judge(runs)
    passed = all(ok for _, ok, _ in bars)
    if options.json:
        print(json.dumps({"passed": passed, "bars": bars, "runs": [asdict(r) for r in runs]}, indent=2))
    else:
        for name, ok, detail in bars:
            print(f"{'PASS' if ok else 'FAIL'} {name}: {detail}")
    return 0 if passed else 1


def run(seed: int, faults: str, keep: Path | None) -> Run:
    """One demo in a process of its own, as a person starts it."""
    result, began = Run(seed, faults), time.monotonic()
    command = [sys.executable, "-m", "trimtab", "demo", "--json", "--seed", str(seed), "--faults", faults]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        result.seconds, result.status = time.monotonic() - began, done.returncode
        read(result, json.loads(done.stdout))
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        result.trouble = f"no document: {error}"
        return result
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"demo-{seed}-{faults}.json").write_text(done.stdout)
    return result


def read(result: Run, document: dict[str, Any]) -> None:
    """Take from the document what the bars speak of."""
    if document["ended_early"]:
        result.trouble = document["ended_early"]
    result.first = document["first_improvement_seconds"]
    for fault in document["faults"]:
        result.drawn.append(fault["fault"])
        measured = fault["measured"] or {"low": None}
        better = measured["low"] is not None and measured["low"] > 0.0
        if fault["verdict"] == "improved" and better:
            result.improved.append(fault["fault"])
        result.lines.append(line(fault))
    result.harm = document["harm"]["seconds"] if document["harm"]["undone"] else None
    kept = [a for a in document["actions"] if a["state"] in ("kept", "kept_on_probation")]
    result.kept = [f"{a['lever']} {a['from']} → {a['to']}" for a in kept]
    result.failed = [f"{check['name']} ({check['detail']})" for check in document["checks"] if not check["ok"]]


def line(fault: dict[str, Any]) -> str:
    """One fault for a person."""
    measured = fault["measured"]
    interval = "" if not measured or measured["low"] is None else f" [{measured['low']:+.0%}, {measured['high']:+.0%}]"
    before, after = (f"{value:.4g}" if value is not None else "?" for value in (fault["before"], fault["after"]))
    verdict = f"{fault['verdict']} [{fault['low']:+.0%}, {fault['high']:+.0%}]" if fault["verdict"] else "no verdict"
    cure = f"cured after {fault['seconds_to_cure']:.0f} s" if fault["cured"] else "not cured"
    return f"{fault['fault']:8} {fault['metric_name']} {before} → {after}{interval}; {fault['was_set']}; {verdict}; {cure}"


def row(result: Run) -> str:
    """A run for a person."""
    first = "none" if result.first is None else f"{result.first:.0f} s"
    harm = "not undone" if result.harm is None else f"undone in {result.harm:.1f} s"
    share = f"{len(result.improved)} of {len(result.drawn)} improved"
    head = (
        f"{'FAIL' if result.failures else 'PASS'} seed {result.seed} {result.faults}: {share}, first after {first}, harm {harm}"
    )
    tail = [f"      failed: {check}" for check in (*result.failures, *result.failed)]
    kept = [f"      kept: {move}" for move in result.kept] if result.faults == "none" else []
    return "\n".join([f"{head}, {result.seconds:.0f} s", *(f"      {text}" for text in result.lines), *tail, *kept])


def judge(runs: list[Run]) -> list[tuple[str, bool, str]]:
    """Each bar over all runs: its name, whether it holds, and the figure."""
    faulty, calm = [r for r in runs if r.faults != "none"], [r for r in runs if r.faults == "none"]
    drawn, improved = sum(len(r.drawn) for r in faulty), sum(len(r.improved) for r in faulty)
    firsts, harms = [r.first for r in faulty], [r.harm for r in runs]
    return [
        _bar(f"first verified improvement ≤ {FIRST_WITHIN:.0f} s", firsts, FIRST_WITHIN),
        (f"≥ {IMPROVED_SHARE:.0%} of the faults improved", improved >= IMPROVED_SHARE * drawn > 0, f"{improved} of {drawn}"),
        _bar(f"harm undone ≤ {HARM_WITHIN:.0f} s", harms, HARM_WITHIN),
        _bar(f"whole run ≤ {RUN_WITHIN:.0f} s", [None if r.trouble else r.seconds for r in runs], RUN_WITHIN),
        ("no fault: nothing kept", not any(r.kept or r.trouble for r in calm), f"{sum(len(r.kept) for r in calm)} kept"),
    ]


def _bar(name: str, values: list[float | None], limit: float) -> tuple[str, bool, str]:
    known = [value for value in values if value is not None]
    worst = f"slowest {max(known):.1f} s" if known else "none"
    missing = len(values) - len(known)
    return name, not missing and max(known, default=limit + 1.0) <= limit, worst + (f", {missing} missing" if missing else "")


if __name__ == "__main__":
    sys.exit(main())
