"""Who may start something now: a person's pause, the kill switch, the storm halt, the calendar.

Asked by the executor right before every start, read by planning and by the status. The kill switch is a file in the data folder,
so that it works with the interface off, hung or locked; whether it is there is asked of the file system each time. A pause and a
resume are rows of the journal: both survive a restart. Nothing here holds back an undo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from trimtab.domain.actions import ActionRecord, pause_in_force
from trimtab.execute.executor import Executor
from trimtab.loop.harm import Harm
from trimtab.plan.settings import PlanSettings
from trimtab.plan.storm import Storm, storm
from trimtab.plan.windows import out_of_hours, standing
from trimtab.plan.words import moment

MANY = 100  # notes of a pause: who repeats it does not make it newer


class Gatekeeper:
    """Stands before every start. `closing`: why nothing starts any more although nobody paused: the agent is about to end."""

    def __init__(self, executor: Executor, settings: PlanSettings, pause_file: Path | None = None) -> None:
        self._executor, self._book, self._settings, self._pause_file = executor, executor.book, settings, pause_file
        self._log = structlog.get_logger("trimtab")
        self._halted_until = 0.0  # of the storm that people were told of
        self._seen_file = False
        self.paused_by: tuple[str, float] | None = None  # who, since when
        self.resumed_at: float | None = None
        self._harm = Harm()
        self.closing: str | None = None
        executor.kill_switch, executor.gate = self.by_file, self.why_not

    async def open(self, now: float) -> None:
        """Remember what an earlier run was told; a pause is said loud, since nobody may be there who remembers it."""
        notes = self._book.journal.notes
        resumed, halted = await notes(["resumed"], 1), await notes(["storm"], 1)
        paused = pause_in_force(await notes(["paused", "resumed"], MANY))
        if resumed:
            self.resumed_at = min(resumed[0].at, now)
            self._forgive_again(resumed[0].data.get("forgiven"))
        if paused is not None:
            self._executor.paused, self.paused_by = True, (paused.actor, min(paused.at, now))
            self._log.warning("Paused", reason=self._by_person(now))
        if halted and (not resumed or halted[0].seq > resumed[0].seq):
            until = halted[0].data.get("until")
            self._halted_until = float(until) if isinstance(until, int | float) else 0.0
        await self.look(now)

    async def pause(self, actor: str, now: float) -> None:
        """Start nothing new from this moment on, then make that durable."""
        again, self._executor.paused = self._executor.paused, True
        self.paused_by = self.paused_by or (actor, now)
        if not again:  # `trimtab pause --undo` asks twice
            self._log.warning("Paused", reason=self._by_person(now), actor=actor)
        await self._book.note("paused", f"paused by {actor}", now, actor=actor)

    async def resume(self, actor: str, now: float) -> None:
        """Go on, and forgive what harm was done so far."""
        harm = Harm()
        harm.forgive(self._book.records)
        forgiven = {"forgiven": harm.noted(now - self._settings.storm.window_seconds)}
        await self._book.note("resumed", f"resumed by {actor}", now, actor=actor, data=forgiven)
        self._harm = harm
        self._executor.paused, self.paused_by, self.resumed_at = False, None, now
        self._halted_until = 0.0
        self._log.info("Resumed", actor=actor)

    async def look(self, now: float) -> None:
        """Say once what has come or gone by itself: a storm halt, the file."""
        found = self.storm(now)
        self._halted_until = min(self._halted_until, now + self._settings.storm.window_seconds)  # or the clock was set back
        if found is not None and now >= self._halted_until:
            self._log.error("Storm halt", reason=found.sentence)
            self._halted_until = found.until
            await self._book.note("storm", found.sentence, now, data={"changes": found.changes, "until": found.until})
            await self._book.tell("storm", "storm halt: nothing new starts", found.sentence)
        elif found is not None:
            self._halted_until = max(self._halted_until, found.until)
        by_file = self.by_file()
        if (by_file is not None) is not self._seen_file:
            self._seen_file = by_file is not None
            self._log.warning("Paused" if by_file else "No longer paused by a file", reason=by_file or "it was removed")
            await self._book.note("note", by_file or "the file that paused the agent was removed", now)

    # -- what it answers

    def by_file(self) -> str | None:
        """The sentence where the file is there that pauses the agent."""
        if self._pause_file is None:
            return None
        try:
            self._pause_file.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:  # whoever cannot look must not go on
            return f"paused: whether {self._pause_file} is there cannot be told ({error.strerror}); mend the data folder"
        return f"paused by the file {self._pause_file}; remove it to go on"

    def why_not(self, record: ActionRecord, now: float) -> str | None:
        """Why this action may not start at `now`, though nobody paused; a person's word stands above the calendar."""
        if self.closing is not None:
            return self.closing
        if (found := self.storm(now)) is not None:
            return found.sentence
        asked_for = record.requested or record.approved_by is not None
        return None if asked_for else out_of_hours(self._settings.calendar, record.action.element, now)

    def storm(self, now: float) -> Storm | None:
        """The halt under way."""
        return storm(self._book.records, self._settings.storm, now, self.harm_dates(now))

    def harm_dates(self, now: float) -> Mapping[str, float]:
        """When harm counts as done, where that is not when its record says; see `storm`."""
        return self._harm.dates(self._book.records, now)

    @property
    def paused(self) -> bool:
        """Whether nothing new starts until a person says so."""
        return self._executor.stopped is not None

    def paused_because(self, now: float) -> str | None:
        """The sentence where it is paused."""
        by_person = self._by_person(now) if self._executor.paused else None
        return "; ".join(filter(None, (by_person, self.by_file()))) or None

    def holds(self, now: float) -> Sequence[str]:
        """Why nothing new starts at all, one sentence each."""
        found = self.storm(now)
        by_person = self._by_person(now) if self._executor.paused else None
        return [each for each in (by_person, self.by_file(), found and found.sentence, self.closing) if each]

    def status(self, now: float) -> Mapping[str, Any]:
        """What the status shows of it; times in Unix seconds."""
        actor, since = self.paused_by or (None, None)
        return {
            "paused": self.paused,
            "paused_by": actor,
            "paused_since": since,
            "pause_file": str(self._pause_file) if self.by_file() else None,
            "storm_halt": found.sentence if (found := self.storm(now)) is not None else None,
            "windows": standing(self._settings.calendar, now),
        }

    def _forgive_again(self, noted: object) -> None:
        if isinstance(noted, Mapping):
            self._harm.remember(noted)
        else:  # a journal from before this was noted has nothing but the time
            self._harm.forgive(self._book.records, until=self.resumed_at or 0.0)

    def _by_person(self, now: float) -> str:
        if self.paused_by is None:
            return "paused: nothing new starts"
        actor, since = self.paused_by
        when = moment(since, self._settings.storm.timezone, now)
        return f"paused by {actor} since {when}: nothing new starts; `trimtab resume` goes on"
