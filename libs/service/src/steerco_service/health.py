"""Whether a service lives and is ready: `/livez`, `/readyz`, `/startupz`."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from steerco_events.retrying import failing_now
from steerco_service.asking import runtime_of
from steerco_service.consistency import live_build

routes = APIRouter(tags=["health"])


class Readiness(BaseModel):
    """`ready` when the database answers and the view is built; `degraded` lists what fails meanwhile."""

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
    async with runtime.engine.connect() as connection:
        await live_build(connection, runtime)
    return Readiness(ready=True, degraded=failing_now())
