"""The FastAPI application of a service: the same shape for all of them."""

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from steerco_service import batch, health, log, losses, parked, timers, views
from steerco_service.events.routes import serve_events
from steerco_service.problems import install_problem_handlers
from steerco_service.runtime import Runtime
from steerco_service.traces import TracedRequests


def create_app(runtime: Runtime) -> FastAPI:
    """The application; API docs with assets that it serves itself, problem details for every error."""
    service = runtime.service
    app: FastAPI = FastAPIOffline(
        title=service.title,
        description=service.description,
        version="0.1.0",
        telemetry={"tracing": False, "metrics": False, "logs": False},  # `TracedRequests` is lighter
    )
    app.state.runtime = runtime
    install_problem_handlers(app)
    app.add_middleware(TracedRequests)
    for routes in service.routers:
        app.include_router(routes)
    if service.owns_log:
        app.include_router(batch.routes)
        serve_events(app, runtime)
        app.include_router(log.routes)
        app.include_router(losses.routes)
        app.include_router(timers.routes)
    app.include_router(parked.routes)
    app.include_router(views.routes)
    app.include_router(health.routes)
    return app
