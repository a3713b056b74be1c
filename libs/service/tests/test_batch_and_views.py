"""Batches of commands, and views made anew."""

import httpx
import pytest

from steerco_events.ids import new_id
from steerco_service.testkit.serving import Served


def putting(name: object, **more: object) -> dict[str, object]:
    return {"path": "/things", "body": {"name": name}} | more


async def test_each_command_of_a_batch_is_accepted_or_refused_alone(shelf: httpx.AsyncClient) -> None:
    thing_id = str(new_id())
    commands = [
        putting("Lamp", body={"name": "Lamp", "thing_id": thing_id}, group="a"),
        {"path": f"/things/{thing_id}/closure", "group": "a", "if_match": '"1"'},
        putting(""),
        {"path": f"/things/{new_id()}/closure"},
        putting("Vase", idempotency_key="batched", reason="For the hall"),
    ]
    answer = await shelf.post("/batch", json={"commands": commands})
    answers = answer.json()["answers"]
    assert [each["status"] for each in answers] == [201, 204, 422, 404, 201]
    assert answers[0]["headers"]["location"] == f"/things/{thing_id}"
    assert answers[2]["body"]["type"] == "urn:steerco:problem:invalid-request"
    token = answers[4]["headers"]["consistency-token"]
    assert (await shelf.get("/things", headers={"Consistency-Token": token})).status_code == 200


@pytest.mark.parametrize(
    "commands",
    [
        [],
        [putting("x")] * 501,
        [putting("x", path="things")],
        [putting("x", path="/batch")],
        [putting("x", path="/batch/?a=b")],
        [putting("x", path="/%62atch")],
        [putting("x", method="GET")],
    ],
)
async def test_a_malformed_batch_is_refused_whole(shelf: httpx.AsyncClient, commands: list[object]) -> None:
    assert (await shelf.post("/batch", json={"commands": commands})).status_code == 422


async def test_a_rebuilt_view_has_the_same_rows_and_the_old_one_answers_meanwhile(
    served: Served, shelf: httpx.AsyncClient
) -> None:
    for n in range(20):
        await shelf.post("/things", json={"name": f"Rebuild {n}"})
    await served.settled()
    before = (await shelf.get("/things?limit=500")).json()
    builds = (await shelf.get("/views/shelf")).json()["builds"]
    begun = (await shelf.post("/views/shelf/rebuild")).json()
    assert begun["state"] == "building"
    while True:
        assert (await shelf.get("/things?limit=500")).json() == before
        state = (await shelf.get("/views/shelf")).json()
        if [each["build"] for each in state["builds"]] == [begun["build"]]:
            break
    assert begun["build"] != builds[0]["build"]
    assert (await shelf.get("/things?limit=500")).json() == before


async def test_an_unknown_view_is_404(shelf: httpx.AsyncClient) -> None:
    assert (await shelf.post("/views/attic/rebuild")).json()["type"] == "urn:steerco:problem:unknown-view"
