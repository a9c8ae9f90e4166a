"""Does the agent stay within its budget of processor time with 10,000 slow sensors?

A real `trimtab run`, interface and stores and all, with 10,000 sensors of 100 elements: pages that take a second to answer. A
goal names the metric of one element. Read as configured that would cost many times the budget of 2 % of a core, so the agent has
to read less often; CPU is its own processor time (user and system), so that a busy machine disturbs it little.

  bar     CPU in the last two minutes     at most 1.1 times the budget
          the interface                   answers while all that is going on

How many sensors have been read so far is told: at a pace of f each is read once in f of its intervals, give or take what it is
worth.

Usage: python benchmarks/many_sensors.py [--sensors 10000] [--interval 60] [--minutes 8] [--budget 2] [--keep FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent))

from services.child import HERE, child, drain, first_line, free_port, workplace

PER_ELEMENT = 100
SLACK = 1.1  # times the budget
LOOK_SECONDS = 10.0
LAST_SECONDS = 120.0
ANSWERS = 5.0  # seconds


def configuration(port: int, api: int, arguments: argparse.Namespace, folder: Path) -> Mapping[str, Any]:
    """The agent's: defaults wherever there is one."""

    def sensor(element: int, number: int) -> dict[str, Any]:
        url = f"http://127.0.0.1:{port}/{element * PER_ELEMENT + number}"
        metric = f"m{number}_milliseconds" if number else f"e{element}_queue_length"
        return {"type": "http_json", "name": f"s{number}", "url": url, "metrics": {metric: "value"}}

    return {
        "version": 1,
        "storage": {"path": str(folder / "data")},
        "api": {"port": api},
        "collection_interval_seconds": arguments.interval,
        "overhead": {"cpu_percent": arguments.budget},
        "elements": [
            {"name": f"e{element}", "sensors": [sensor(element, number) for number in range(PER_ELEMENT)]}
            for element in range(arguments.sensors // PER_ELEMENT)
        ],
        "goals": [{"metric_name": "e3_queue_length", "target_value": 1000.0, "direction": "minimize"}],
    }


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    with ExitStack() as stack:
        pages = stack.enter_context(child([str(HERE / "slow_pages.py"), "--delay", str(arguments.delay)], folder / "pages.log"))
        port, api = first_line(pages)["port"], free_port()
        config = folder / "trimtab.yaml"
        config.write_text(json.dumps(configuration(port, api, arguments, folder)))  # YAML takes JSON
        agent = stack.enter_context(child(["-m", "trimtab", "run", "--config", str(config)], folder / "agent.log"))
        drain(agent)
        process = psutil.Process(agent.pid)
        began = time.monotonic()
        ready = _ready(api, 120.0)
        looks = []
        while time.monotonic() - began < 60.0 * arguments.minutes:
            times = process.cpu_times()
            looks.append((time.monotonic() - began, times.user + times.system))
            time.sleep(LOOK_SECONDS)
        memory = process.memory_info().rss / 1e6
        asked = time.monotonic()
        status = _ask(api, "/agent/status")
        answered = time.monotonic() - asked
        series = _ask(api, "/agent/series")
    return found_of(arguments, ready, looks, memory, status, series) | {"answer_seconds": answered}


def found_of(
    arguments: argparse.Namespace,
    ready: float,
    looks: list[tuple[float, float]],
    memory: float,
    status: Mapping[str, Any],
    series: list[Mapping[str, Any]],
) -> dict[str, Any]:
    def share(since: float, until: float) -> float:
        inside = [(at, used) for at, used in looks if since <= at <= until]
        return 100.0 * (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0]) if len(inside) > 1 else float("nan")

    end = looks[-1][0]
    return {
        "sensors": arguments.sensors,
        "interval": arguments.interval,
        "budget": arguments.budget,
        "ready_seconds": ready,
        "minutes": [share(60.0 * i, 60.0 * i + 61.0) for i in range(int(end // 60.0))],
        "last_percent": share(end - LAST_SECONDS - 1.0, end),
        "megabytes": memory,
        "read": sum(one["element"] != "trimtab" for one in series),
        "pace": status.get("pace"),
        "attention": status.get("attention"),
        "holds": len(status["holds"]),
    }


def _ready(api: int, patience: float) -> float:
    began = time.monotonic()
    while time.monotonic() - began < patience:
        try:
            _ask(api, "/healthz")
        except httpx.HTTPError:
            time.sleep(0.5)
        else:
            return time.monotonic() - began
    raise RuntimeError(f"the agent did not answer within {patience:g} s")


def _ask(port: int, path: str) -> Any:
    return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=30.0).raise_for_status().json()


def missed_bars(found: Mapping[str, Any]) -> list[str]:
    missed = []
    if not found["last_percent"] <= SLACK * found["budget"]:
        missed.append(f"CPU {found['last_percent']:.2f} %, bar {SLACK * found['budget']:g} %")
    if found["answer_seconds"] > ANSWERS:
        missed.append(f"the status took {found['answer_seconds']:.1f} s, bar {ANSWERS:g} s")
    return missed


def show(found: Mapping[str, Any], missed: list[str]) -> None:
    print(f"{found['sensors']:,} sensors every {found['interval']:g} s, budget {found['budget']:g} % of a core")
    print(f"interface there after     {found['ready_seconds']:8.1f} s")
    print("CPU, % of a core, by minute " + " ".join(f"{share:.1f}" for share in found["minutes"]))
    print(f"CPU in the last two minutes {found['last_percent']:6.2f} %   bar {SLACK * found['budget']:g} %")
    print(f"resident                  {found['megabytes']:8.0f} MB")
    print(f"sensors read so far       {found['read']:8,}")
    print(f"status answered in        {found['answer_seconds']:8.1f} s   bar {ANSWERS:g} s")
    for sentence in filter(None, (found["pace"], *(found["attention"] or ()))):
        print(f"  {sentence}")
    print("bars held" if not missed else "BAR MISSED: " + "; ".join(missed))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, default=10_000)
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between two reads, as configured")
    parser.add_argument("--delay", type=float, default=1.0, help="seconds that a page takes")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--budget", type=float, default=2.0, help="overhead.cpu_percent of the agent")
    parser.add_argument("--keep", type=Path, help="folder that keeps configuration, logs and data")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with workplace(arguments.keep) as folder:
        found = measure(arguments, folder)
    missed = missed_bars(found)
    print(json.dumps(found)) if arguments.json else show(found, missed)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
