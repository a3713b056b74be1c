"""The service's view as operations see it: its builds, and making it anew from the first event."""

from datetime import datetime, timedelta
from operator import attrgetter

from fastapi import Request
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.projections.builds import Build, Standing
from steerco_events.projections.keeping import cancel
from steerco_service.asking import Asker, runtime_of
from steerco_service.problems import Problem
from steerco_service.routing import router
from steerco_service.runtime import Runtime

routes = router("views")

HEARD_OF_WITHIN = timedelta(seconds=15)
"""A build of which nothing was heard for longer has no worker: nobody knows when it is done."""


class Progress(BaseModel):
    """How far a build has come in one service's log."""

    service: str
    generation: int
    position: int
    watermark: datetime | None


class Way(BaseModel):
    """How far a build that is being made has come in all logs together, and what is left."""

    applied: int = Field(description="Positions of the logs that are in it.")
    goal: int | None = Field(description="Positions that the logs have; they move on meanwhile.")
    percentage: float | None
    rate: float | None = Field(description="Events per second, over the last seconds.")
    seconds_left: float | None
    began_at: datetime | None
    doing: str | None = Field(description="What is done beside applying events.")
    waits_for: str | None = Field(description="What keeps it from going live, until somebody decides.")


class BuildState(BaseModel):
    """One build of the view."""

    build: int
    state: str
    live_at: datetime | None
    progress: list[Progress]
    way: Way | None = Field(None, description="While it is being made.")


class ViewState(BaseModel):
    """The view and its builds: the live one, and the one that is being made, if any."""

    view: str
    version: int
    builds: list[BuildState]
    kept: BuildState | None = Field(None, description="The build that was live before: a rollback returns to it.")


async def _state(connection: AsyncConnection, runtime: Runtime, standing: Standing) -> BuildState:
    build = Build(runtime.service.view, standing.build)
    progress = []
    for service in runtime.service.view.services:
        cursor = await build.checkpoints.load(connection, service)
        position, watermark = max(cursor.positions), cursor.watermark
        at = Progress(service=service, generation=cursor.generation, position=position, watermark=watermark)
        progress.append(at)
    return BuildState(
        build=standing.build,
        state=standing.state,
        live_at=standing.live_at,
        progress=progress,
        way=_way(standing, runtime.clock.now()) if standing.state == "building" else None,
    )


def _way(standing: Standing, now: datetime) -> Way:
    applied, goal, rate, doing = standing.applied, standing.goal, standing.rate, standing.doing
    if standing.progressed_at and standing.progressed_at < now - HEARD_OF_WITHIN:
        rate, doing = None, doing or f"no worker was heard of since {standing.progressed_at:%H:%M:%S} UTC"
    return Way(
        applied=applied,
        goal=goal,
        percentage=100 * applied / goal if goal else None,
        rate=rate,
        seconds_left=(goal - applied) / rate if goal is not None and rate else None,
        began_at=standing.began_at,
        doing=doing,
        waits_for=standing.waits_for,
    )


def _checked(runtime: Runtime, view: str) -> None:
    if view != runtime.service.view.name:
        raise Problem(
            404, "unknown-view", f"{runtime.service.name} has the view {runtime.service.view.name!r}, not {view!r}"
        )


async def _being_made(tx: AsyncConnection, runtime: Runtime) -> BuildState:
    (state,) = [
        await _state(tx, runtime, each) for each in await runtime.builds.standings(tx) if each.state == "building"
    ]
    return state


@routes.get("/views/{view}", summary="The builds of a view and how far they have come")
async def view_state(view: str, request: Request, _: Asker) -> ViewState:
    """The live build, the one that is being made, and the one that was live before."""
    runtime = runtime_of(request)
    _checked(runtime, view)
    async with runtime.engine.connect() as connection:
        standings = await runtime.builds.standings(connection)
        in_use = [each for state in ("live", "building") for each in standings if each.state == state]
        builds = [await _state(connection, runtime, each) for each in in_use]
        retired = sorted((each for each in standings if each.state == "retired"), key=attrgetter("retired_at", "build"))
        kept = await _state(connection, runtime, retired[-1]) if retired else None
    return ViewState(view=view, version=runtime.service.view.version, builds=builds, kept=kept)


@routes.post("/views/{view}/rebuild", summary="Build a view anew, from the first event", status_code=202)
async def rebuild_view(view: str, request: Request, _: Asker) -> BuildState:
    """Begins a build beside the live one, which goes on answering; again, while one is under way: the same."""
    runtime = runtime_of(request)
    _checked(runtime, view)
    async with runtime.engine.begin() as tx:
        await runtime.builds.begin(tx, runtime.clock.now())
        state = await _being_made(tx, runtime)
    runtime.signals.rebuild_requested.notify()
    return state


@routes.delete("/views/{view}/rebuild", summary="Give up the build that is being made", status_code=204)
async def cancel_rebuild(view: str, request: Request, _: Asker) -> None:
    """It is dropped; one that was live before, and was on its way back, is kept as it was."""
    runtime = runtime_of(request)
    _checked(runtime, view)
    async with runtime.engine.begin() as tx:
        await cancel(tx, runtime.service.view)
    runtime.signals.rebuild_requested.notify()


@routes.post("/views/{view}/accept", summary="Let a build go live although it has streams parked", status_code=202)
async def accept_parked(view: str, request: Request, _: Asker) -> BuildState:
    """A build that could not digest what the live one could does not take its place unless somebody says so."""
    runtime = runtime_of(request)
    _checked(runtime, view)
    async with runtime.engine.begin() as tx:
        await runtime.builds.accept_parked(tx)
        state = await _being_made(tx, runtime)
    runtime.signals.rebuild_requested.notify()
    return state


@routes.post("/views/{view}/rollback", summary="Go back to the build that was live before", status_code=202)
async def roll_back_view(view: str, request: Request, _: Asker) -> BuildState:
    """It takes what came since, beside the live one, and then its place; rolled back again, they change places."""
    runtime = runtime_of(request)
    _checked(runtime, view)
    async with runtime.engine.begin() as tx:
        await runtime.builds.roll_back(tx, runtime.clock.now())
        state = await _being_made(tx, runtime)
    runtime.signals.rebuild_requested.notify()
    return state
