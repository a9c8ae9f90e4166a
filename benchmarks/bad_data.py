"""Bad data: 1,000 generated cases against the whole agent, and a checker that shares no code with it.

    python benchmarks/bad_data.py [--cases 1000] [--seed 0] [--http 40] [--json]

null, NaN, ±inf, text, zero on error, stale, late, clock back and ahead, HTTP 500, time-out, a sensor that breaks, a metric gone:
on the goal, the guard or both; from a healthy state, in a fault, while a trial settles, is verified, is on probation; for one
cycle or for ever, with the truth better or worse meanwhile. Most on a virtual clock, `--http` of them over real HTTP.

The bar: no action rests on it, HOLD is shown within one cycle, and the agent goes on afterwards. Agents that were made credulous
on purpose have to be caught. Exits 1 on any violation, or where a credulous agent goes unnoticed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from unittest.mock import PropertyMock, patch

from bad_worlds import FOR_EVER, GOAL, GUARD, Case, Scene, Tape, draw
from trimtab.assembly.logs import silence
from trimtab.domain.actions import ActionState as S
from trimtab.domain.metrics import Health, Trust
from trimtab.domain.verdicts import VerdictStatus

Span = tuple[float, float]
STANDING = (S.KEPT, S.KEPT_ON_PROBATION)
EPSILON = 1e-6


def bad_span(tape: Tape, metric: str) -> Span | None:
    """From the first bad read of `metric` until the next good one; None where none was bad long enough to be one."""
    first = next((at for at, good in tape.reads[metric] if not good), None)
    if first is None:
        return None
    end = next((at for at, good in tape.reads[metric] if good and at > first), float("inf"))
    if tape.stale_after is not None:  # an old sample is bad once it is older than it may be, at the next read
        last = max((at for at, good in tape.reads[metric] if good and at < first), default=first)
        old = (at for at, _ in tape.reads[metric] if first <= at < end and at - last > tape.stale_after)
        found = next(old, None)
        return None if found is None else (found, end)
    return first, end


def violations(case: Case, tape: Tape, slack: float = 0.0, on_the_way: float = 0.0) -> Iterator[str]:
    """The name of every law that the agent broke.

    On a real clock, in seconds: `slack` is what things may take longer, `on_the_way` how long a sample may take to the agent.
    """
    spans = {metric: span for metric in case.metrics if (span := bad_span(tape, metric)) is not None}
    if not spans:
        return
    for metric, span in spans.items():
        if span[1] - span[0] > on_the_way:  # else good again, in the same turn, before anybody could look
            yield from _hold_shown(tape, metric, span, slack)
    blind = [(start + on_the_way, end) for start, end in spans.values()]
    yield from _nothing_new(tape, blind)
    yield from _no_credit(tape, blind, 2 if slack else 0)  # on a real clock sent and received are two moments
    yield from _nothing_believed(tape)
    yield from _afterwards(case, tape, list(spans.values()), slack)


def _during(at: float, spans: list[Span]) -> bool:
    return any(start - EPSILON <= at < end - EPSILON for start, end in spans)


def _hold_shown(tape: Tape, metric: str, span: Span, slack: float) -> Iterator[str]:
    """From one cycle after the first bad sample until data are good again: the state is hold, and the metric is named."""
    start, end = span
    due = start + tape.interval + slack
    held = [(at, state == "hold" and any("HOLD" in one and metric in one for one in holds)) for at, state, holds in tape.looks]
    if not any(shown for at, shown in held if start - EPSILON <= at <= min(due, end + slack) + EPSILON):
        yield "HOLD shown within one cycle"
    if not all(shown for at, shown in held if due + EPSILON < at < end - EPSILON):
        yield "HOLD shown as long as it lasts"


def _nothing_new(tape: Tape, spans: list[Span]) -> Iterator[str]:
    """Nothing is begun, and levers move only back to where a trial found them."""
    if any(row.to_state is S.APPLYING and _during(row.at, spans) for row in tape.rows):
        yield "no new action"
    found: dict[str, object] = {}
    for at, lever, before, after in tape.sets:
        if _during(at, spans) and found.get(lever, after) != after:
            yield "no lever moved but back"
        if _during(at, spans) and lever not in found:
            yield "no lever moved but back"
        found[lever] = before


def _no_credit(tape: Tape, spans: list[Span], margin: int) -> Iterator[str]:
    """No trial is kept while its data are bad, and none is credited from more samples than were good."""
    if any(row.to_state in STANDING and _during(row.at, spans) for row in tape.rows):
        yield "nothing kept while blind"
    times = [at for at, good in tape.reads[GOAL] if good]
    for record in tape.records:
        verdict, began = record.verdict, record.executed_at
        if verdict is None or began is None or verdict.status is not VerdictStatus.IMPROVED:
            continue
        settled = began + record.action.settle_seconds
        after, before = sum(at >= settled - EPSILON for at in times), sum(at < began for at in times)
        if verdict.n_after > after + margin or verdict.n_before > before + margin:
            yield "no credit from bad samples"
        if record.success and record.ended_at is not None and _during(record.ended_at, spans):
            yield "no success while blind"


def _nothing_believed(tape: Tape) -> Iterator[str]:
    """What the agent remembers was really delivered, and good."""
    if any(set(kept) - tape.sent[metric] for metric, kept in tape.kept.items() if tape.sent[metric]):
        yield "no bad sample remembered"


def _afterwards(case: Case, tape: Tape, spans: list[Span], slack: float) -> Iterator[str]:
    """With good data again the agent goes on; without, what was on trial has been taken back."""
    good = max(end for _, end in spans)
    last, state, _ = tape.looks[-1]
    if last > good + 10 * tape.interval + slack and state != "running":
        yield "goes on afterwards"
    acted = any(row.to_state is S.APPLYING and row.at >= good - EPSILON for row in tape.rows)
    untried = not any(record.executed_at for record in tape.records)
    idle = case.moment == "fault" and untried and not acted and tape.missed and last > good + 30 * tape.interval
    if idle and (case.truth != "worse" or case.metrics == (GOAL,)):
        yield "acts again afterwards"
    if case.cycles >= FOR_EVER:
        started = [record for record in tape.records if record.executed_at is not None]
        if any(not record.state.terminal for record in started):
            yield "a blind trial ends"


# ---------------------------------------------------------------- agents that were made credulous on purpose


def _trusts() -> AbstractContextManager[object]:
    return patch("trimtab.monitor.tracks.Track.trust", lambda self, now, interval: Trust(Health.OK))


def _believes_zeros() -> AbstractContextManager[object]:
    return patch("trimtab.monitor.monitor.why_suspect", lambda *about, **more: None)


def _forgets_age() -> AbstractContextManager[object]:
    return patch("trimtab.monitor.tracks._staleness", lambda age, interval: None)


def _goes_by_the_verdict() -> AbstractContextManager[object]:
    return patch("trimtab.execute.trial._untrusted", lambda seen: None)


def _says_nothing() -> AbstractContextManager[object]:
    return patch("trimtab.loop.desk.Desk.holds", PropertyMock(return_value=()))


CREDULOUS: Mapping[str, tuple[Callable[[], AbstractContextManager[object]], Callable[[Case], bool]]] = {
    "trusts everything": (_trusts, lambda case: case.moment == "fault" and case.cycles >= 8),
    "believes zeros": (_believes_zeros, lambda case: case.kind == "zero on error"),
    "forgets the age of a sample": (_forgets_age, lambda case: case.kind == "stale"),
    "goes by the verdict alone": (
        _goes_by_the_verdict,
        lambda case: case.moment == "verifying" and case.cycles >= 8 and case.metrics == (GUARD,),
    ),
    "says nothing": (_says_nothing, lambda case: True),
}


# ---------------------------------------------------------------- running


def play(case: Case, seed: int) -> tuple[bool, set[str], Tape]:
    """One case on a virtual clock: whether its moment came, and the laws that were broken."""
    scene = Scene(case, seed)
    reached = asyncio.run(scene.play())
    return reached, set(violations(case, scene.tape)) if reached else set(), scene.tape


def run(cases: int, seed: int) -> tuple[Counter[str], Counter[str], list[tuple[Case, set[str]]], int]:
    """Play `cases` cases whose moment came: how many of each kind and moment, those that broke a law, and how many fell out."""
    kinds, moments, broken, number = Counter[str](), Counter[str](), [], 0
    while sum(kinds.values()) < cases and number < 2 * cases + 50:
        case = draw(number, seed)
        number += 1
        reached, found, _ = play(case, seed)
        if reached:
            kinds[case.kind] += 1
            moments[case.moment] += 1
            if found:
                broken.append((case, found))
    return kinds, moments, broken, number - sum(kinds.values())


def over_http(cases: int, seed: int) -> list[tuple[Case, set[str]]]:
    """Cases over real HTTP on the wall clock, each with the laws that were broken."""
    import bad_http

    return bad_http.run(cases, seed) if cases else []


def unnoticed(seed: int, tries: int = 12) -> tuple[dict[str, str], list[str]]:
    """The laws that caught each credulous agent in `tries` cases that fit it, and the agents that nothing caught."""
    caught: dict[str, str] = {}
    for name, (made, fits) in CREDULOUS.items():
        fitting = (case for number in range(100 * tries) if fits(case := draw(number, seed)))
        with made():
            found = {law for case in itertools.islice(fitting, tries) for law in play(case, seed)[1]}
        if found:
            caught[name] = ", ".join(sorted(found))
    return caught, [name for name in CREDULOUS if name not in caught]


def main() -> int:
    """Run the benchmark; 0 where every law held and every credulous agent was caught."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--http", type=int, default=40, help="how many of them over real HTTP")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    silence()
    began = time.monotonic()
    played = over_http(min(options.http, options.cases), options.seed)
    kinds, moments, broken, fell_out = run(options.cases - len(played), options.seed)
    kinds.update(f"{case.kind} over HTTP" for case, _ in played)
    moments.update(case.moment for case, _ in played)
    broken += [(case, found) for case, found in played if found]
    caught, missed = unnoticed(options.seed)
    laws = Counter(law for _, found in broken for law in found)
    total = sum(kinds.values())
    passed = not broken and not missed and total == options.cases
    if options.json:
        examples = [{"case": case.__dict__, "broken": sorted(found)} for case, found in broken[:20]]
        report = {"cases": total, "kinds": kinds, "moments": moments, "violations": laws, "examples": examples, "caught": caught,
                  "unnoticed": missed, "passed": passed, "seconds": round(time.monotonic() - began, 1)}  # fmt: skip
        print(json.dumps(report, indent=2))
        return 0 if passed else 1
    print(f"{total} cases in {time.monotonic() - began:.0f} s ({fell_out} more never reached their moment)")
    for kind, count in kinds.items():
        print(f"  {kind:24} {count:5}")
    print(f"moments: {', '.join(f'{name} {count}' for name, count in moments.most_common())}")
    print(f"violations: {dict(laws) or 0}")
    for case, found in broken[:10]:
        print(f"  case {case.number}: {case}: {', '.join(sorted(found))}")
    for name in CREDULOUS:
        print(f"credulous on purpose, {name}: {caught.get(name, 'NOT CAUGHT')}")
    return 0 if passed else 1


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
