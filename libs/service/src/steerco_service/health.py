"""Whether a service lives and is ready: `/livez`, `/readyz`, `/startupz`."""

from collections.abc import Sequence
from itertools import groupby

from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy.exc import ProgrammingError

from steerco_events.postgres.parking import ParkedStream, parked_by
from steerco_events.postgres.timers import first_failing
from steerco_events.retrying import failing_now
from steerco_service.asking import runtime_of
from steerco_service.consistency import live_build
from steerco_service.parked import consumers_of
from steerco_service.problems import Problem
from steerco_service.routing import router

routes = router("health")


class Readiness(BaseModel):
    """`ready` when the database is migrated and the view is built; `degraded` lists what fails meanwhile."""

    ready: bool
    degraded: dict[str, str] = {}


@routes.get("/livez", summary="The process answers", status_code=204)
async def livez() -> Response:
    """Always 204: that it answers is the answer."""
    return Response(status_code=204)


@routes.get("/readyz", summary="The service can serve")
@routes.get("/startupz", summary="The service has started", operation_id="startupz")
async def readyz(request: Request) -> Readiness:
    """200 when the service can serve, 503 while it can't; what fails in the background is listed."""
    runtime = runtime_of(request)
    await runtime.authenticator.prepare()
    async with runtime.engine.connect() as connection:
        try:
            await live_build(connection, runtime)
            timer = await first_failing(connection) if runtime.service.timed else None
            parked = await parked_by(connection, await consumers_of(connection, runtime))
        except ProgrammingError as error:
            detail = f"the database of {runtime.service.name} is not migrated to what this release needs"
            raise Problem(503, "not-migrated", detail, headers={"Retry-After": "5"}) from error
    await runtime.access.organization()
    degraded = failing_now() | dict(runtime.authenticator.degraded)
    if timer:
        degraded[f"{runtime.service.name} timer {timer.name} of {timer.stream}"] = timer.error
    return Readiness(ready=True, degraded=degraded | _parked(parked))


def _parked(streams: Sequence[ParkedStream]) -> dict[str, str]:
    """A line for each consumer that has parked streams."""
    said = {}
    for consumer, each in groupby(streams, key=lambda stream: stream.consumer):
        first, *others = each
        more = f", and {len(others)} more streams" if others else ""
        said[f"parked for {consumer}"] = f"{first.stream} of {first.service} ({first.error}){more}"
    return said
