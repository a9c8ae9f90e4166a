"""What the demo found out, as values, as one JSON document, and as tables for a person. Filled by `story`, printed last.

Every number is measured: what clients felt comes from the load generator, effect and interval from the verdicts in the journal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.demo.load import ClientView
from trimtab.domain.actions import ActionRecord, JournalRow
from trimtab.domain.metrics import Unit
from trimtab.domain.words import format_quantity

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NEXT = (
    "Describe a service of yours in trimtab.yaml: its sensors, levers, guards and goals (the README shows one).",
    "trimtab config validate --config trimtab.yaml    finds every mistake at once",
    "trimtab run --config trimtab.yaml                the same loop as here, on your service",
)


@dataclass(frozen=True)
class Phase:
    """A stretch of the story and what clients felt in it."""

    name: str
    view: ClientView | None


@dataclass(frozen=True)
class Check:
    """Something that the demo has to show, and whether it did."""

    name: str
    ok: bool
    detail: str


@dataclass
class Report:
    """The whole story. `rows` are the journal's, as they came."""

    started_at: float
    phases: list[Phase] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    actions: list[ActionRecord] = field(default_factory=list)
    rows: list[JournalRow] = field(default_factory=list)
    seconds: float = 0.0
    ended_early: str = ""  # why, where the story was not told to its end

    @property
    def ok(self) -> bool:
        """Whether everything was shown."""
        return bool(self.checks) and all(check.ok for check in self.checks) and not self.ended_early


def as_json(report: Report) -> str:
    """One document with everything in it."""
    document = {
        "ok": report.ok,
        "ended_early": report.ended_early or None,
        "seconds": round(report.seconds, 1),
        "phases": [{"name": phase.name, **_plain(phase.view)} for phase in report.phases],
        "actions": [_action(record) for record in report.actions],
        "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in report.checks],
        "timeline": [
            {"at": round(row.at - report.started_at, 2), "action_id": row.action_id, "state": row.to_state, "reason": row.reason}
            for row in report.rows
        ],
        "next": list(NEXT),
    }
    return json.dumps(document, indent=2)


def show(report: Report, console: Console) -> None:
    """The tables, the checks, and what to do next."""
    console.print()
    console.print(_felt(report))
    console.print(_judged(report))
    for check in report.checks:
        mark = "[green]ok  [/]" if check.ok else "[red]FAIL[/]"
        console.print(f"{mark} {check.name}: {check.detail}", highlight=False, soft_wrap=True)
    if report.ended_early:
        console.print(f"[red]FAIL[/] {report.ended_early}", highlight=False, soft_wrap=True)
    console.print(
        f"\n{'All shown' if report.ok else 'Not all was shown'} in {report.seconds:.0f} s. What to do next:", highlight=False
    )
    for line in NEXT:
        console.print(f"  {line}", highlight=False, soft_wrap=True)


def _felt(report: Report) -> Table:
    from rich.table import Table

    table = Table(title="What clients felt, before → after", title_justify="left")
    table.add_column("")
    for phase in report.phases:
        table.add_column(phase.name, justify="right")
    views = [phase.view for phase in report.phases]
    table.add_row("p95 of good answers", *(_duration(view.p95_seconds if view else None) for view in views))
    table.add_row("requests that failed", *(format_quantity(view.error_ratio if view else None, Unit.RATIO) for view in views))
    table.add_row("good answers", *(format_quantity(view.good_per_second if view else None, Unit.PER_SECOND) for view in views))
    return table


def _judged(report: Report) -> Table:
    from rich.table import Table

    table = Table(title="What the agent made of each change", title_justify="left")
    for heading in ("change", "asked by", "effect on p95", "95 % interval", "verdict", "outcome", "took"):
        table.add_column(heading)
    for record in report.actions:
        action, began, ended = record.action, record.executed_at, record.ended_at
        table.add_row(
            f"{action.lever} {action.from_value} → {action.to_value}",
            record.approved_by or ("a person" if record.requested else "the agent"),
            _effect(record),
            _interval(record),
            record.verdict.status.value if record.verdict is not None else record.rollback_reason or "none",
            record.state.value.replace("_", " "),
            f"{ended - began:.1f} s" if began is not None and ended is not None else "",
        )
    return table


def _effect(record: ActionRecord) -> str:
    """How the metric changed; the verdict counts better as positive, and p95 is better when it falls."""
    effect = record.verdict.effect if record.verdict is not None else None
    return "not measured" if effect is None else f"{-effect:+.0%}"


def _interval(record: ActionRecord) -> str:
    """The interval of that change."""
    verdict = record.verdict
    if verdict is None or verdict.low is None or verdict.high is None:
        return ""
    return f"{-verdict.high:+.0%} to {-verdict.low:+.0%}"


def _duration(seconds: float | None) -> str:
    return format_quantity(seconds * 1000.0, Unit.MILLISECONDS) if seconds is not None else "none"


def _plain(view: ClientView | None) -> dict[str, float | None]:
    return {
        "p95_seconds": view.p95_seconds if view else None,
        "error_ratio": round(view.error_ratio, 4) if view else None,
        "good_per_second": round(view.good_per_second, 1) if view else None,
    }


def _action(record: ActionRecord) -> dict[str, object]:
    verdict = record.verdict
    return {
        "action_id": record.action_id,
        "lever": record.action.lever_id,
        "from": record.action.from_value,
        "to": record.action.to_value,
        "requested": record.requested,
        "state": record.state.value,
        "reason": record.reason,
        "executed_at": record.executed_at,
        "ended_at": record.ended_at,
        "verdict": verdict.status.value if verdict else None,
        "effect": verdict.effect if verdict else None,
        "low": verdict.low if verdict else None,
        "high": verdict.high if verdict else None,
        "guard_breached": record.guard_breached,
    }
