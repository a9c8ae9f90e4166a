"""The routes that ask the agent for something: POST, each in the name of the caller, each answered with where things stand then.

They decide nothing. What may follow what is the agent's to say; it answers a second approval with `Conflict`, which becomes 409.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request

from trimtab.api import views
from trimtab.api.facade import AgentFacade
from trimtab.api.models import ActionOut, PausedOut, ReloadOut, StateOut
from trimtab.api.reading import NO_SUCH_ACTION, STORE_DOWN
from trimtab.api.requests import ApproveIn, EmptyIn, PauseIn, RejectIn, RollbackIn

_RELOAD: dict[int | str, dict[str, Any]] = {
    409: {"description": "It cannot be done now; nothing was done."},
    422: {"description": "The configuration has mistakes, listed in `errors`; the old one stays in use."},
    503: {"description": STORE_DOWN},
}


class Acting:
    """The endpoints; `add_to` lists their paths."""

    def __init__(self, agent: AgentFacade) -> None:
        self._agent = agent

    def add_to(self, app: FastAPI) -> None:
        """Register every route that acts."""
        stale = "It does not wait for approval any more, or the plan is another by now; nothing was done."
        gone = "There is nothing to take back, it is being taken back, or awaits an answer; nothing was done."
        errors: dict[int | str, dict[str, Any]] = {404: {"description": NO_SUCH_ACTION}, 503: {"description": STORE_DOWN}}
        app.post("/agent/action/approve", tags=["actions"], responses={**errors, 409: {"description": stale}})(self.approve)
        app.post("/agent/action/reject", tags=["actions"], responses={**errors, 409: {"description": stale}})(self.reject)
        app.post("/agent/action/rollback", tags=["actions"], responses={**errors, 409: {"description": gone}})(self.roll_back)
        app.post("/agent/pause", tags=["agent"], responses={503: {"description": STORE_DOWN}})(self.pause)
        app.post("/agent/resume", tags=["agent"], responses={503: {"description": STORE_DOWN}})(self.resume)
        app.post("/agent/reload", tags=["agent"], responses=_RELOAD)(self.reload)

    async def approve(self, body: ApproveIn, request: Request) -> ActionOut:
        """Approve an action that waits for a person; `approved: false` rejects it."""
        return await self._settle(body.action_id, body.approved, body.plan_hash, request)

    async def reject(self, body: RejectIn, request: Request) -> ActionOut:
        """Reject an action that waits for a person."""
        return await self._settle(body.action_id, False, body.plan_hash, request)

    async def roll_back(self, body: RollbackIn, request: Request) -> ActionOut:
        """Take a change back: the lever is restored and read back, unless somebody else has moved it since."""
        return views.action(await self._agent.rollback(body.action_id, actor=_actor(request)))

    async def pause(self, request: Request, body: PauseIn | None = None) -> PausedOut:
        """Start nothing new. What is under way is finished or undone; with `undo`, it is taken back at once."""
        taken = await self._agent.pause(_actor(request), undo=body is not None and body.undo)
        return PausedOut(state=self._agent.state, actor=_actor(request), taken_back=list(taken))

    async def resume(self, request: Request, body: EmptyIn | None = None) -> StateOut:
        """Go on after a pause or a storm halt."""
        await self._agent.resume(_actor(request))
        return StateOut(state=self._agent.state, actor=_actor(request))

    async def reload(self, request: Request, body: EmptyIn | None = None) -> ReloadOut:
        """Read the configuration anew. What is under way is undone, as at a stop, before the new settings are used."""
        changes = await self._agent.reload(_actor(request))
        return ReloadOut(state=self._agent.state, actor=_actor(request), changes=list(changes))

    async def _settle(self, action_id: str, approved: bool, plan_hash: str | None, request: Request) -> ActionOut:
        actor = _actor(request)
        return views.action(await self._agent.approve(action_id, approved=approved, plan_hash=plan_hash, actor=actor))


def _actor(request: Request) -> str:
    return str(request.state.actor)
