"""What an operator does to make the cluster whole, by the services' own routes."""

import asyncio

import httpx
from sqlalchemy import text

from steerco.edition.services import BY_NAME
from tests.faults.cluster import LOGS, RUNNING, Cluster
from tests.faults.scene import NotWhole

REBUILD_SECONDS = 120.0


async def live_build(client: httpx.AsyncClient, service: str) -> int:
    """The number of the build that is read."""
    builds = (await client.get(f"/views/{BY_NAME[service].view.name}")).json()["builds"]
    (live,) = [each["build"] for each in builds if each["state"] == "live"]
    return int(live)


async def rebuild(cluster: Cluster, service: str) -> tuple[int, int]:
    """Have a view made from nothing, and wait until it is the one that is read; the builds before and after.

    What the new build can't digest is skipped, as it was for the one before. Raises `NotWhole`.
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
                    await skip_parked(cluster, service)
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


_BEGAN = text("SELECT began FROM log.sealed_head")
_BEYOND = text(
    "SELECT consumer FROM log.checkpoints WHERE service = :service AND generation < :generation"
    " AND (SELECT max(p) FROM unnest(positions) p) > (CAST(:began AS bigint[]))[generation + 1]"
)
_GO_BACK = text(
    "UPDATE log.checkpoints SET generation = :generation, offsets = array_fill(0::bigint, ARRAY[12]), positions ="
    " ARRAY(SELECT least(p, :kept) FROM unnest(positions) WITH ORDINALITY AS u (p, n) ORDER BY n)"
    " WHERE consumer = :consumer AND service = :service"
)


async def accept_loss(cluster: Cluster) -> None:
    """Let those go on that stopped since they know more than a restored log has.

    Views are made anew. A reaction goes on where the new generation began: what it did because of events that are lost
    stays done. There is no command for that, so it is done by hand.
    """
    for log in LOGS:
        async with cluster.engine(log).connect() as connection:
            began = (await connection.execute(_BEGAN)).scalar_one()
        for service in RUNNING:
            reactions = {each.name for each in BY_NAME[service].reactions}
            async with cluster.engine(service).begin() as tx:
                beyond = {"service": log, "generation": len(began), "began": began}
                consumers = set((await tx.execute(_BEYOND, beyond)).scalars())
                for consumer in consumers & reactions:
                    back = {"consumer": consumer, "service": log, "generation": len(began), "kept": began[-1]}
                    await tx.execute(_GO_BACK, back)
            if f"{BY_NAME[service].view.name}_v" in " ".join(consumers):
                await rebuild(cluster, service)


async def republish(cluster: Cluster, service: str) -> str:
    """Have a topic published again from the store; what is wrong with the answer, if something is."""
    async with cluster.client(service, timeout=30) as client:
        answer = await client.post("/log/republish")
    return "" if answer.status_code == 202 else f"republish of {service}: {answer.status_code} {answer.text}"
