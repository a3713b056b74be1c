"""Parked streams as operations see them: what a consumer could not digest, and letting it be tried again."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Query, Request
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.consumer_names import without_build
from steerco_events.postgres.parking import Ask, ParkedEvent, ParkedStream, Parking, parked_by
from steerco_events.postgres.skipped import skipped_events
from steerco_events.projections.builds import Build
from steerco_service.access.gaps import SOURCE, grants_hang_on
from steerco_service.asking import Asker, runtime_of
from steerco_service.bodies import Body, Name, one_line
from steerco_service.problems import Problem
from steerco_service.routing import router
from steerco_service.runtime import Runtime

routes = router("log")

type Line = Annotated[str, StringConstraints(max_length=500), AfterValidator(one_line)]
"""A part of the path."""

type Position = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]

MOST_EVENTS = 500
ONE = "/log/parked/{consumer}/{service}/{stream:path}"

_EXAMPLE: dict[str, Any] = {
    "consumer": "portfolio_register_v3_b7",
    "service": "finance",
    "stream": "budget-0198c1de-7c5b-7b0e-9a59-3d0f6b8f6a10",
    "error": "ValidationError: Object missing required field `figure`",
    "parked_at": "2026-03-31T12:00:00Z",
    "attempts": 2,
    "tried_at": "2026-03-31T14:30:00Z",
    "events": 3,
    "first": 2500,
    "last": 2612,
    "asked": None,
    "asked_by": None,
    "asked_reason": None,
}


class ParkedState(BaseModel):
    """A stream that stands aside for a consumer: from its event at `first` on, nothing of it was digested."""

    model_config = {"json_schema_extra": {"examples": [_EXAMPLE]}, "from_attributes": True}

    consumer: str
    service: str = Field(description="Whose log the stream is in.")
    stream: str
    error: str = Field(description="Why the first event could not be digested.")
    parked_at: datetime
    attempts: int = Field(description="How often the first event was tried.")
    tried_at: datetime
    events: int = Field(description="How many events wait.")
    first: int = Field(description="The position of the first of them.")
    last: int
    asked: str | None = Field(description="What somebody asked for: `retry` or `skip`; it is about to be done.")
    asked_by: UUID | None
    asked_reason: str | None


class ParkedDetail(ParkedState):
    """The same, with the first of its events, as CloudEvents in JSON."""

    waiting: list[dict[str, Any]] = Field(description="In order; at most as many as was asked for.")


_SKIPPED: dict[str, Any] = {
    "skipped_for": "portfolio_register_v3",
    "service": "finance",
    "stream": "budget-0198c1de-7c5b-7b0e-9a59-3d0f6b8f6a10",
    "position": 2500,
    "event_id": "0198c1de-9d4e-7f60-8a52-57c7f7f0b6d1",
    "type": "steerco.finance.budget-set",
    "consumer": "portfolio_register_v3_b7",
    "error": "ValidationError: Object missing required field `figure`",
    "skipped_at": "2026-03-31T14:45:00Z",
    "skipped_by": "0198c1de-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
    "reason": "Sent by a test system",
}


class SkippedState(BaseModel):
    """An event that was left out for good."""

    model_config = {"json_schema_extra": {"examples": [_SKIPPED]}, "from_attributes": True}

    skipped_for: str = Field(description="The reaction, or the version of the view, all builds of it.")
    service: str = Field(description="Whose log the event is in.")
    stream: str
    position: int
    event_id: UUID
    type: str
    consumer: str = Field(description="Which consumer had it parked.")
    error: str = Field(description="Why that could not digest it.")
    skipped_at: datetime
    skipped_by: UUID
    reason: str


class Skip(Body):
    """Why the first event may be left out for good."""

    reason: Name = Field(description="Kept with the event that is left out.", examples=["Sent by a test system"])
    first: Position | None = Field(
        None, description="The position of the event that is meant; refused if it is another."
    )


async def consumers_of(connection: AsyncConnection, runtime: Runtime) -> Sequence[str]:
    """The names of the service's consumers: its builds that are read or being made, and its reactions."""
    used = [each.build for each in await runtime.builds.standings(connection) if each.state in ("live", "building")]
    builds = [Build(runtime.service.view, number) for number in used]
    return [*(build.checkpoints.consumer for build in builds), *(each.name for each in runtime.service.reactions)]


@routes.get("/log/parked", summary="List the parked streams", responses={404: {"description": "No such consumer."}})
async def list_parked(
    request: Request, _: Asker, consumer: Annotated[str | None, Query(description="Of this consumer only.")] = None
) -> list[ParkedState]:
    """By consumer, log and stream; a consumer has few, past a limit it stops."""
    runtime = runtime_of(request)
    async with runtime.engine.connect() as connection:
        known = await consumers_of(connection, runtime)
        if consumer is not None and consumer not in known:
            detail = f"{runtime.service.name} has no consumer {consumer!r}; it has {', '.join(known)}"
            raise Problem(404, "unknown-consumer", detail)
        found = await parked_by(connection, known if consumer is None else [consumer])
    return [ParkedState.model_validate(each) for each in found]


@routes.get("/log/parked/skipped", summary="List the events that were left out")
async def list_skipped(
    request: Request,
    _: Asker,
    consumer: Annotated[Line | None, Query(description="For this consumer only; a build stands for its view.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_EVENTS, description="How many at most.")] = 50,
) -> list[SkippedState]:
    """The last first, those of earlier versions of the view too."""
    async with runtime_of(request).engine.connect() as connection:
        found = await skipped_events(connection, limit, consumer)
    return [SkippedState.model_validate(each) for each in found]


@routes.get(ONE, summary="A parked stream and the events that wait")
async def show_parked(
    consumer: Line,
    service: Line,
    stream: Line,
    request: Request,
    _: Asker,
    limit: Annotated[int, Query(ge=1, le=MOST_EVENTS, description="How many events at most.")] = 50,
) -> ParkedDetail:
    """The first event is the one that could not be digested; those behind it wait for it."""
    async with runtime_of(request).engine.connect() as connection:
        parking = Parking(consumer, service)
        found = await _found(connection, parking, stream)
        events = await parking.first_events(connection, stream, limit)
    state = ParkedState.model_validate(found)
    return ParkedDetail(**state.model_dump(), waiting=[_cloudevent(event) for event in events])


@routes.post(ONE + "/retry", summary="Ask that a parked stream be tried again", status_code=202)
async def retry_parked(consumer: Line, service: Line, stream: Line, request: Request, asker: Asker) -> ParkedState:
    """Its events are tried in order; when all are digested, it is parked no more. Done soon after the answer."""
    return await _ask(request, Parking(consumer, service), stream, "retry", asker.principal.actor.id)


@routes.post(ONE + "/skip", summary="Ask that a parked stream's first event be left out", status_code=202)
async def skip_parked(
    consumer: Line, service: Line, stream: Line, body: Skip, request: Request, asker: Asker
) -> ParkedState:
    """The event is left out for good, which is remembered with who asked and why; then the others are tried.

    It stays left out when the view is made anew; a new version of the view tries it again. A view leaves out nothing
    by which people may act, of units, appointments and where projects are: an end that it never saw would never be.
    """
    return await _ask(request, Parking(consumer, service), stream, "skip", asker.principal.actor.id, body)


async def _ask(
    request: Request, parking: Parking, stream: str, ask: Ask, by: UUID, skip: Skip | None = None
) -> ParkedState:
    runtime = runtime_of(request)
    async with runtime.engine.begin() as tx:
        found = await _found(tx, parking, stream)
        if skip:
            (first,) = await parking.first_events(tx, stream, 1)
            _check_may_be_left_out(parking, stream, first.attributes["type"])
        if skip and skip.first not in (None, found.first):
            detail = f"the first event of {stream} is now that at position {found.first}, not at {skip.first}"
            raise Problem(409, "another-event-is-first", detail)
        if not await parking.ask(tx, stream, ask, by, skip.reason if skip else None):
            detail = f"somebody asked for a {found.asked} of {stream}, which is about to be done"
            raise Problem(409, "already-asked", detail)
        asked = await _found(tx, parking, stream)
    runtime.signals.parked_asked.notify()
    return ParkedState.model_validate(asked)


def _check_may_be_left_out(parking: Parking, stream: str, type: str) -> None:
    """Raise a 409 `Problem` for an event by which a view has people act."""
    is_view = without_build(parking.consumer) != parking.consumer
    if is_view and parking.service == SOURCE and grants_hang_on(stream, type):
        detail = f"people may act by what {stream} tells: an end that is left out would stay unseen for ever"
        raise Problem(409, "grants-hang-on-it", f"{detail}; bring what can digest it, then retry")


async def _found(connection: AsyncConnection, parking: Parking, stream: str) -> ParkedStream:
    found = await parking.one(connection, stream)
    if found is None:
        detail = f"{stream!r} of {parking.service!r} is not parked for {parking.consumer!r}"
        raise Problem(404, "stream-not-parked", detail)
    return found


def _cloudevent(event: ParkedEvent) -> dict[str, Any]:
    try:
        return {**event.attributes, "data": msgspec.json.decode(event.data)}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {**event.attributes, "data_base64": base64.b64encode(event.data).decode()}
