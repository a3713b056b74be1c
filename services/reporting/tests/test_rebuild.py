"""The view is made anew beside the live one, which answers meanwhile; the rows are the same."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from sqlalchemy import select

from steerco_events.projections.builds import Build
from steerco_events.testkit.logs import until
from steerco_reporting.app import PORTFOLIO_REGISTER
from steerco_service.testkit.serving import Served

type Rows = Mapping[str, Sequence[Mapping[str, Any]]]

VIEW = "/views/portfolio_register"
QUESTION = "/portfolio?by=month&over=true&as_of=2025-05-20T12:00:00Z"


async def rows(served: Served, build: int) -> Rows:
    """Every row of every table of a build, all columns."""
    found = {}
    async with served.runtime("reporting").engine.connect() as connection:
        for projection in PORTFOLIO_REGISTER.projections:
            table = Build(PORTFOLIO_REGISTER, build).table(projection.name)
            query = select(table).order_by(table.c.key, table.c.sealed_from)
            found[projection.name] = [dict(row) for row in (await connection.execute(query)).mappings()]
    return found


async def builds(reporting: httpx.AsyncClient) -> dict[int, str]:
    """The builds that are read or made, and their states."""
    return {each["build"]: each["state"] for each in (await reporting.get(VIEW)).json()["builds"]}


async def answer(reporting: httpx.AsyncClient) -> dict[str, Any]:
    """What the view says, but for the watermarks, which move on."""
    found: dict[str, Any] = (await reporting.get(QUESTION)).json()
    assert found["totals"]["projects"] == 5
    return found | {"sources": {name: each["position"] for name, each in found["sources"].items()}, "complete": None}


async def rebuilt(reporting: httpx.AsyncClient) -> int:
    """The number of the build that a request began."""
    begun = await reporting.post(f"{VIEW}/rebuild")
    assert (begun.status_code, begun.json()["state"]) == (202, "building")
    number: int = begun.json()["build"]
    return number


async def until_live(reporting: httpx.AsyncClient, number: int) -> None:
    async def live() -> bool:
        return await builds(reporting) == {number: "live"}

    await until(live, f"build {number} is the only one, and live")


async def test_a_rebuilt_view_has_the_same_rows_in_every_table(served: Served, reporting: httpx.AsyncClient) -> None:
    ((old, _),) = (await builds(reporting)).items()
    before, said = await rows(served, old), await answer(reporting)
    assert all(before.values()), "every table has rows"
    number = await rebuilt(reporting)
    await until_live(reporting, number)
    assert number == old + 1
    assert await rows(served, number) == before
    assert await answer(reporting) == said


async def test_the_old_build_answers_while_the_new_one_is_made(
    served: Served, reporting: httpx.AsyncClient, held_back: Any
) -> None:
    ((old, _),) = (await builds(reporting)).items()
    before, said = await rows(served, old), await answer(reporting)
    async with held_back():
        number = await rebuilt(reporting)

        async def made() -> bool:
            assert await answer(reporting) == said
            return await rows(served, number) == before

        await until(made, "the new build has all rows")
        assert await builds(reporting) == {old: "live", number: "building"}
    await until_live(reporting, number)
    assert await answer(reporting) == said


async def test_a_rebuild_that_is_asked_for_while_one_runs_is_the_same_one(
    reporting: httpx.AsyncClient, held_back: Any
) -> None:
    async with held_back():
        number, *others = await asyncio.gather(*(rebuilt(reporting) for _ in range(3)))
        assert {*others, await rebuilt(reporting)} == {number}
    await until_live(reporting, number)


async def test_a_build_tells_how_far_it_has_come_and_may_be_given_up(
    reporting: httpx.AsyncClient, held_back: Any
) -> None:
    ((old, _),) = (await builds(reporting)).items()
    async with held_back():
        number = await rebuilt(reporting)

        async def is_told() -> bool:
            (way,) = [each["way"] for each in (await reporting.get(VIEW)).json()["builds"] if each["way"]]
            return bool(way["percentage"] == 100.0 and way["applied"] == way["goal"] > 0)

        await until(is_told, "the new build has come all the way")
        assert (await reporting.delete(f"{VIEW}/rebuild")).status_code == 204
        assert await builds(reporting) == {old: "live"}
        assert (await reporting.delete(f"{VIEW}/rebuild")).status_code == 409
        assert await rebuilt(reporting) == number + 1
    await until_live(reporting, number + 1)


async def test_an_unknown_view_is_not_found(reporting: httpx.AsyncClient) -> None:
    for asked in (reporting.post("/views/portfolio/rebuild"), reporting.get("/views/portfolio")):
        refused = await asked
        assert (refused.status_code, refused.json()["type"]) == (404, "urn:steerco:problem:unknown-view")
        assert "portfolio_register" in refused.json()["detail"]
