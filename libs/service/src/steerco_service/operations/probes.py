"""Whether a worker lives and is ready: `/livez`, `/readyz`, `/startupz`, on the port of operations.

What it waits for does not make it unwell: without its broker, or with parked streams, it is degraded.
"""

from fastapi import Request, Response

from steerco_events.consuming.standing import stalled_now
from steerco_service.asking import runtime_of
from steerco_service.health import Readiness, failing
from steerco_service.migrated import migrated
from steerco_service.problems import Problem
from steerco_service.routing import router

routes = router("health")


@routes.get("/livez", status_code=204)
async def livez() -> Response:
    """204, or 503 when a consumer has stalled: then the process has to be started again."""
    if stalled := stalled_now():
        raise Problem(503, "stalled", f"there is more to apply, and nothing moves: {', '.join(stalled)}")
    return Response(status_code=204)


@routes.get("/readyz")
async def readyz(request: Request) -> Readiness:
    """200 when it does its part of the work, or stands by; 503 where it lives no more or has not started."""
    await livez()
    return await startupz(request)


@routes.get("/startupz")
async def startupz(request: Request) -> Readiness:
    """200 once its database is there and migrated; what fails in the background is listed."""
    runtime = runtime_of(request)
    async with migrated(runtime) as connection:
        return Readiness(ready=True, degraded=await failing(connection, runtime))
