"""What an operator does to make the cluster whole, by the services' own routes."""

import asyncio

import httpx
from sqlalchemy import text

from steerco.edition.services import BY_NAME
from steerco_events.projections.builds import Build
from tests.faults.cluster import RUNNING, Cluster
from tests.faults.scene import NotWhole

REBUILD_SECONDS = 120.0


async def live_build(client: httpx.AsyncClient, service: str) -> int:
    """The number of the build that is read."""
    builds = (await client.get(f"/views/{BY_NAME[service].view.name}")).json()["builds"]
    (live,) = [each["build"] for each in builds if each["state"] == "live"]
    return int(live)


async def rebuild(cluster: Cluster, service: str) -> tuple[int, int]:
    """Have a view made from nothing, and wait until it is the one that is read; the builds before and after.

    What was skipped for the one before is left out of the new one too. Raises `NotWhole`.
    """
    path = f"/views/{BY_NAME[service].view.name}"
    async with cluster.client(service, timeout=30) as client:
        before = await live_build(client, service)
        answer = await client.post(f"{path}/rebuild")
        assert answer.status_code == 202, answer.text
        build = int(answer.json()["build"])
        try:
            async with asyncio.timeout(REBUILD_SECONDS):
                while await live_build(client, service) != build:
                    await asyncio.sleep(0.1)
        except TimeoutError:
            state = (await client.get(path)).text
            raise NotWhole(f"the rebuild of {service} did not end in {REBUILD_SECONDS:.0f} s: {state}") from None
    return before, build


async def skip_parked(cluster: Cluster, service: str) -> None:
    """Have the first event of every parked stream left out."""
    async with cluster.client(service, timeout=30) as client:
        for each in (await client.get("/log/parked")).json():
            if each["asked"] is None:
                path = f"/log/parked/{each['consumer']}/{each['service']}/{each['stream']}/skip"
                await client.post(path, json={"reason": "Written by something else", "first": each["first"]})


_STOPPED = text(
    "SELECT consumer FROM log.checkpoints"
    " WHERE (SELECT max(p) FROM unnest(positions) p) > (SELECT min(b) FROM unnest(began[generation + 1:]) b)"
)


async def accept_loss(cluster: Cluster) -> None:
    """Let those go on that stopped since they know more than a restored log has.

    Views are made anew. A reaction goes on where the new generation began: what it did because of events that are lost
    stays done.
    """
    for service in RUNNING:
        async with cluster.client(service, timeout=30) as client:
            for reaction in BY_NAME[service].reactions:
                path = f"/log/reactions/{reaction.name}/accept-loss"
                answer = await client.post(path, json={"reason": "The database was restored"})
                assert answer.status_code in (200, 409, 503), answer.text
            live = Build(BY_NAME[service].view, await live_build(client, service))
        async with cluster.engine(service).connect() as connection:
            stopped = set((await connection.execute(_STOPPED)).scalars())
        if live.checkpoints.consumer in stopped:
            await rebuild(cluster, service)


async def republish(cluster: Cluster, service: str) -> str:
    """Have a topic published again from the store; what is wrong with the answer, if something is."""
    async with cluster.client(service, timeout=30) as client:
        answer = await client.post("/log/republish")
    return "" if answer.status_code == 202 else f"republish of {service}: {answer.status_code} {answer.text}"
