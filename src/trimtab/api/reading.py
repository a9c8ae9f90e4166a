"""The routes that tell: GET, each a view of the agent's present state, changing nothing.

All are coroutines on purpose: a plain function would run in a thread, beside a turn of the loop instead of between two.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import AwareDatetime
from starlette.requests import Request
from starlette.responses import Response

from trimtab.api import views
from trimtab.api.facade import AgentFacade
from trimtab.api.models import (
    ActionDetailOut,
    ActionOut,
    AliveOut,
    ForecastOut,
    GoalOut,
    PastOut,
    PlanOut,
    ReadyOut,
    SeriesOut,
    StatusOut,
)
from trimtab.api.problems import Refused, problem
from trimtab.domain.metrics import Aggregate

Count = Annotated[int, Query(ge=1, le=1000, description="How many, newest first.")]
ActionIdPath = Annotated[str, Path(min_length=1, max_length=200, description="The action's id.")]
Hours = Annotated[float, Query(ge=0.1, le=336.0, allow_inf_nan=False, description="How far ahead.")]
MetricQuery = Annotated[
    str | None, Query(min_length=1, max_length=500, description="A metric's name or a series' id; `spend` is what levers cost.")
]
Challenge = Annotated[
    str | None,
    Query(min_length=16, max_length=128, pattern="^[A-Za-z0-9_-]+$", description="A random word, a new one each time."),
]
Moment = Annotated[AwareDatetime | None, Query(description="RFC 3339 with a zone, or Unix seconds.")]
STEPS = (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0)  # seconds that a fitting step may have
FITTING_STEPS = 500  # that an answer has at most where no step is asked for: as many as a chart shows
MOST_STEPS = 11_000  # that an answer may have, as with Prometheus
NO_SUCH_ACTION = "No action has this id."
STORE_DOWN = "The store cannot be used right now."


class Reading:
    """The endpoints; `add_to` lists their paths."""

    def __init__(self, agent: AgentFacade, version: str) -> None:
        self._agent, self._version = agent, version

    def add_to(self, app: FastAPI) -> None:
        """Register every route that reads."""
        app.get("/agent/status", tags=["agent"])(self.get_status)
        app.get("/agent/goals", tags=["agent"])(self.get_goals)
        app.get("/agent/plan", tags=["agent"])(self.get_plan)
        app.get("/agent/series", tags=["agent"])(self.get_series)
        app.get(
            "/agent/forecast",
            tags=["agent"],
            responses={404: {"description": "No series is called so."}, 503: {"description": STORE_DOWN}},
        )(self.get_forecast)
        app.get(
            "/agent/series/past",
            tags=["agent"],
            responses={404: {"description": "No such series was ever written."}, 503: {"description": STORE_DOWN}},
        )(self.get_past)
        app.get("/agent/actions/recent", tags=["actions"])(self.get_recent_actions)
        app.get(
            "/agent/actions/{action_id}",
            tags=["actions"],
            responses={404: {"description": NO_SUCH_ACTION}, 503: {"description": STORE_DOWN}},
        )(self.get_action)
        app.get("/metrics", tags=["probes"], response_class=PlainTextResponse)(self.get_metrics)
        app.get("/healthz", tags=["probes"], response_model_exclude_none=True)(self.get_health)
        app.get(
            "/readyz",
            tags=["probes"],
            response_model=ReadyOut,
            responses={503: {"description": "Not ready; `detail` says why."}},
        )(self.get_readiness)

    async def get_status(self) -> StatusOut:
        """How the agent stands: its state, counts, goals, and each reason not to act."""
        return views.status(self._agent.get_status())

    async def get_recent_actions(self, count: Count = 10) -> list[ActionOut]:
        """The latest actions, newest first."""
        return [views.action(record) for record in self._agent.get_recent_actions(count)]

    async def get_action(self, action_id: ActionIdPath) -> ActionDetailOut:
        """One action with its transitions, the numbers behind its decision, its verdict, and what was learned of it."""
        return views.action_detail(*await self._agent.explain(action_id))

    async def get_goals(self) -> list[GoalOut]:
        """Each goal and how it stands."""
        return [views.goal(state) for state in self._agent.goal_states()]

    async def get_plan(self) -> PlanOut:
        """What the last planning came to: every proposal with the decision about it and the reason."""
        return views.plan(self._agent.plan)

    async def get_series(self) -> list[SeriesOut]:
        """Each series that is read, with its latest value and whether it is trusted."""
        return [views.series(row) for row in self._agent.series()]

    async def get_forecast(self, hours: Hours = 24.0, metric: MetricQuery = None) -> list[ForecastOut]:
        """What is expected of goals, guards, what can be full, load and cost; or of every series called `metric`."""
        return [views.forecast(found) for found in await self._agent.forecast(hours * 3600.0, metric)]

    async def get_past(
        self,
        series: Annotated[str, Query(min_length=1, max_length=4096, description="The metric_id of a series.")],
        start: Moment = None,
        end: Moment = None,
        step: Annotated[
            float | None,
            Query(ge=1.0, le=86400.0, description="Seconds; a longer one is taken where these would be too many steps."),
        ] = None,
        aggregate: Annotated[Aggregate, Query(description="What each step is summed up to.")] = Aggregate.MEAN,
    ) -> PastOut:
        """What a series was, in steps: the last hour, or from `start` to `end`. Long steps are read from roll-ups."""
        until = self._agent.now() if end is None else end.timestamp()
        since = until - 3600.0 if start is None else start.timestamp()
        if since > until:
            raise Refused(404, "no time lies in this range: its start is later than its end")
        wanted, most = (STEPS[0], FITTING_STEPS) if step is None else (step, MOST_STEPS)
        fits = (each for each in (wanted, *STEPS) if each >= wanted and (until - since) / each <= most)
        seconds = next(fits, STEPS[-1])
        found = await self._agent.past(series, since, until, seconds, aggregate)
        return PastOut(
            metric_id=series,
            aggregate=aggregate,
            step_seconds=seconds,
            samples=[(at, views.finite(it)) for at, it in found],
        )

    async def get_metrics(self) -> Response:
        """The agent in the Prometheus text format."""
        from trimtab.api import exposition  # 4 MB with the library that it needs, which who is never scraped can do without

        return Response(exposition.expose(self._agent, self._version), headers={"Content-Type": exposition.CONTENT_TYPE})

    async def get_health(self, request: Request, challenge: Challenge = None) -> AliveOut:
        """Whether the process answers and, to a challenge, whose agent it is. Needs no token."""
        if challenge is None:
            return AliveOut(status="alive", proof=None)
        host, port = request.scope["server"]  # of the socket, not what a header says
        return AliveOut(status="alive", proof=self._agent.prove(challenge, host, port))

    async def get_readiness(self, request: Request) -> Response | ReadyOut:
        """Whether the loop turns on usable data and stores. Needs no token."""
        ready, reason = self._agent.ready
        return ReadyOut(ready=True, reason=reason) if ready else problem(503, reason, request.scope)
