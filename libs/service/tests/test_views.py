"""What operations see of a view's builds, and ask of them."""

from typing import Any

import httpx

from steerco_events.testkit.logs import until
from steerco_service.testkit.serving import Served

VIEW = "/views/shelf"


async def seen(shelf: httpx.AsyncClient) -> dict[str, Any]:
    answer = await shelf.get(VIEW)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def live(shelf: httpx.AsyncClient) -> int:
    (number,) = [build["build"] for build in (await seen(shelf))["builds"] if build["state"] == "live"]
    assert isinstance(number, int)
    return number


async def until_live(shelf: httpx.AsyncClient, number: int) -> None:
    async def is_live() -> bool:
        return await live(shelf) == number

    await until(is_live, f"build {number} is live")


async def rebuilt(shelf: httpx.AsyncClient) -> int:
    begun = await shelf.post(f"{VIEW}/rebuild")
    assert (begun.status_code, begun.json()["state"]) == (202, "building")
    number: int = begun.json()["build"]
    await until_live(shelf, number)
    return number


async def test_the_build_that_was_live_before_is_shown_and_a_rollback_returns_to_it(
    served: Served, shelf: httpx.AsyncClient
) -> None:
    before = await live(shelf)
    number = await rebuilt(shelf)
    state = await seen(shelf)
    assert [(each["build"], each["state"], each["way"]) for each in state["builds"]] == [(number, "live", None)]
    assert (state["kept"]["build"], state["kept"]["state"]) == (before, "retired")
    await shelf.post("/things", json={"name": "After the rebuild"})
    await served.settled()
    things = (await shelf.get("/things?limit=500")).json()

    back = await shelf.post(f"{VIEW}/rollback")
    assert (back.status_code, back.json()["build"], back.json()["state"]) == (202, before, "building")
    await until_live(shelf, before)
    assert (await shelf.get("/things?limit=500")).json() == things
    assert (await seen(shelf))["kept"]["build"] == number


async def test_what_is_asked_of_a_build_when_none_is_being_made_is_refused(shelf: httpx.AsyncClient) -> None:
    for method, path in (("DELETE", "rebuild"), ("POST", "accept")):
        answer = await shelf.request(method, f"{VIEW}/{path}")
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:steerco:problem:no-rebuild")


async def test_every_question_about_an_unknown_view_is_404(shelf: httpx.AsyncClient) -> None:
    for method, path in (("DELETE", "rebuild"), ("POST", "accept"), ("POST", "rollback"), ("POST", "rebuild")):
        answer = await shelf.request(method, f"/views/attic/{path}")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-view")
