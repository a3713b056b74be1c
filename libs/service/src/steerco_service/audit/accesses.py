"""`GET /accesses`: who asked this service for what, and from where."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from sqlalchemy import Row

from steerco_events.postgres.accesses import AccessesSought, find
from steerco_service.asking import Asker, runtime_of
from steerco_service.audit.exporting import ANSWERS, AT_ONCE, Form, InForm, exported
from steerco_service.bodies import Instant
from steerco_service.events.asked import Line
from steerco_service.reading import Paged, malformed_cursor
from steerco_service.routing import router
from steerco_service.runtime import Runtime

LAST_ID = 2**63 - 1

routes = router("audit")

type Before = tuple[datetime, int]


class AnsweredRequest(BaseModel):
    """A request that was answered. Without a valid token nobody is its `actor_id`.

    `operation` is the name of what was asked for; none, where nothing is at the path. `subject` is what the path
    names.
    """

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    actor_id: Annotated[UUID | None, Field(validation_alias=AliasChoices("actor_id", "actor"))]
    client: str | None
    address: str
    method: str
    operation: str | None
    path: str
    subject: str | None
    status: int
    is_sensitive: bool
    traceparent: str | None


async def sought_of(
    since: Annotated[Instant | None, Query(alias="from", description="At this instant or later.")] = None,
    until: Annotated[Instant | None, Query(description="At this instant or earlier.")] = None,
    actor: Annotated[UUID | None, Query(description="By this person or machine.")] = None,
    operation: Annotated[Line | None, Query(description="For this operation, by its name.")] = None,
    subject: Annotated[Line | None, Query(description="Whose path names this.")] = None,
    is_sensitive: Annotated[bool | None, Query(description="Only sensitive reads, or only the rest.")] = None,
) -> AccessesSought:
    """Which requests are asked for."""
    return AccessesSought(since, until, actor, operation, subject, is_sensitive)


@routes.get(
    "/accesses", summary="Who asked for what, from where", response_model=list[AnsweredRequest], responses=ANSWERS
)
async def list_accesses(
    request: Request, _: Asker, page: Paged, form: InForm, sought: Annotated[AccessesSought, Depends(sought_of)]
) -> Sequence[AnsweredRequest] | StreamingResponse:
    """The newest first. What other processes were asked in the last half second may be missing still."""
    runtime = runtime_of(request)
    await runtime.accesses.flush()
    if form is not Form.json:
        return await exported(form, f"accesses-{runtime.service.name}", AnsweredRequest, _pages(runtime, sought))
    rows = await _read(runtime, sought, page.limit + 1, _before(page.after))
    return [AnsweredRequest.model_validate(row) for row in page.cut(rows, "at", "id")]


def _before(after: Sequence[str]) -> Before | None:
    """The instant and the id that a page ended with. Raises a 400 `Problem`."""
    if not after:
        return None
    try:
        at, id = after
        before = datetime.fromisoformat(at), int(id)
    except ValueError as error:
        raise malformed_cursor() from error
    if before[0].tzinfo is None or not 0 <= before[1] <= LAST_ID:
        raise malformed_cursor()
    return before


async def _pages(runtime: Runtime, sought: AccessesSought) -> AsyncIterator[Sequence[AnsweredRequest]]:
    before: Before | None = None
    while True:
        rows = await _read(runtime, sought, AT_ONCE, before)
        yield [AnsweredRequest.model_validate(row) for row in rows]
        if len(rows) < AT_ONCE:
            return
        before = rows[-1].at, rows[-1].id


async def _read(runtime: Runtime, sought: AccessesSought, limit: int, before: Before | None) -> Sequence[Row[Any]]:
    async with runtime.engine.connect() as connection:
        return await find(connection, sought, limit, before)
