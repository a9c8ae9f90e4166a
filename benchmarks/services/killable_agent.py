# ruff: noqa: ASYNC110 (it polls: nothing in the agent tells when there are samples enough, or when somebody is asked)
"""The agent as `trimtab run` assembles it, except that its journal can kill it at a chosen row. For `benchmarks/chaos.py` only.

CHAOS_KILL_AT="applying->settling:before" sends SIGKILL to this process instead of writing that row, ":after" right
after it was written; "move 2:after" and "undo 1:before" mean the second row of a policy's move, and the first of a lever that it
puts back. CHAOS_SUBMIT='{"lever": "fragile/integer", "value": 4}' asks for a change once the goal can be
judged, and CHAOS_ANSWER=approve|reject answers whatever awaits approval. No code of trimtab itself knows of any of
this.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from typing import Any

from trimtab.agent import AutonomousAgent
from trimtab.assembly import assemble, load_settings
from trimtab.assembly.logs import configure_logging
from trimtab.assembly.signals import Signals
from trimtab.domain.actions import ActionRecord, ActionState, JournalRow

SAMPLES = 8  # of the goal's metric, before a change is asked for


def make_killable(agent: AutonomousAgent, kill_at: str) -> None:
    """Let the journal die at the row `from->to:before|after` (`none` for a new action)."""
    edge, _, side = kill_at.partition(":")
    journal = agent.journal
    write = journal.record

    async def record(record: ActionRecord, from_state: ActionState | None) -> JournalRow:
        hit = f"{from_state.value if from_state else 'none'}->{record.state.value}" == edge
        if hit and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        row = await write(record, from_state)
        if hit:
            os.kill(os.getpid(), signal.SIGKILL)
        return row

    note, seen = journal.note, Counter[str]()

    async def counted(kind: str, reason: str, **about: Any) -> JournalRow:
        name = "undo" if (about.get("data") or {}).get("undo") else kind
        seen[name] += 1
        hit = f"{name} {seen[name]}" == edge
        if hit and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        row = await note(kind, reason, **about)
        if hit:
            os.kill(os.getpid(), signal.SIGKILL)
        return row

    journal.record, journal.note = record, counted  # type: ignore[method-assign]


async def submit(agent: AutonomousAgent, lever: str, value: bool | int | float | str) -> None:
    """Ask for the change as soon as there is something to judge it by."""
    while not any(len(agent.evidence.samples(state.goal.goal_id)[0]) >= SAMPLES for state in agent.goal_states()):
        await asyncio.sleep(0.05)
    await agent.submit(lever, value, reason="a crash test", actor="chaos")


async def answer(agent: AutonomousAgent, word: str) -> None:
    """Approve or reject what awaits it."""
    while True:
        for record in agent.book.in_state(ActionState.AWAITING_APPROVAL):
            await agent.approve(record.action_id, approved=word == "approve", actor="chaos")
        await asyncio.sleep(0.1)


async def run(config: str) -> None:
    """Assemble, make killable, run until stopped."""
    settings = load_settings(config)
    configure_logging(settings)
    agent = assemble(settings)
    if kill_at := os.environ.get("CHAOS_KILL_AT"):
        make_killable(agent, kill_at)
    helpers = []
    if asked := os.environ.get("CHAOS_SUBMIT"):
        helpers.append(asyncio.create_task(submit(agent, **json.loads(asked))))
    if word := os.environ.get("CHAOS_ANSWER"):
        helpers.append(asyncio.create_task(answer(agent, word)))
    for helper in helpers:
        helper.add_done_callback(lambda done: None if done.cancelled() else done.result())  # a mistake of ours is to be seen
    with Signals(stop=agent.stop, reload=lambda: None):
        await agent.run()
    for helper in helpers:
        helper.cancel()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
