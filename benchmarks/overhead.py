"""What does the agent cost? CPU and memory of a real `trimtab run` that watches a real exporter, with the interface on.

The exporter (`services/exporter.py`) shows as many gauges as there are series to watch, and half as many counters and buckets
beside them; two goals, a guard and an HTTP lever; everything else is the default. CPU is the agent's own processor time (user
and system) over the window after a warm-up, in per cent of one core, so that a busy machine disturbs it little. Beside it, in
the same minutes, run a process that serves an empty ASGI app and one that only fetches and parses the page: ratios are told.

  bar     200 series at 30 s    at most 0.3 % of a core, at most 80 MB resident
          1,000 series at 1 s   at most 3 % of a core
          --budget B            an agent that may use B % ends at most half above it, by reading less often

Usage: python benchmarks/overhead.py [--series 200] [--interval 30] [--minutes 10 | --seconds S] [--warm-up S] [--budget B]
       [--keep FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent))

from services.child import HERE, child, drain, first_line, free_port, workplace

CPU_BAR_SLOW, CPU_BAR_FAST = 0.3, 3.0  # per cent of one core: at 30 s, and at 1 s
MEMORY_BAR = 80.0  # MB resident
BUDGET_SLACK = 1.5  # times the budget, at the end of the window
OURS = 4  # of the series watched: up, a quantile, a rate, a ratio
MB = 1e6


@dataclass(frozen=True)
class Cost:
    """What one process used over the window."""

    who: str
    cpu_percent: float
    last_minute_percent: float
    megabytes: float
    grown_megabytes: float


class Meter:
    """Processor time and memory of one process from `begin` on."""

    def __init__(self, who: str, pid: int) -> None:
        self.who, self._process = who, psutil.Process(pid)
        self._marks: list[tuple[float, float]] = []
        self._memory = 0.0

    def begin(self) -> None:
        self._marks = [self._mark()]
        self._memory = self._resident()

    def look(self) -> None:
        self._marks.append(self._mark())

    def cost(self) -> Cost:
        self.look()
        (start, used), (end, total) = self._marks[0], self._marks[-1]
        since, before = next((mark for mark in self._marks if mark[0] >= end - 60.0), self._marks[0])
        share, lately = (total - used) / (end - start), (total - before) / max(end - since, 1e-9)
        return Cost(self.who, 100.0 * share, 100.0 * lately, self._resident(), self._resident() - self._memory)

    def _mark(self) -> tuple[float, float]:
        times = self._process.cpu_times()
        return time.monotonic(), times.user + times.system

    def _resident(self) -> float:
        return self._process.memory_info().rss / MB


def configuration(port: int, api: int, interval: float, folder: Path, budget: float | None) -> Mapping[str, Any]:
    """The agent's: defaults wherever there is one."""
    sensor = {
        "type": "prometheus",
        "url": f"http://127.0.0.1:{port}/metrics",
        "derive": [
            {"name": "shop_p95_seconds", "quantile": 0.95, "of": "http_request_duration_seconds"},
            {"name": "shop_requests_per_second", "rate": "http_requests_total"},
            {"name": "shop_error_ratio", "ratio": ["http_errors_total", "http_requests_total"]},
        ],
    }
    setting = f"http://127.0.0.1:{port}/levers/workers"
    lever = {"name": "workers", "type": "http", "url": setting, "kind": "integer", "bounds": [1, 16]}
    guard = {"metric_name": "shop_error_ratio", "max": 0.05}
    return {
        "version": 1,
        "storage": {"path": str(folder / "data")},
        "api": {"port": api},
        "collection_interval_seconds": interval,
        "elements": [{"name": "shop", "sensors": [sensor], "levers": [lever], "guards": [guard]}],
        "goals": [
            {"metric_name": "shop_p95_seconds", "target_value": 5.0, "direction": "minimize"},
            {"metric_name": "shop_requests_per_second", "target_value": 1.0, "direction": "maximize"},
        ],
    } | ({} if budget is None else {"overhead": {"cpu_percent": budget}})


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Start everything, let it warm up, and measure all of it over the same window."""
    with ExitStack() as stack:
        shown = ["--gauges", str(arguments.series - OURS)]
        exporter = stack.enter_context(child([str(HERE / "exporter.py"), *shown], folder / "exporter.log"))
        port, api = first_line(exporter)["port"], free_port()
        config = folder / "trimtab.yaml"
        config.write_text(json.dumps(configuration(port, api, arguments.interval, folder, arguments.budget)))  # YAML takes JSON
        meters = [Meter(who, pid) for who, pid in _start(stack, config, port, arguments.interval, folder)]
        time.sleep(arguments.warm_up)
        watched = _ask(api, "/agent/series")
        for meter in meters:
            meter.begin()
        for _ in _beats(arguments.window, 5.0):
            for meter in meters:
                meter.look()
        costs = [meter.cost() for meter in meters]
        status = _ask(api, "/agent/status")
    return {
        "series": len([one for one in watched if one["element"] == "shop"]),
        "interval_seconds": arguments.interval,
        "window_seconds": arguments.window,
        "budget_percent": arguments.budget,
        "costs": [asdict(cost) for cost in costs],
        "holds": status["holds"],
        "pace": status.get("pace"),
    }


def _start(stack: ExitStack, config: Path, port: int, interval: float, folder: Path) -> Iterator[tuple[str, int]]:
    page = f"http://127.0.0.1:{port}/metrics"
    for who, command in (
        ("agent", ["-m", "trimtab", "run", "--config", str(config)]),
        ("bare", [str(HERE / "bystanders.py"), "bare"]),
        ("reader", [str(HERE / "bystanders.py"), "reader", "--url", page, "--interval", str(interval)]),
    ):
        process = stack.enter_context(child(command, folder / f"{who}.log"))
        drain(process)
        yield who, process.pid


def _beats(seconds: float, every: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0.0:
        time.sleep(min(every, left))
        yield


def _ask(port: int, path: str) -> Any:
    return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=10.0).raise_for_status().json()


def missed_bars(found: Mapping[str, Any]) -> list[str]:
    """What the agent used too much of."""
    agent = found["costs"][0]
    if found["budget_percent"] is not None:
        bar = BUDGET_SLACK * found["budget_percent"]
        over = agent["last_minute_percent"] > bar
        return [f"CPU {agent['last_minute_percent']:.2f} % in the last minute, bar {bar:g} %"] if over else []
    bar = CPU_BAR_FAST if found["interval_seconds"] < 10.0 else CPU_BAR_SLOW
    missed = [f"CPU {agent['cpu_percent']:.2f} %, bar {bar:g} %"] if agent["cpu_percent"] > bar else []
    if bar == CPU_BAR_SLOW and agent["megabytes"] > MEMORY_BAR:
        missed.append(f"{agent['megabytes']:.1f} MB resident, bar {MEMORY_BAR:g} MB")
    return missed


def show(found: Mapping[str, Any], missed: list[str]) -> None:
    """The table."""
    agent = found["costs"][0]
    budget = "" if found["budget_percent"] is None else f", budget {found['budget_percent']:g} %"
    print(f"{found['series']} series every {found['interval_seconds']:g} s, {found['window_seconds']:g} s measured{budget}")
    print(f"{'':10}{'CPU, % of a core':>18}{'last minute':>13}{'resident MB':>13}{'grown MB':>10}{'agent : it':>12}")
    for cost in found["costs"]:
        ratio = agent["cpu_percent"] / max(cost["cpu_percent"], 1e-9)
        print(
            f"{cost['who']:10}{cost['cpu_percent']:18.3f}{cost['last_minute_percent']:13.3f}{cost['megabytes']:13.1f}"
            f"{cost['grown_megabytes']:10.2f}{ratio:12.2f}"
        )
    for hold in found["holds"]:
        print(f"  {hold}")
    if found["pace"]:
        print(f"  {found['pace']}")
    print("bar held" if not missed else "BAR MISSED: " + "; ".join(missed))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two reads")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, help="of the window, instead of minutes")
    parser.add_argument("--warm-up", type=float, help="seconds before the window; default: 40 reads, within 40 to 90 s")
    parser.add_argument("--budget", type=float, help="overhead.cpu_percent of the agent")
    parser.add_argument("--keep", type=Path, help="folder that keeps configuration, logs and data")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.window = arguments.seconds if arguments.seconds is not None else 60.0 * arguments.minutes
    if arguments.warm_up is None:
        arguments.warm_up = min(90.0, max(40.0, 40.0 * arguments.interval))
    with workplace(arguments.keep) as folder:
        found = measure(arguments, folder)
    missed = missed_bars(found)
    print(json.dumps(found | {"missed": missed}, indent=2)) if arguments.json else show(found, missed)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
