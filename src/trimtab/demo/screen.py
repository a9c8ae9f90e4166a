"""How the demo looks: a line for everything that happens, how each part fares below them while it runs, tables at the end.

On a terminal the parts are drawn live with their recent course; where the output is piped there are only the lines, uncoloured.
"""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from trimtab.demo.counters import Counters, Measured
from trimtab.demo.report import KEPT, NEXT, Case, Report, is_credited
from trimtab.demo.setup import PARTS, Part
from trimtab.domain.actions import ActionRecord, ActionState, JournalRow
from trimtab.domain.metrics import Unit, infer_unit
from trimtab.domain.words import format_quantity, of_metric, setting

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

PIPED_WIDTH = 120  # columns where the output is no terminal
TRACE = 24  # seconds drawn of each part
REFRESH = 2.0  # a second
_BARS = "▁▂▃▄▅▆▇█"
_MARKS = {"fault": ("✗", "red"), "try": ("→", "cyan"), "kept": ("✓", "green"), "undone": ("↶", "yellow"), "say": (" ", "")}


class Screen:
    """Where the story is told. Used as a context: within it the parts are drawn, where a person watches."""

    def __init__(self, console: Console, counters: Counters, started_at: float) -> None:
        self._console, self._counters, self._started_at = console, counters, started_at
        self._live: Live | None = None
        self.waiting_for = ""
        self.agent_says = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.quiet:
            from rich.live import Live

            self._live = Live(console=self._console, get_renderable=self._now, refresh_per_second=REFRESH, transient=True)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str, mark: str = "say", at: float | None = None) -> None:
        """Tell one thing that happened."""
        from rich.table import Table
        from rich.text import Text

        sign, style = _MARKS[mark]
        line = Table.grid(padding=(0, 1))
        line.add_column(justify="right", width=5, style="dim")
        line.add_column(width=1)
        line.add_column(overflow="fold")
        elapsed = (at if at is not None else time.time()) - self._started_at
        line.add_row(f"{elapsed:.0f} s", Text(sign, style=style), Text(text, style=style if mark != "say" else ""))
        self._console.print(line)

    def _now(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        for part in PARTS.values():
            course = self._counters.trace(part, TRACE)
            value = course[-1] if course else None
            style = "" if value is None else "green" if part.met_by(value) else "red"
            grid.add_row(
                Text(f"  {part.element}", style="bold"),
                Text(part.title, style="dim"),
                Text(sparkline(course, part), style=style),
                Text(quantity(part.metric, value) if value is not None else "…", style=style, justify="right"),
                Text(_goal(part), style="dim"),
            )
        outer = Table.grid()
        outer.add_row("")
        outer.add_row(grid)
        below = f"  {time.time() - self._started_at:.0f} s · {self.agent_says or self.waiting_for}"
        outer.add_row(Text(below, style="dim italic", overflow="ellipsis", no_wrap=True))
        return outer


def sparkline(values: list[float], part: Part) -> str:
    """The course of a part; half-way up is its goal, on a logarithmic scale for what spans so much.

    >>> sparkline([0.0125, 0.025, 0.1], PARTS["orders"])
    '▃▄▇'
    """
    drawn = ""
    for value in values:
        share = value / part.target if part.metric.endswith("_seconds") else 1.0
        height = 0.5 + math.log(max(share, 1e-3)) / math.log(64.0) if share != 1.0 else value * 0.999
        drawn += _BARS[min(max(int(height * len(_BARS)), 0), len(_BARS) - 1)]
    return drawn


def _goal(part: Part) -> str:
    return f"goal: at {'most' if part.direction.sign < 0 else 'least'} {quantity(part.metric, part.target)}"


def telling(row: JournalRow, record: ActionRecord) -> tuple[str, str] | None:
    """What a row of the journal says to a person, with its mark; None for steps that only the journal needs."""
    action, state = record.action, row.to_state
    if row.kind != "transition" or state is None:
        return None
    if state is ActionState.SCHEDULED:
        if record.requested:
            return f"{action.move}, {row.reason}", "try"
        return f"{action.trigger}; trying {action.move}", "try"
    if state in KEPT:
        credited = state is ActionState.KEPT or is_credited(record)
        return f"{action.move} {_words(state)}: {_outcome(record)}", "kept" if credited else "say"
    if state in (ActionState.ROLLED_BACK, ActionState.STEPPED_BACK):
        return f"{action.lever_id} back at {setting(action.from_value)}: {_outcome(record)}", "undone"
    if state in (ActionState.YIELDED, ActionState.FAILED):
        return f"{action.move} {_words(state)}: {row.reason}", "undone"
    if state is ActionState.ROLLBACK_FAILED:
        return f"{action.move} could not be undone: {row.reason}", "fault"
    return None


def _words(state: ActionState) -> str:
    return state.value.replace("_", " ")


def quantity(metric: str, value: float | None) -> str:
    """A value of a metric; short times in milliseconds.

    >>> quantity("items_p95_seconds", 0.0261), quantity("pages_hit_ratio", 0.923)
    ('26.1 ms', '92.3 %')
    """
    if value is not None and value < 1.0 and infer_unit(metric) is Unit.SECONDS:
        return format_quantity(1000.0 * value, Unit.MILLISECONDS)
    return of_metric(metric, value)


def _outcome(record: ActionRecord) -> str:
    """Why a trial ended as it did, in a few words; the journal has all of them."""
    verdict = record.verdict
    if record.guard_breached is not None or verdict is None:
        return record.rollback_reason or record.reason
    if verdict.low is None or verdict.high is None or verdict.effect is None:
        return verdict.reason
    if not verdict.conclusive:
        rest = "; the goal is met" if record.state in KEPT else ""
        return f"no effect is proven (it lies between {_per_cent(verdict.low)} and {_per_cent(verdict.high)}){rest}"
    effect = Measured(verdict.effect, verdict.low, verdict.high)
    return f"proven {better(effect)}" if effect.low and effect.low > 0 else f"proven worse ({better(effect)})"


def _per_cent(share: float) -> str:
    return f"{100 * share:+.0f} %" if abs(share) < 10 else f"{'−' if share < 0 else '+'}1,000 % or more"


def show(report: Report, console: Console) -> None:
    """The tables, the checks, and what to do next."""
    console.print()
    if report.cases:
        console.print(_faults(report))
    if report.harm is not None:
        console.print(_harm(report))
    for check in report.checks:
        mark = "[green]ok  [/]" if check.ok else "[red]FAIL[/]"
        console.print(f"{mark} {check.name}: {check.detail}", highlight=False)
    if report.ended_early:
        console.print(f"[red]FAIL[/] {report.ended_early}", highlight=False)
    outcome = "All shown" if report.ok else "Not all was shown"
    again = f"`trimtab demo --seed {report.seed}` draws the same faults."
    console.print(f"\n{outcome} in {report.seconds:.0f} s; {again} What to do next:", highlight=False)
    for line in NEXT:
        console.print(f"  {line}", highlight=False, soft_wrap=True)


def _faults(report: Report) -> Table:
    table = _table("Each fault: what the service itself measured, and the agent's verdict with its interval")
    for heading in ("fault", "before → after", "what was set", "effect by the verdict", "cured in"):
        table.add_column(heading)
    for case in report.cases:
        metric = case.part.metric
        table.add_row(
            case.fault.name,
            f"{_short(case.part)} {quantity(metric, case.before)} → {quantity(metric, case.after)}",
            case.was_set or "nothing that helped",
            _verdict(case),
            f"{case.seconds_to_cure:.0f} s" if case.seconds_to_cure is not None else "not cured",
        )
    return table


def _short(part: Part) -> str:
    """A part's metric beside the fault that names the part.

    >>> _short(PARTS["pages"]), _short(PARTS["items"])
    ('hits', 'p95')
    """
    name = part.metric.removeprefix(f"{part.element}_").removesuffix("_seconds")
    return "hits" if name == "hit_ratio" else name


def _harm(report: Report) -> Table:
    harm = report.harm
    assert harm is not None
    part = PARTS[harm.record.action.element]
    table = _table("The harmful change, made on purpose")
    for heading in ("change", "before → during → after", "outcome"):
        table.add_column(heading)
    values = " → ".join(quantity(part.metric, value) for value in (harm.before, harm.during, harm.after))
    outcome = f"undone after {harm.seconds:.1f} s" if harm.undone else _words(harm.record.state)
    table.add_row(harm.record.action.move, f"{_short(part)} {values}", outcome)
    return table


def _table(title: str) -> Table:
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)


def _verdict(case: Case) -> str:
    proof = case.proof
    if proof is None or proof.verdict is None or proof.verdict.effect is None:
        return "none"
    verdict = proof.verdict
    measured = Measured(verdict.effect or 0.0, verdict.low, verdict.high)
    return better(measured)


def better(measured: Measured) -> str:
    """An effect in words.

    >>> better(Measured(0.5, 0.4, 0.6))
    '50 % better (40 to 60 %)'
    """
    if measured.low is None or measured.high is None:
        return f"{100 * measured.effect:.0f} % better"
    return f"{100 * measured.effect:.0f} % better ({100 * measured.low:.0f} to {100 * measured.high:.0f} %)"
