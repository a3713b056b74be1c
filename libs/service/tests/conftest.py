"""A service that is as small as one can be: a shelf that things are put on, over the events of risk."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

import httpx
import pytest
from fastapi import Query, Response
from sqlalchemy import select

from steerco_events.contracts.risk import RiskClosed, RiskRaised
from steerco_events.decider import Decider, Refusal
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection, View
from steerco_events.registry import Payload
from steerco_servers.testing import TemporaryPostgres
from steerco_service.access.placed import ACCESS
from steerco_service.bodies import Body, Name
from steerco_service.call import Calling
from steerco_service.reading import Paged, Read
from steerco_service.routing import router
from steerco_service.runtime import Service
from steerco_service.testkit.serving import Served, permitting, serving

routes = router("things")


class ThingAlreadyClosed(Refusal):
    """It is closed."""


class ThingUnknown(Refusal):
    """It is not there."""

    kind = "unknown"


@dataclass(frozen=True)
class Put:
    thing_id: UUID
    name: str


@dataclass(frozen=True)
class Close:
    thing_id: UUID


def raised(thing_id: UUID, name: str) -> RiskRaised:
    return RiskRaised(
        risk_id=thing_id, project_id=thing_id, cause="", event=name, effect="", category="", project_version=1
    )


def decide(command: Put | Close, state: str | None) -> Sequence[Payload]:
    match command, state:
        case Put(thing_id, name), None:
            return [raised(thing_id, name)]
        case Put(_, name), _ if name == state:
            return []
        case Put(), _:
            raise ThingAlreadyClosed(f"the thing is {state}", pointer="/name")
        case Close(), None:
            raise ThingUnknown("nothing has this id")
        case Close(), "closed":
            return []
        case Close(thing_id), _:
            return [RiskClosed(risk_id=thing_id, project_id=thing_id)]


def evolve(state: str | None, event: Payload) -> str | None:
    match event:
        case RiskRaised(event=name):
            return name
        case _:
            return "closed"


decider: Decider[str | None, Put | Close] = Decider(None, evolve, decide)


@dataclass(frozen=True)
class Thing:
    thing_id: UUID
    name: str
    is_open: bool


def key(event: Recorded) -> str | None:
    return event.stream.removeprefix("risk-")


def evolve_row(row: Thing | None, event: Recorded) -> Thing | None:
    match event.payload, row:
        case RiskRaised(risk_id=thing_id, event=name), _:
            return Thing(thing_id, name, True)
        case RiskClosed(), Thing():
            return replace(row, is_open=False)
        case _:
            return row


things = Projection("things", Thing, key, evolve_row)


class NewThing(Body):
    thing_id: UUID | None = None
    name: Name


class ThingAnswer(Body):
    thing_id: UUID
    name: str
    is_open: bool


@routes.post("/things", status_code=201)
async def put(body: NewThing, call: Calling) -> Response:
    thing_id = body.thing_id or call.new_id()
    return await call.handle(decider, f"risk-{thing_id}", Put(thing_id, body.name), created=thing_id)


@routes.post("/things/{thing_id}/closure", status_code=204)
async def close(thing_id: UUID, call: Calling) -> Response:
    return await call.handle(decider, f"risk-{thing_id}", Close(thing_id))


@routes.get("/things")
async def listed(reading: Read, page: Paged, is_open: Annotated[bool | None, Query()] = None) -> list[ThingAnswer]:
    table = reading.table("things")
    query = select(table).where(reading.known_at(table))
    if is_open is not None:
        query = query.where(table.c.is_open == is_open)
    rows = await reading.rows(things, page.select(query, table.c.key))
    return [ThingAnswer(thing_id=r.thing_id, name=r.name, is_open=r.is_open) for r in page.cut(rows, "thing_id")]


@routes.get("/things/{thing_id}")
async def one(thing_id: UUID, reading: Read, response: Response) -> ThingAnswer:
    row = await reading.fold(things, f"risk-{thing_id}", response)
    if row is None:
        raise ThingUnknown("nothing has this id")
    return ThingAnswer(thing_id=row.thing_id, name=row.name, is_open=row.is_open)


SHELF = Service(
    name="risk",
    title="Shelf",
    description="A shelf.",
    migrations="steerco_service.testkit.migrations",
    routers=(routes,),
    view=View("shelf", 1, ("risk", "portfolio"), (things, *ACCESS)),
)
permitting("risk", routes)


@pytest.fixture(scope="session")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SHELF], postgres) as running:
        yield running


@pytest.fixture(scope="session")
async def shelf(served: Served) -> httpx.AsyncClient:
    return await served.client("risk")
