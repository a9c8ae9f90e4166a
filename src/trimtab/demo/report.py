"""What the demo found out, as values and as one JSON document. Filled by `story`; `screen` shows it to a person.

Every number is measured: before and after come from the service's own counters, verdicts with their intervals from the journal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.demo.counters import Measured
from trimtab.demo.faults import Fault
from trimtab.demo.setup import Part
from trimtab.domain.actions import ActionRecord, ActionState, JournalRow
from trimtab.domain.levers import ABSENT
from trimtab.domain.metrics import infer_unit
from trimtab.domain.verdicts import VerdictStatus
from trimtab.domain.words import setting

KEPT = (ActionState.KEPT, ActionState.KEPT_ON_PROBATION)
NEXT = (
    "trimtab init     looks at this machine and writes a first trimtab.yaml; every lever in it asks",
    "trimtab doctor   reads each sensor and lever once, and says how to mend what it finds",
    "trimtab run      the same loop, on your service",
)


@dataclass(frozen=True)
class Check:
    """Something that the demo has to show, and whether it did."""

    name: str
    ok: bool
    detail: str


@dataclass
class Case:
    """A fault with what became of it. Times in Unix seconds; `before` and `after` in the metric's unit."""

    fault: Fault
    part: Part
    set_in_at: float
    words: str
    tried: list[ActionRecord] = field(default_factory=list)  # on this part since, oldest first
    cured_at: float | None = None  # the goal is met again, by the service's own counters, and a credited change stands
    before: float | None = None
    after: float | None = None
    measured: Measured | None = None
    measured_until: float | None = None

    @property
    def credited(self) -> list[ActionRecord]:
        """The changes that stand with credit, oldest first."""
        return [record for record in self.tried if is_credited(record)]

    @property
    def proof(self) -> ActionRecord | None:
        """The credited change with the most certain effect."""
        return max(self.credited, key=lambda record: (record.verdict.low or 0.0) if record.verdict else 0.0, default=None)

    @property
    def improved(self) -> bool:
        """Whether a change is credited by the agent, and the service's own counters say so too, their interval above zero."""
        return self.proof is not None and self.measured is not None and self.measured.better

    @property
    def seconds_to_cure(self) -> float | None:
        """From the moment at which the fault set in."""
        return None if self.cured_at is None else self.cured_at - self.set_in_at

    @property
    def was_set(self) -> str:
        """What the agent set in the end, e.g. `workers 2 → 5 → 8`; empty where nothing stands."""
        paths: dict[str, list[str]] = {}
        for record in self.credited:
            action = record.action
            path = paths.setdefault(action.lever, [setting(action.from_value)])
            path.append(setting(action.to_value))
        return ", ".join(lever if path[0] == ABSENT else f"{lever} {' → '.join(path)}" for lever, path in paths.items())


@dataclass
class Harm:
    """The harmful change made on purpose."""

    record: ActionRecord
    undone: bool
    seconds: float
    before: float | None = None
    during: float | None = None
    after: float | None = None


@dataclass
class Report:
    """The whole story. `rows` are the journal's, as they came."""

    started_at: float
    seed: int = 0
    cases: list[Case] = field(default_factory=list)
    faults_drawn: int = 0
    harm: Harm | None = None
    checks: list[Check] = field(default_factory=list)
    actions: list[ActionRecord] = field(default_factory=list)
    rows: list[JournalRow] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)  # what the demo itself did
    first_improved_at: float | None = None
    seconds: float = 0.0
    ended_early: str = ""  # why, where the story was not told to its end

    @property
    def ok(self) -> bool:
        """Whether everything was shown."""
        return bool(self.checks) and all(check.ok for check in self.checks) and not self.ended_early

    @property
    def first_improvement_seconds(self) -> float | None:
        """From the start of the demo to the first change that was kept with credit."""
        return self.first_improved_at - self.started_at if self.first_improved_at is not None else None


def is_credited(record: ActionRecord) -> bool:
    """Whether a change stands, with the verdict that it improved something."""
    return record.state in KEPT and record.verdict is not None and record.verdict.status is VerdictStatus.IMPROVED


def as_json(report: Report) -> str:
    """One document with everything in it."""
    first = report.first_improvement_seconds
    document = {
        "ok": report.ok,
        "seed": report.seed,
        "seconds": round(report.seconds, 1),
        "ended_early": report.ended_early or None,
        "first_improvement_seconds": None if first is None else round(first, 1),
        "faults": [_case(case, report.started_at) for case in report.cases],
        "harm": _harm(report.harm),
        "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in report.checks],
        "actions": [_action(record, report.started_at) for record in report.actions],
        "timeline": _timeline(report),
        "next": list(NEXT),
    }
    return json.dumps(document, indent=2, allow_nan=False)


def _case(case: Case, started_at: float) -> Mapping[str, object]:
    proof = case.proof
    verdict = proof.verdict if proof is not None else None
    measured = case.measured
    return {
        "fault": case.fault.name,
        "element": case.part.element,
        "world": case.words,
        "set_in_at": round(case.set_in_at - started_at, 1),
        "cured": case.cured_at is not None,
        "seconds_to_cure": None if case.seconds_to_cure is None else round(case.seconds_to_cure, 1),
        "improved": case.improved,
        "metric_name": case.part.metric,
        "goal": case.part.target,
        "unit": infer_unit(case.part.metric).value,
        "before": case.before,
        "after": case.after,
        "measured": None if measured is None else {"effect": measured.effect, "low": measured.low, "high": measured.high},
        "was_set": case.was_set or None,
        "action_id": proof.action_id if proof is not None else None,
        "verdict": verdict.status.value if verdict is not None else None,
        "effect": verdict.effect if verdict is not None else None,
        "low": verdict.low if verdict is not None else None,
        "high": verdict.high if verdict is not None else None,
        "tried": [record.action_id for record in case.tried],
    }


def _harm(harm: Harm | None) -> Mapping[str, object]:
    if harm is None:
        return {"undone": False, "seconds": None}
    return {
        "undone": harm.undone,
        "seconds": round(harm.seconds, 1),
        "action_id": harm.record.action_id,
        "lever": harm.record.action.lever_id,
        "to": harm.record.action.to_value,
        "before": harm.before,
        "during": harm.during,
        "after": harm.after,
    }


def _action(record: ActionRecord, started_at: float) -> Mapping[str, object]:
    verdict = record.verdict
    return {
        "action_id": record.action_id,
        "lever": record.action.lever_id,
        "from": record.action.from_value,
        "to": record.action.to_value,
        "requested": record.requested,
        "state": record.state.value,
        "reason": record.reason,
        "set_at": None if record.executed_at is None else round(record.executed_at - started_at, 1),
        "ended_at": None if record.ended_at is None else round(record.ended_at - started_at, 1),
        "verdict": verdict.status.value if verdict else None,
        "effect": verdict.effect if verdict else None,
        "low": verdict.low if verdict else None,
        "high": verdict.high if verdict else None,
        "guard_breached": record.guard_breached,
    }


def _timeline(report: Report) -> list[Mapping[str, object]]:
    """The journal's rows and what the demo did, in order of time."""
    rows: list[dict[str, object]] = [
        {
            "at": round(row.at - report.started_at, 2),
            "action_id": row.action_id,
            "state": row.to_state.value if row.to_state is not None else row.kind,
            "reason": row.reason,
        }
        for row in report.rows
    ]
    rows += [{"at": round(at - report.started_at, 2), "demo": words} for at, words in report.events]
    return sorted(rows, key=lambda row: float(str(row["at"])))
