"""How long until something is there? Each figure is the median of several starts, beside an interpreter that does nothing.

  --help     `trimtab --help`, from start to exit       bar 0.4 s
  import     `import trimtab`, less a bare interpreter   bar 50 ms
  serving    `trimtab run` to the first answer of 200 at /readyz, with the interface on and a sensor, a goal and a lever   bar 2 s

The CPU that it took stands beside: on a busy machine that is the figure to compare.

Usage: python benchmarks/startup.py [--starts 7] [--json]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from overhead import configuration
from services.child import HERE, child, drain, end, first_line, free_port, start

BARS = {"--help": 0.4, "import": 0.05, "serving": 2.0}  # seconds
TRIMTAB = Path(sys.executable).with_name("trimtab")
PATIENCE = 30.0


@dataclass(frozen=True)
class Start:
    """What one kind of start took, in seconds: medians."""

    what: str
    wall: float
    cpu: float


def timed(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a program from start to exit."""
    used, began = _children(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began, _children() - used


def served(folder: Path, port: int) -> tuple[float, float]:
    """The same of the agent until it answers; its data folder is new."""
    api, config = free_port(), folder / "trimtab.yaml"
    config.write_text(json.dumps(configuration(port, api, 30.0, folder, None)))
    with open(folder / "log", "a") as log:
        began = time.perf_counter()
        process = start(["-m", "trimtab", "run", "--config", str(config)], log)
        try:
            drain(process)
            while not _ready(api):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                    raise RuntimeError(f"the agent did not start: {(folder / 'log').read_text()}")
                time.sleep(0.005)
            return time.perf_counter() - began, _used_by(process.pid)
        finally:
            end(process)


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _used_by(pid: int) -> float:
    import psutil

    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def measure(starts: int) -> list[Start]:
    """Every kind of start; what is compared is started by turns."""
    bare, helped, imported, serving = [], [], [], []
    timed([str(TRIMTAB), "--help"])  # compiled, and in the file cache
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with child([str(HERE / "exporter.py"), "--gauges", "196"], folder / "exporter.log") as exporter:
            port = first_line(exporter)["port"]
            for i in range(starts):
                bare.append(timed([sys.executable, "-c", "pass"]))
                imported.append(timed([sys.executable, "-c", "import trimtab"]))
                helped.append(timed([str(TRIMTAB), "--help"]))
                own = folder / str(i)
                own.mkdir()
                serving.append(served(own, port))
    nothing = _median("bare interpreter", bare)
    whole = _median("import", imported)
    alone = Start("import", max(0.0, whole.wall - nothing.wall), max(0.0, whole.cpu - nothing.cpu))
    return [nothing, _median("--help", helped), alone, _median("serving", serving)]


def _median(what: str, found: list[tuple[float, float]]) -> Start:
    return Start(what, statistics.median(wall for wall, _ in found), statistics.median(cpu for _, cpu in found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ.pop("TRIMTAB_CONFIG", None)
    found = measure(arguments.starts)
    missed = [one.what for one in found if one.wall > BARS.get(one.what, PATIENCE)]
    if arguments.json:
        print(json.dumps({"starts": [asdict(one) for one in found], "missed": missed}, indent=2))
    else:
        print(f"{'':18}{'median':>10}{'of it CPU':>12}{'bar':>8}   ({arguments.starts} starts)")
        for one in found:
            bar = f"{BARS[one.what]:.2f}" if one.what in BARS else ""
            print(f"{one.what:18}{one.wall:9.3f}s{one.cpu:11.3f}s{bar:>8}")
        print("bar held" if not missed else f"BAR MISSED: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
