"""`GET /audit`: what was done at a scope, by whom and why, from the service's own log."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from steerco_events.postgres.event_pages import Filter
from steerco_events.postgres.trail import Between, TrailPage, read_back
from steerco_service.asking import Asker, runtime_of
from steerco_service.audit.exporting import ANSWERS, AT_ONCE, Form, InForm, exported
from steerco_service.bodies import Instant
from steerco_service.consistency import deadline_from_now, token_of_header
from steerco_service.events.asked import Line, check_types
from steerco_service.events.feed import Feed
from steerco_service.reading import Paged, malformed_cursor
from steerco_service.routing import router
from steerco_service.runtime import Runtime

routes = router("audit")


class AuditedEvent(BaseModel):
    """What happened: who did it, through which client, why, to what, and what it came of.

    `subject` is the stream, `units` those that its writer believed concerned. A command and all that reacted to it
    share `correlation_id`; `causation_id` is what it came of directly.
    """

    model_config = ConfigDict(from_attributes=True)

    event_id: Annotated[UUID, Field(validation_alias=AliasChoices("event_id", "id"))]
    recorded_at: datetime
    sealed_at: datetime
    valid_at: datetime | None
    type: str
    subject: Annotated[str, Field(validation_alias=AliasChoices("subject", "stream"))]
    stream_version: int
    actor_id: Annotated[UUID, Field(validation_alias=AliasChoices("actor_id", "actor"))]
    actor_title: str
    on_behalf_of: UUID | None
    client: str
    reason: str | None
    units: Annotated[list[UUID], Field(validation_alias=AliasChoices("units", "org_units"))]
    correlation_id: UUID
    causation_id: UUID
    traceparent: str | None


async def between_of(
    since: Annotated[Instant | None, Query(alias="from", description="Sealed at this instant or later.")] = None,
    until: Annotated[Instant | None, Query(description="Sealed at this instant or earlier.")] = None,
) -> Between:
    """The dependency of a list of what was between two instants."""
    return Between(since, until)


type InBetween = Annotated[Between, Depends(between_of)]


async def sought_of(
    request: Request,
    asking: Asker,
    actor: Annotated[UUID | None, Query(description="Done by this person or machine.")] = None,
    client: Annotated[Line | None, Query(description="Done through this client program.")] = None,
    type: Annotated[Line | None, Query(description="Of this type, by its full name.")] = None,
    subject: Annotated[Line | None, Query(description="Of this stream.")] = None,
    unit_id: Annotated[
        UUID | None, Query(description="Stamped with this unit, or with one that is below it now.")
    ] = None,
    command: Annotated[
        UUID | None, Query(description="What came of this command, by the `correlation_id` that its events have.")
    ] = None,
) -> Filter:
    """Which events are asked for, of those that are there for who asks. Raises a 422 `Problem`."""
    check_types(runtime_of(request), [type] if type else [])
    return Filter(
        types=_one(type),
        subjects=_one(subject),
        units=tuple(asking.tree.below([unit_id])) if unit_id else (),
        scope=None if asking.scope.is_whole else tuple(asking.scope.units),
        actors=_one(actor),
        clients=_one(client),
        commands=_one(command),
    )


def _one[Value](value: Value | None) -> Sequence[Value]:
    return () if value is None else (value,)


@routes.get("/audit", summary="What was done, by whom and why", response_model=list[AuditedEvent], responses=ANSWERS)
async def audit(
    request: Request,
    asking: Asker,
    page: Paged,
    form: InForm,
    between: InBetween,
    sought: Annotated[Filter, Depends(sought_of)],
    consistency_token: Annotated[
        str | None, Header(description="Answer only after the log has what this token covers.")
    ] = None,
) -> Sequence[AuditedEvent] | StreamingResponse:
    """The newest first. A page that had much to look through may be empty and yet name a next one in `Link`."""
    runtime = runtime_of(request)
    feed: Feed = request.app.state.feed
    await feed.is_sealed(token_of_header(consistency_token), asking.deadline or deadline_from_now())
    if form is not Form.json:
        pages = _pages(runtime, sought, between)
        return await exported(form, f"audit-{runtime.service.name}", AuditedEvent, pages)
    found = await _read(runtime, sought, between, page.limit, _before(page.after))
    if found.end is not None:
        page.link(str(found.end))
    return [AuditedEvent.model_validate(row) for row in found.rows]


def _before(after: Sequence[str]) -> int | None:
    """The position that a page ended with. Raises a 400 `Problem`."""
    match after:
        case []:
            return None
        case [position] if position.isascii() and position.isdigit() and int(position) < 2**63:
            return int(position)
        case _:
            raise malformed_cursor()


async def _pages(runtime: Runtime, sought: Filter, between: Between) -> AsyncIterator[Sequence[AuditedEvent]]:
    before: int | None = None
    while True:
        found = await _read(runtime, sought, between, AT_ONCE, before)
        yield [AuditedEvent.model_validate(row) for row in found.rows]
        if found.end is None:
            return
        before = found.end


async def _read(runtime: Runtime, sought: Filter, between: Between, limit: int, before: int | None) -> TrailPage:
    async with runtime.engine.connect() as connection:
        return await read_back(connection, sought, between, limit, before)
