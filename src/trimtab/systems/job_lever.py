"""A job as a lever with two settings, absent and done, so that it lives the life of every other action. Called by `execute`.

Setting `done` starts the effect, `absent` takes it back; reading probes it, and may also say that it is running or broken. The
key is the lever's id: starting it again after a doubt, or a crash, starts nothing twice. Why: docs/decisions/0009.
"""

from __future__ import annotations

from trimtab.domain.errors import Permanent
from trimtab.domain.levers import ABSENT, DONE, JOB_STATES, LeverSpec, LeverValue
from trimtab.domain.ports import Job


class JobLever:
    """Runs `job` under the key `spec.lever_id`."""

    def __init__(self, job: Job, spec: LeverSpec) -> None:
        self.spec = spec
        self._job = job

    async def read(self) -> LeverValue:
        """absent, running, done or broken."""
        answer = await self._job.probe(self.spec.lever_id)
        if answer not in JOB_STATES:
            raise Permanent(f"job {self.spec.lever_id} answers {answer!r}", remedy=f"a probe says one of {', '.join(JOB_STATES)}")
        return answer

    async def set(self, value: LeverValue) -> None:
        """Start the effect, or take it back."""
        if value == DONE:
            await self._job.start(self.spec.lever_id)
        elif value == ABSENT:
            await self._job.undo(self.spec.lever_id)
        else:
            raise Permanent(f"job {self.spec.lever_id} cannot be set to {value!r}", remedy="done runs it, absent undoes it")

    async def close(self) -> None:
        """Close the job."""
        await self._job.close()
