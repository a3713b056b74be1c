"""Whether a service lives and is ready: `/livez`, `/readyz`, `/startupz`."""

from collections import Counter

from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.postgres.parking import parked_by
from steerco_events.postgres.timers import failing_timers
from steerco_events.retrying import failing_now
from steerco_service.asking import runtime_of
from steerco_service.consistency import live_build
from steerco_service.migrated import migrated
from steerco_service.parked import consumers_of
from steerco_service.problems import Problem
from steerco_service.routing import router
from steerco_service.runtime import Runtime

routes = router("health")


class Readiness(BaseModel):
    """`ready` when the database is migrated and the view is built; `degraded` says what kinds of things fail meanwhile.

    It is for anybody, so it names no stream and repeats no error: those are listed for who may see them, and logged.
    """

    ready: bool
    degraded: dict[str, str] = {}


@routes.get("/livez", summary="The process answers", status_code=204)
async def livez() -> Response:
    """Always 204: that it answers is the answer."""
    return Response(status_code=204)


@routes.get("/readyz", summary="The service can serve")
@routes.get("/startupz", summary="The service has started", operation_id="startupz")
async def readyz(request: Request) -> Readiness:
    """200 when the service can serve, 503 while it can't or is about to end; what fails in the background is listed."""
    runtime = runtime_of(request)
    if runtime.draining.is_set():
        raise Problem(503, "draining", f"{runtime.service.name} is about to end", headers={"Retry-After": "5"})
    await runtime.authenticator.prepare()
    async with migrated(runtime) as connection:
        await live_build(connection, runtime)
        degraded = await failing(connection, runtime)
    await runtime.access.known()
    degraded |= {**runtime.accesses.degraded, **dict.fromkeys(runtime.authenticator.degraded, "unreachable")}
    return Readiness(ready=True, degraded=degraded)


async def failing(connection: AsyncConnection, runtime: Runtime) -> dict[str, str]:
    """What fails in the background of the service, as far as the process and the database know."""
    timers = await failing_timers(connection) if runtime.service.timed else {}
    parked = await parked_by(connection, await consumers_of(connection, runtime))
    by_consumer = Counter(each.consumer for each in parked)
    return {
        **{name: error.partition(":")[0] for name, error in failing_now(runtime.service.name).items()},
        **{f"timers {name} of {runtime.service.name}": f"failing: {count}" for name, count in timers.items()},
        **{f"parked for {consumer}": f"streams: {count}" for consumer, count in by_consumer.items()},
    }
