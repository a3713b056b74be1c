"""`python -m tests.observability.together`: all services in a process of their own; it prints what it has counted."""

import asyncio

import httpx

from steerco.edition.services import SERVICES
from steerco_events.ids import new_id
from steerco_servers.testing import temporary_postgres
from steerco_service.metrics import METRICS
from steerco_service.operations.sampling import Sampling
from steerco_service.testkit.serving import serving


async def opened(client: httpx.AsyncClient, kind: str = "enterprise", **parent: str) -> httpx.Response:
    """The answer to opening a unit of this kind."""
    told = {"code": f"U-{new_id().hex[-8:]}", "name": "Unit", "kind": kind}
    answer = await client.post("/units", json=told | parent)
    assert answer.status_code == 201, answer.text
    return answer


async def main() -> None:
    """Ask about a unit of each kind, and print all metrics."""
    async with temporary_postgres() as postgres, serving(SERVICES, postgres) as served:
        portfolio, reporting = await served.client("portfolio"), await served.client("reporting")
        top = await opened(portfolio)
        division = await opened(portfolio, kind="business_unit", parent_id=top.json()["id"])
        last = await opened(portfolio, kind="department", parent_id=division.json()["id"])
        token = {"Consistency-Token": last.headers["Consistency-Token"]}
        for unit in (await portfolio.get("/units", headers=token)).json():
            answer = await reporting.get("/portfolio", params={"scope": unit["code"]}, headers=token)
            assert answer.status_code == 200, answer.text
        runtimes = list(served.host.runtimes.values())
        print(METRICS.exposed(await Sampling(runtimes).samples()).decode())


if __name__ == "__main__":
    asyncio.run(main())
