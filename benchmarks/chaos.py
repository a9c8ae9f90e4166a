"""SIGKILL at every row of the journal, and between effect and acknowledgement: does every action come to one right end?

Each scenario is first run without a kill, which yields the rows that it writes; then once for each row with a kill right before
and right after it is written, for each kind of lever; and a policy that moves a lever is killed in the middle of its moves, and
while it is taken back. The bar: 100 % terminal within 30 s of the restart, no effect doubled,
none forgotten, and each lever holds what the journal says. Judged from the journal's file and the service's log
(`services/crashes.py`).

Usage: python benchmarks/chaos.py [--short | --full] [--parallel 4] [--only TEXT] [--json]
  --short   one lever kind, the scenario `kept`
  --full    every scenario with every kind (default: `kept` and `worse` with every kind, the others with one kind each)
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from services.crashes import EFFECT, KINDS, REQUEST, Case, Left, Scenario, crash
from services.policy_crashes import KILLS, PolicyCase, crash_policy

ATTEMPTS = 2  # to reach the instant of a kill: verdicts on noise do not come out alike each time
TRANSPORTS = ("http", "app")
SCENARIOS = (
    Scenario("kept", "better"),
    Scenario("worse", "worse"),
    Scenario("guard breached", "breaking"),
    Scenario("probation", "idle"),
    Scenario("answer too late", "better", (("after", 7.0),)),
    Scenario("effect too late", "better", (("before", 5.5),)),
    Scenario("request lost", "better", (("lost", 1.0), ("after", 7.0))),
    Scenario("foreign hand", "better", (("foreign", 1.0),)),
    Scenario("approved", "better", ask="approve"),
    Scenario("rejected", "better", ask="reject"),
)
INSTANTS = (  # between two rows, by the service's clock
    (Scenario("slow answer", "better", (("after", 3.0),)), EFFECT),
    (Scenario("slow effect", "better", (("before", 3.0),)), REQUEST),
)


def main() -> int:
    """Run the cases; exit status 0 only where nothing is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with ThreadPoolExecutor(max_workers=options.parallel) as pool:
        dry = [Case(scenario, kind, "", transport) for scenario, kind, transport in plan(options.short, options.full)]
        walks = list(pool.map(_isolated, dry))
        cases = [case for before, walk in zip(dry, walks, strict=True) for case in kills(before, walk.edges)]
        cases += [
            Case(scenario, kind, instant) for scenario, instant in INSTANTS for kind in (KINDS[:1] if options.short else KINDS)
        ]
        policies = [PolicyCase(kill_at) for kill_at in ("", *(KILLS[-1:] if options.short else KILLS))]
        results = list(walks)
        for left in pool.map(_isolated, [case for case in (*cases, *policies) if options.only in case.name]):
            results.append(left)
            if not options.json and left.problems:
                print(f"FAIL {left.case}: {'; '.join(left.problems)}\n     {' '.join(left.edges)}", flush=True)
    return report(results, as_json=options.json)


def plan(short: bool, full: bool) -> Iterator[tuple[Scenario, str, str]]:
    """The scenarios with the kinds and transports of lever that each is run with."""
    if short:
        yield SCENARIOS[0], KINDS[0], TRANSPORTS[0]
        return
    every = [(kind, transport) for kind in KINDS for transport in TRANSPORTS]
    for number, scenario in enumerate(SCENARIOS):
        for kind, transport in every if full or number < 2 else (every[(3 * number) % len(every)],):
            yield scenario, kind, transport


def kills(case: Case, edges: Iterable[str]) -> list[Case]:
    """A case for each side of each row that a scenario writes."""
    return [replace(case, kill_at=f"{edge}:{side}") for edge in dict.fromkeys(edges) for side in ("before", "after")]


def report(results: list[Left], *, as_json: bool) -> int:
    """Print the total; 0 where nothing is wrong."""
    bad = [left for left in results if left.problems]
    summary = {
        "cases": len(results),
        "failed": len(bad),
        "slowest_seconds": round(max(left.seconds for left in results), 1),
        "unreached": [left.case for left in results if left.unreached],
        "resent": sum(left.resent for left in results),
        "edges": sorted({edge for left in results for edge in left.edges}),
    }
    if as_json:
        print(json.dumps(summary | {"results": [asdict(left) for left in results]}, indent=2))
        return 1 if bad else 0
    for left in results:
        if not left.case.endswith("no kill"):
            continue
        print(f"{'FAIL' if left.problems else 'ok  '} {left.case}: {left.state} {'; '.join(left.problems)}")
    print(f"{len(results) - len(bad)} of {len(results)} as they have to be; {summary['resent']} PUTs of a value already there;")
    if summary["unreached"]:
        print(f"never reached, since the action took another way: {'; '.join(summary['unreached'])}")
    print(f"slowest restart terminal after {summary['slowest_seconds']} s; rows seen: {', '.join(summary['edges'])}")
    return 1 if bad else 0


def _isolated(case: Case | PolicyCase) -> Left:
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix="trimtab-chaos-") as folder:
            left = crash(case, Path(folder)) if isinstance(case, Case) else crash_policy(case, Path(folder))
        if not left.unreached or left.problems:
            break
    return left


if __name__ == "__main__":
    sys.exit(main())
