"""An API answers at its path before any gateway: one that takes the path away, and one that leaves it."""

import httpx
import pytest
from fastapi import FastAPI

from steerco_service.edge.beneath import beneath
from steerco_service.testkit.listening import listening

ROOT = "/finance"


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/budgets/{name}")
    async def budget(name: str) -> str:
        return name

    return app


@pytest.mark.parametrize("path", ["/budgets/one", f"{ROOT}/budgets/one"])
async def test_it_answers_with_and_without_its_path(path: str) -> None:
    async with listening(beneath(ROOT, application()), root_path=ROOT) as server, httpx.AsyncClient() as client:
        answer = await client.get(server.url + path)
    assert (answer.status_code, answer.text) == (200, '"one"')


@pytest.mark.parametrize("path", [f"{ROOT}{ROOT}/budgets/one", f"{ROOT}s/budgets/one", "/fin%61nce/budgets/one", ROOT])
async def test_its_path_is_taken_once_whole_and_as_it_is_written(path: str) -> None:
    async with listening(beneath(ROOT, application()), root_path=ROOT) as server, httpx.AsyncClient() as client:
        assert (await client.get(server.url + path)).status_code == 404


async def test_what_is_escaped_stays_escaped() -> None:
    async with listening(beneath(ROOT, application()), root_path=ROOT) as server, httpx.AsyncClient() as client:
        assert (await client.get(f"{server.url}{ROOT}/budgets/a%20b")).json() == "a b"


async def test_without_a_path_of_its_own_it_is_itself() -> None:
    app = application()
    assert beneath("", app) is app
    async with listening(beneath("", app)) as server, httpx.AsyncClient() as client:
        assert (await client.get(f"{server.url}{ROOT}/budgets/one")).status_code == 404
