"""The FastAPI application of a service: the same shape for all of them."""

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from steerco_service import batch, health, log, losses, parked, timers, views
from steerco_service.access.permissions import permission_of
from steerco_service.audit import accesses, trail
from steerco_service.audit.accessing import LoggedAccesses
from steerco_service.edge.pages import serve_pages
from steerco_service.events import routes as events
from steerco_service.events.feed import Feed
from steerco_service.measured import MeasuredRequests
from steerco_service.openapi import DescribedApp
from steerco_service.problems import install_problem_handlers
from steerco_service.runtime import Runtime, Service
from steerco_service.scoped import routes as scoped
from steerco_service.scoped.share import SharedLog
from steerco_service.traced_requests import NOTHING_OF_FASTAPI


def routers_of(service: Service) -> Sequence[APIRouter]:
    """The service's own routers, and those that every service has."""
    routers = [*service.routers, parked.routes, views.routes, accesses.routes, health.routes]
    if service.owns_log:
        routers += [batch.routes, events.routes, scoped.routes, trail.routes, log.routes, losses.routes, timers.routes]
    return routers


def create_app(runtime: Runtime) -> FastAPI:
    """The application; API docs with assets that it serves itself, problem details for every error.

    Raises `NoPermission` for an operation of which nobody has said who may call it.
    """
    service = runtime.service
    app = DescribedApp(
        title=service.title,
        description=service.description,
        version=version("steerco-service"),
        docs_url=None,
        redoc_url=None,
        telemetry=NOTHING_OF_FASTAPI,
    )
    app.state.runtime = runtime
    install_problem_handlers(app)
    routers = routers_of(service)
    operations = [route for each in routers for route in each.routes if isinstance(route, APIRoute)]
    permissions = {route.name: permission_of(service.name, route.name) for route in operations}
    app.state.operations, app.state.permissions = operations, permissions
    app.add_middleware(LoggedAccesses, log=runtime.accesses, clock=runtime.clock, permissions=permissions)
    app.add_middleware(MeasuredRequests, service=service.name, routes=operations)
    if service.owns_log:
        app.state.feed = Feed(runtime)
        app.state.shared = SharedLog(runtime)
    for each in routers:
        app.include_router(each)
    serve_pages(app)
    return app
