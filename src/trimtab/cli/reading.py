"""`status`, `goals`, `actions`, `history`, `explain`: from the running agent where it matters, else from the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.cli import client, show
from trimtab.cli.gate_words import gate_facts, policy_fact, without_pauses
from trimtab.cli.standing import goals_now
from trimtab.cli.store import find_action, from_journal
from trimtab.cli.words import causes, without_holds
from trimtab.domain.actions import ActionRecord, ActionState, ActionStatus, JournalRow
from trimtab.domain.errors import NotFound

if TYPE_CHECKING:
    from trimtab.config import Settings
    from trimtab.storage.reader import JournalReader


def status(config: Path | None, json: bool) -> int:
    """How the agent stands; with the agent stopped, what its store tells."""
    from trimtab.assembly.process import load_settings, load_to_reach

    settings = load_to_reach(config)
    try:
        document = client.call(settings, "GET", "/agent/status")
    except client.NotRunning as error:
        settings = load_settings(config)  # with mistakes in the file there is nothing more to tell than these
        document = _stopped(settings, error)
    if json:
        show.as_json(document)
        return 0
    _print_status(document)
    return 0


def _stopped(settings: Settings, error: client.NotRunning) -> dict[str, Any]:
    """The fields of a status that a store can tell."""
    counts, left = _stored(settings)
    by_status = {each: sum(n for state, n in counts.items() if state.status is each) for each in ActionStatus}
    ended = by_status[ActionStatus.COMPLETED] + by_status[ActionStatus.FAILED]
    return {
        "state": "stopped", "uptime_seconds": 0.0, "pending_actions": by_status[ActionStatus.PENDING],
        "active_actions": by_status[ActionStatus.EXECUTING], "completed_actions": ended, "goals": [],
        "stats": {"total_actions": sum(counts.values()), "successful_actions": counts.get(ActionState.KEPT, 0),
                  "failed_actions": by_status[ActionStatus.FAILED], "total_improvement": None},
        "plan": None, "holds": [],
        "reason": f"No agent of this configuration is running: {error}" if isinstance(error, client.Stranger)
                  else "No agent is running: start it with `trimtab run`.",
        **left,
    }  # fmt: skip


def _stored(settings: Settings) -> tuple[Mapping[ActionState, int], dict[str, Any]]:
    """How many actions are in each state, and what waits for a person. Raises `StoreError` where there is nothing to tell."""
    from trimtab.storage.layout import JOURNAL, is_there
    from trimtab.storage.standing import what_is_left

    folder = settings.storage.path

    async def ask(journal: JournalReader) -> tuple[Mapping[ActionState, int], dict[str, Any]]:
        return await journal.counts(), (await what_is_left(folder, journal)).status

    if not is_there(folder / JOURNAL):
        left = asyncio.run(what_is_left(folder, None)).status
        if left["paused"]:  # before the first run, too, who starts the agent wants to know
            return {}, left
    return from_journal(settings, ask)


def _print_status(document: dict[str, Any]) -> None:
    from rich.text import Text

    head = Text("agent ").append_text(show.styled(document["state"]))
    head.append("" if document["state"] == "stopped" else f", up {_span(document['uptime_seconds'])}")
    head.append(f"; actions: {document['pending_actions']} pending, {document['active_actions']} under way, ")
    head.append(f"{document['completed_actions']} ended ({document['stats']['failed_actions']} failed or undone)")
    out = show.console()
    out.print(head)
    show.facts(_standing(document))
    if document["goals"]:
        show.table("Goals", ("metric", "element", "target", "current", ""), [_goal_row(goal) for goal in document["goals"]])


def _standing(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The plan, then one line for each cause to hold, and for whatever waits for a person."""
    holds = causes(without_pauses(document["holds"]))
    if document.get("reason"):
        yield "reason", document["reason"]
    else:
        yield "plan", (without_holds(document["plan"]) if holds else document["plan"]) or "No action"
    for coming in document.get("ahead", ()):
        yield "ahead", coming
    for found in document.get("diagnoses", ()):
        yield "diagnosis", found
    if document.get("pace"):
        yield "pace", document["pace"]
    for told in document.get("attention") or ():
        yield "attention", told
    for about, why in holds:
        yield "hold", f"{about}: {why}" if why else about
    if holds:
        yield "", "Nothing is done that would rest on what is held."
    yield from gate_facts(document)
    for regulation in document.get("regulation") or ():
        yield "regulated", policy_fact(regulation)
    for lever, why in dict(document.get("frozen_levers") or {}).items():
        yield "frozen", f"{lever}: {why}"
    if document.get("awaiting_approval"):
        count = len(document["awaiting_approval"])
        yield "waiting", f"{count} {'question' if count == 1 else 'questions'} to a person: `trimtab actions`"
    if document.get("simulation_mode"):
        yield "simulated", "nothing is really set"


def _goal_row(goal: dict[str, Any]) -> tuple[Any, ...]:
    standing = "hold" if goal.get("hold") else "met" if goal["achieved"] else "missed"
    metric = str(goal.get("metric") or goal["metric_name"])
    target = goal["target"] if "target" in goal else goal["target_value"]
    current = goal["current"] if "current" in goal else goal["current_value"]
    return metric, goal.get("element"), show.quantity(metric, target), show.quantity(metric, current), show.styled(standing)


def goals(config: Path | None, json: bool) -> int:
    """Every goal as the running agent sees it."""
    from trimtab.assembly import load_settings

    settings = load_settings(config)
    try:
        document = client.call(settings, "GET", "/agent/goals")
    except client.NotRunning:
        document = [_goal_of(goal.goal()) for goal in settings.goals]
    if json:
        show.as_json(document)
    else:
        show.table("Goals", ("metric", "element", "target", "current", ""), [_goal_row(goal) for goal in document],
                   empty="none configured; add some under goals:")  # fmt: skip
        for goal in document:
            if goal["hold"]:
                show.line(f"{goal['metric_name']}: {goal['hold']}", "yellow")
    return 0


def _goal_of(goal: Any) -> dict[str, Any]:
    return {"goal_id": goal.goal_id, "metric_name": goal.metric_name, "element": goal.element, "target_value": goal.target_value,
            "current_value": None, "direction": goal.direction.value, "weight": goal.weight, "achieved": None, "progress": 0.0,
            "hold": "no agent is running"}  # fmt: skip


def actions(config: Path | None, json: bool) -> int:
    """What is under way, on probation, or awaits an answer, newest first."""
    return _list(config, json, "Under way and awaiting an answer", lambda journal: journal.unfinished())


def history(config: Path | None, count: int, json: bool) -> int:
    """The latest actions, from the store, newest first."""
    return _list(config, json, "History", lambda journal: journal.recent(count))


def _list(config: Path | None, json: bool, title: str, ask: Callable[[JournalReader], Awaitable[Sequence[ActionRecord]]]) -> int:
    from trimtab.api import views
    from trimtab.assembly import load_settings

    settings = load_settings(config)
    found = from_journal(settings, ask)
    records = sorted(found, key=lambda record: record.action.created_at, reverse=True)
    if json:
        show.as_json([views.action(record).model_dump(mode="json") for record in records])
        return 0
    headers = ("when", "action", "state", "effect", "change and why")
    show.table(title, headers, [_action_row(record) for record in records], empty="no actions")
    asked = [record for record in records if record.state is ActionState.AWAITING_APPROVAL]
    standing = goals_now(settings) if asked else {}
    where = f" --config {config}" if config is not None else ""
    for record in asked:
        show.line(f"{record.action.move}: {standing.get(record.action.goal_id) or record.action.trigger}")
        show.line(f"trimtab approve {record.action_id} --plan-hash {record.action.plan_hash}{where}", "cyan")
    return 0


def _action_row(record: ActionRecord) -> tuple[Any, ...]:
    effect = show.percent(record.actual_improvement)
    why = f"{record.action.move}: {record.reason}" if record.reason else record.action.move
    return _time(record.since), record.action_id, show.styled(record.state.value), effect, why


def explain(config: Path | None, action_id: str, json: bool) -> int:
    """One action, from the store: the decision, the life, the verdict, the belief before and after."""
    from trimtab.api import views
    from trimtab.assembly import load_settings

    settings = load_settings(config)
    action_id = find_action(settings, action_id)

    async def ask(journal: Any) -> tuple[ActionRecord, list[JournalRow]]:
        record = await journal.get(action_id)
        if record is None:
            raise NotFound(f"no action {action_id!r}", remedy="`trimtab history` lists the actions")
        return record, list(await journal.history(action_id))

    record, rows = from_journal(settings, ask)
    if json:
        show.as_json(views.action_detail(record, rows).model_dump(mode="json"))
    else:
        _print_explanation(record, rows)
    return 0


def _print_explanation(record: ActionRecord, rows: list[JournalRow]) -> None:
    out, action = show.console(), record.action
    out.print(show.styled(record.state.value), end="")
    show.line(f"  {action.description}")
    show.facts(_facts(record))
    life = [
        (_time(row.at), show.styled(row.to_state.value if row.to_state else row.kind), row.actor, _said_once(row.reason, record))
        for row in rows
    ]
    show.table("Life", ("when", "entered", "by", "why"), life)


def _said_once(reason: str, record: ActionRecord) -> str:
    """A row's reason without the sentences that stand above the table already."""
    above = {
        record.action.description: "as above",
        record.decision.reason if record.decision else "": "as decided",
        record.verdict.reason if record.verdict else "": "as the verdict says",
    }
    for sentence, instead in above.items():
        reason = reason.replace(sentence, instead) if sentence else reason
    return reason


def _facts(record: ActionRecord) -> Iterator[tuple[str, str]]:
    yield "trigger", record.action.trigger
    if record.decision is not None:
        choice = record.decision.choice.value
        yield "decision", f"{choice}: {record.decision.reason}"
    if record.verdict is not None:
        yield "verdict", f"{record.verdict.reason} (method: {record.verdict.method})"
    if record.action.context.words:
        yield "context", record.action.context.words
    if record.approved_by:
        yield "approved", f"by {record.approved_by}; plan {record.action.plan_hash}"


def _time(at: float) -> str:
    """When, to the second; without the date where it was today (UTC)."""
    from datetime import UTC, datetime

    when = datetime.fromtimestamp(at, UTC)
    return when.strftime("%H:%M:%SZ" if when.date() == datetime.now(UTC).date() else "%Y-%m-%d %H:%M:%SZ")


def _span(seconds: float) -> str:
    """A length of time to two parts.

    >>> _span(5), _span(3700), _span(200_000)
    ('5 s', '1 h 1 min', '2 d 7 h')
    """
    for size, name, part, small in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{int(seconds // size)} {name} {int(seconds % size // part)} {small}"
    return f"{int(seconds)} s"
