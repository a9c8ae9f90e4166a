"""Write the first configuration: what was found, as commented YAML in which every lever asks. Pure; used by `trimtab init`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import ceil, floor, log10
from pathlib import Path

from trimtab.config.parts import METRIC_FORM, NAME_FORM
from trimtab.discovery.families import Suggestion
from trimtab.discovery.look import Found, Program, ProgramLever, Service
from trimtab.discovery.machine import Machine
from trimtab.domain.metrics import Unit
from trimtab.domain.words import format_number, format_quantity, of_metric

COMMENTS_AT = 64  # column
MOST_GAUGES = 8
WANTED_PERCENT = 85  # of memory and disks: the critical threshold of memory, and where a disk wants a look
WANTED_ERRORS, WORST_ERRORS = 0.01, 0.05  # the default thresholds of error_rate

HEAD = """\
# Written by `trimtab init`, which looked at this machine on {day}. Change what you like; then `trimtab config validate`.
# Every setting: docs/configuration.md. Completion in your editor: `trimtab config schema` prints the JSON schema.
#
# Nothing is moved without a person: every lever says `autonomy: ask`. Change one to `act` once you have seen it work.
version: 1
"""

EXAMPLES = """\
  # -- examples: take away "# " in front of what you need, from "- name:" on ------------------------------------------
  # - name: example
  #   levers:                               # settings that can be read and set; bounds are never exceeded
  #     - {name: workers, type: http, url: "http://127.0.0.1:9100/levers/workers", kind: integer, bounds: [1, 16], autonomy: ask,
  #        risk_level: 0.2, settle_seconds: 20, moves: {example_p95_seconds: down}}      # GET yields {"value": 4}, PUT takes it
  #     - {name: replicas, type: command, read: [./replicas, get], set: [./replicas, set, "{value}"], kind: integer,
  #        bounds: [1, 8], autonomy: ask}   # two programs, never a shell
  #     - {name: cache_size, type: file, path: ./shop.json, format: json, key: cache.size, kind: integer, bounds: [100, 10000],
  #        step: 100, autonomy: ask}        # a value in a file that the service reads
  #     - {name: pool, type: process, pid_file: ./shop.pid, kind: integer, bounds: [1, 8], autonomy: ask}  # by signals
  #     - {name: batch, type: sqlite, database: ./shop.db, read: "SELECT value FROM settings WHERE key = 'batch'",
  #        write: "UPDATE settings SET value = :value WHERE key = 'batch'", kind: integer, bounds: [1, 64], autonomy: ask}
  #   jobs:                                 # effects that are run once, and can be undone
  #     - {name: index_items_by_shop, type: sqlite, database: ./shop.db, index: {table: items, columns: [shop]}, autonomy: ask,
  #        moves: {example_p95_seconds: down}}
  # -- end of the examples --------------------------------------------------------------------------------------------
"""


def draft(machine: Machine, found: Found, *, folder: Path, port: int, day: str) -> str:
    """The whole file, to lie in `folder`."""
    parts = [
        HEAD.format(day=day),
        *_settings(machine, port),
        "\nelements:\n",
        *_host(machine),
        *(line for service in found.services for line in _service(service)),
        *(line for program in found.programs for line in _program(program, folder)),
        "\n",
        EXAMPLES,
        "\ngoals:\n",
        *_host_goals(machine),
        *(line for service in found.services for line in _service_goals(service)),
        *(line for program in found.programs for line in _program_goals(program)),
    ]
    return "".join(parts)


def _settings(machine: Machine, port: int) -> Iterator[str]:
    yield _line(f"timezone: {machine.timezone}", "this machine's; for what people plan by. Storage is UTC")
    yield _line("storage: {path: ./trimtab-data}", "the journal and the samples; from this file's folder")
    taken = "" if port == 8642 else "; 8642 is taken"
    yield _line(f"api: {{host: 127.0.0.1, port: {port}}}", f"REST, for this machine only{taken}")
    yield _line("# monitoring: {interval_seconds: 30, analysis_interval_seconds: 60}", "the defaults")
    yield _line("# safety: {simulation_mode: true}", "decide and journal, set nothing")


def _host(machine: Machine) -> Iterator[str]:
    yield _line("  - name: host", machine_in_words(machine))
    yield "    kind: host\n    sensors:\n"
    paths = ", ".join(_text(disk.path) for disk in machine.disks) or '"/"'
    yield _line(f"      - {{type: host, paths: [{paths}]}}", "processor, memory, disks, load, network")


def machine_in_words(machine: Machine) -> str:
    """Its cores and memory, and what a container may have of them."""
    about = f"{machine.cores} cores, {format_quantity(machine.memory_bytes, Unit.BYTES)} of memory"
    if not machine.container:
        return about
    limits = [
        f"{format_number(machine.limit_cores)} cores" if machine.limit_cores is not None else "",
        f"{format_quantity(machine.limit_memory_bytes, Unit.BYTES)}" if machine.limit_memory_bytes is not None else "",
    ]
    limit = " and ".join(each for each in limits if each)
    return f"a container, limited to {limit}; what is read is the whole machine's" if limit else f"a container; {about}"


def _host_goals(machine: Machine) -> Iterator[str]:
    fullest = max(machine.disks, key=lambda disk: disk.used_percent, default=None)
    if fullest is not None:
        now = f"now {format_number(fullest.used_percent)} %, the fullest"
        yield _goal("host_disk_usage_percent", WANTED_PERCENT, "minimize", now, ", element: host, aggregate: max")
    now = f"now {format_number(machine.memory_percent)} %"
    yield _goal("host_memory_usage_percent", WANTED_PERCENT, "minimize", now, ", element: host")


def _service(service: Service) -> Iterator[str]:
    """Its sensor, what is derived, a guard where it holds now, and where its levers would stand."""
    offer = service.offer
    yield f"\n  - name: {service.name}\n    kind: service\n    sensors:\n      - type: prometheus\n"
    yield f"        url: {_text(service.url)}\n"
    gauges = [name for name, _ in offer.gauges if _fits(METRIC_FORM, name)]
    more = f"; {len(gauges) - MOST_GAUGES} more are there" if len(gauges) > MOST_GAUGES else ""
    about = (
        f"gauges, as they are{more}; without this line: all" if gauges else "it has no gauge of its own; without this line: all"
    )
    yield _line(f"        metrics: [{', '.join(gauges[:MOST_GAUGES])}]", about)
    if offer.suggestions:
        yield _line("        derive:", "counters and histograms become what a goal can speak of")
        yield from (f"          - {_derived(each)}\n" for each in offer.suggestions)
    if offer.labelled:
        yield f"        # Errors are a label of {offer.labelled}: their ratio needs a counter of errors, or PromQL.\n"
    for each in offer.suggestions:
        if each.role == "errors" and each.now is not None and each.now < WORST_ERRORS:
            yield _line("    guards:", "a trial that breaches one is undone at once")
            yield _line(f"      - {{metric_name: {each.made.name}, max: {WORST_ERRORS}}}", _now(each))
    moved = next((f", moves: {{{each.made.name}: down}}" for each in offer.suggestions if each.role == "p95"), "")
    yield "    # levers:                               # nothing is done about this service until it has one; see the examples\n"
    yield f'    #   - {{name: workers, type: http, url: "http://…", kind: integer, bounds: [1, 8], autonomy: ask{moved}}}\n'


def _derived(each: Suggestion) -> str:
    made = each.made
    if made.quantile is not None:
        return f"{{name: {made.name}, quantile: {made.quantile:g}, of: {made.of}}}"
    if made.ratio is not None:
        return f"{{name: {made.name}, ratio: [{', '.join(made.ratio)}]}}"
    return f"{{name: {made.name}, rate: {made.rate}}}"


def _service_goals(service: Service) -> Iterator[str]:
    for each in service.offer.suggestions:
        if each.role == "rate":
            continue
        known = each.now is not None and each.now > 0.0 if each.role == "p95" else each.now is not None
        target = WANTED_ERRORS if each.role == "errors" else roomy(each.now or 0.1)
        yield _goal(each.made.name, target, "minimize", _now(each), commented=not known)


def _program(program: Program, folder: Path) -> Iterator[str]:
    """A program that uses trimtab.sdk: its sensors, and its levers, all of which ask."""
    path = Path(program.socket)
    place = f"./{path.relative_to(folder)}" if path.is_relative_to(folder) else str(path)
    yield f"\n  - name: {program.name}\n    kind: service\n    sensors:\n"
    yield _line(f"      - {{type: app, socket: {_text(place)}}}", "what its program exposes with trimtab.sdk")
    if program.levers:
        usable = any(_usable(lever) for lever in program.levers)
        yield "    levers:\n" if usable else "    # levers:\n"
        yield from (_lever(lever, place) for lever in program.levers)


def _lever(lever: ProgramLever, place: str) -> str:
    scale, now = _scale(lever), f"now {plain(lever.now)}"
    if not _usable(lever):
        return _line(f"    #   {plain(lever.name)} ({lever.kind})", f"{now}; it needs bounds or choices before it can be moved")
    text = f"      - {{name: {lever.name}, type: app, socket: {_text(place)}, {scale}, autonomy: ask, risk_level: 0.3}}"
    return _line(text, now)


def has_lever(found: Found) -> bool:
    """Whether the first configuration has any lever that can be moved."""
    return any(_usable(lever) for program in found.programs for lever in program.levers)


def _usable(lever: ProgramLever) -> bool:
    return _scale(lever) is not None and _fits(NAME_FORM, lever.name)


def _scale(lever: ProgramLever) -> str | None:
    """The kind of a lever with its limits as the configuration has them; None where it has none."""
    if lever.kind == "boolean":
        return "kind: boolean"
    if lever.kind == "choice":
        return f"kind: choice, choices: [{', '.join(_text(each) for each in lever.choices)}]" if len(lever.choices) > 1 else None
    if lever.bounds is None or lever.bounds[0] >= lever.bounds[1]:
        return None
    low, high = lever.bounds
    if lever.kind == "integer":
        return f"kind: integer, bounds: [{ceil(low)}, {floor(high)}]" if ceil(low) < floor(high) else None
    step = float(f"{(high - low) / 20:.3g}")
    return f"kind: float, bounds: [{_number(low)}, {_number(high)}], step: {step:.3g}" if step > 0.0 else None


def _program_goals(program: Program) -> Iterator[str]:
    for name, value in program.sensors.items():
        if _fits(METRIC_FORM, name):
            now = f"now {of_metric(name, value)}; or maximize?" if value is not None else "no value yet; or maximize?"
            yield _goal(name, roomy(value or 1.0), "minimize", now, f", element: {program.name}", commented=True)


def _goal(name: str, target: float, direction: str, about: str, more: str = "", *, commented: bool = False) -> str:
    text = f"- {{metric_name: {name}, target_value: {target:.12g}, direction: {direction}{more}}}"
    return _line(f"  # {text}" if commented else f"  {text}", about)


def _now(each: Suggestion) -> str:
    if each.now is None:
        return "no value: nothing was asked of it while init looked"
    return f"now {of_metric(each.made.name, each.now)}" + (", on average since it started" if each.since_start else "")


def roomy(value: float) -> float:
    """A round number with some room above a measured one, so that a goal holds until something changes.

    >>> roomy(0.034), roomy(0.9), roomy(37.0), roomy(-3.0)
    (0.05, 2.0, 50.0, 1.0)
    """
    if value <= 0.0:
        return 1.0
    wanted = 1.2 * value
    power = 10.0 ** floor(log10(wanted))
    return float(f"{next(step for step in (1.0, 2.0, 5.0, 10.0) if step * power >= wanted * (1 - 1e-9)) * power:.3g}")


def _line(text: str, comment: str) -> str:
    return f"{text.ljust(COMMENTS_AT)}  # {' '.join(comment.split())}\n"


def _text(value: str) -> str:
    """A text in quotes, in which nothing is filled in."""
    return json.dumps(value.replace("${", "$${"), ensure_ascii=False)


def _number(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def plain(value: object) -> str:
    """A value that another program told, as one short line that no terminal takes for orders."""
    return "".join(letter if letter.isprintable() else " " for letter in str(value))[:80]


def _fits(form: str, name: str) -> bool:
    return re.match(form, name) is not None
