"""One application that has every service under its name."""

from collections.abc import Mapping

from fastapi import FastAPI

from steerco_service.problems import install_problem_handlers


def front_app(titles: Mapping[str, str]) -> FastAPI:
    """What stands before the services: at `/` the list of them with their API docs, and problems as details."""
    front = FastAPI(title="Steerco", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    install_problem_handlers(front)

    @front.get("/")
    async def services() -> dict[str, dict[str, str]]:
        return {
            name: {"title": title, "docs": f"/{name}/docs", "openapi": f"/{name}/openapi.json"}
            for name, title in titles.items()
        }

    return front


def parent_app(apps: Mapping[str, FastAPI]) -> FastAPI:
    """`/intake`, `/portfolio`, … in this process."""
    parent = front_app({name: app.title for name, app in apps.items()})
    for name, app in apps.items():
        parent.mount(f"/{name}", app)
    return parent
