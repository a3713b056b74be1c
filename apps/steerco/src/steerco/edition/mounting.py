"""One application that has every service under its name."""

from collections.abc import Mapping

from fastapi import FastAPI

from steerco_service.problems import install_problem_handlers


def parent_app(apps: Mapping[str, FastAPI]) -> FastAPI:
    """`/intake`, `/portfolio`, … and at `/` the list of them with their API docs."""
    parent = FastAPI(title="Steerco", openapi_url=None, docs_url=None, redoc_url=None)
    install_problem_handlers(parent)

    @parent.get("/")
    async def services() -> dict[str, dict[str, str]]:
        return {
            name: {"title": app.title, "docs": f"/{name}/docs", "openapi": f"/{name}/openapi.json"}
            for name, app in apps.items()
        }

    for name, app in apps.items():
        parent.mount(f"/{name}", app)
    return parent
