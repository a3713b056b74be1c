"""The service's view as operations see it: its builds, and making it anew from the first event."""

from datetime import datetime

from fastapi import Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.projections.builds import Build
from steerco_service.asking import Asker, runtime_of
from steerco_service.problems import Problem
from steerco_service.routing import router
from steerco_service.runtime import Runtime

routes = router("views")


class Progress(BaseModel):
    """How far a build has come in one service's log."""

    service: str
    position: int
    watermark: datetime | None


class BuildState(BaseModel):
    """One build of the view."""

    build: int
    state: str
    progress: list[Progress]


class ViewState(BaseModel):
    """The view and its builds: the live one, and the one that is being made, if any."""

    view: str
    version: int
    builds: list[BuildState]


async def _state(connection: AsyncConnection, runtime: Runtime, build: Build, state: str) -> BuildState:
    progress = []
    for service in runtime.service.view.services:
        cursor = await build.checkpoints.load(connection, service)
        position = max(cursor.positions)
        progress.append(Progress(service=service, position=position, watermark=cursor.watermark))
    return BuildState(build=build.number, state=state, progress=progress)


def _checked(runtime: Runtime, view: str) -> None:
    if view != runtime.service.view.name:
        raise Problem(
            404, "unknown-view", f"{runtime.service.name} has the view {runtime.service.view.name!r}, not {view!r}"
        )


@routes.get("/views/{view}", summary="The builds of a view and how far they have come")
async def view_state(view: str, request: Request, _: Asker) -> ViewState:
    """The live build, and the one that is being made."""
    runtime = runtime_of(request)
    _checked(runtime, view)
    builds = runtime.builds
    async with runtime.engine.connect() as connection:
        states = [
            await _state(connection, runtime, build, state)
            for state in ("live", "building")
            for build in await builds.in_state(connection, state)
        ]
    return ViewState(view=view, version=runtime.service.view.version, builds=states)


@routes.post("/views/{view}/rebuild", summary="Build a view anew, from the first event", status_code=202)
async def rebuild_view(view: str, request: Request, _: Asker) -> BuildState:
    """Begins a build beside the live one, which goes on answering; again, while one is under way: the same."""
    runtime = runtime_of(request)
    _checked(runtime, view)
    async with runtime.engine.begin() as tx:
        build = await runtime.builds.begin(tx, runtime.clock.now())
        state = await _state(tx, runtime, build, "building")
    runtime.signals.rebuild_requested.notify()
    return state
