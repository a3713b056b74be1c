"""One request that reads: a single consistent snapshot of the service's view, at an instant if one is asked for."""

import base64
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Response
from sqlalchemy import ARRAY, ColumnElement, FromClause, Select, Table, Uuid, any_, literal, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.contracts.values import FieldClass
from steerco_events.projections.builds import Build
from steerco_events.projections.model import Projection
from steerco_events.projections.tables import known_at, row_of
from steerco_service.access.placed import in_force, managing, projects_placed
from steerco_service.asking import Asker, Asking, runtime_of
from steerco_service.consistency import live_build, token_of_header, wait_until
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime

PAGE = 50
LARGEST_PAGE = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """A snapshot of the live build of the service's view, for one request."""

    connection: AsyncConnection
    build: Build
    runtime: Runtime
    asking: Asking

    async def rows[Row](self, projection: Projection[Row], query: Select[Any]) -> Sequence[Row]:
        """The rows that a query over the projection's table finds."""
        found = (await self.connection.execute(query)).mappings()
        return [row_of(projection, each) for each in found]

    async def one[Row](self, projection: Projection[Row], key: str) -> Row | None:
        """The present row of a key, if there is one."""
        table = self.table(projection.name)
        query = select(table).where(table.c.key == key, known_at(table, None))
        return next(iter(await self.rows(projection, query)), None)

    async def fold[Row](self, projection: Projection[Row], stream: str, response: Response) -> Row | None:
        """One record, folded from its own stream, so never behind; its version becomes the ETag."""
        rows = await self.fold_all(projection, stream, response)
        return next(iter(rows.values()), None)

    async def fold_all[Row](self, projection: Projection[Row], stream: str, response: Response) -> Mapping[str, Row]:
        """All rows of a stream that has several, by key, never behind; the stream's version becomes the ETag."""
        rows: dict[str, Row | None] = {}
        for event in await self.runtime.store.read_events(self.connection, stream):
            response.headers["ETag"] = f'"{event.stream_version}"'
            if key := projection.key(event):
                rows[key] = projection.evolve(rows.get(key), event)
        return {key: row for key, row in rows.items() if row is not None}

    def in_units(self, unit_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """The condition for the rows whose unit is in the caller's scope."""
        scope = self.asking.scope
        return true() if scope.is_whole else unit_id == any_of(scope.units)

    def in_projects(self, project_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """The condition for the rows whose project is in the caller's scope."""
        scope = self.asking.scope
        if scope.is_whole:
            return true()
        placed = self.table("projects_placed")
        inside = select(placed.c.project_id).where(
            known_at(placed, None), self.in_units(placed.c.unit_id), scope.gaps.spare(placed)
        )
        return or_(project_id.in_(inside), project_id == any_of(scope.projects))

    def in_people(self, person_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """The condition for the rows of the caller, and of who has a role or a project in the caller's scope."""
        if self.asking.scope.is_whole:
            return true()
        held, managed = self.table("appointments_held"), self.table("projects_managed")
        is_inside = or_(self.in_units(held.c.unit_id), self.in_projects(held.c.project_id))
        today = self.runtime.clock.now().date()
        gaps = self.asking.scope.gaps
        appointed = select(held.c.person_id).where(in_force(held, gaps, today), is_inside)
        managers = managing(self.table, gaps, today).where(self.in_projects(managed.c.project_id))
        is_caller = person_id == self.asking.principal.actor.id
        return or_(is_caller, person_id.in_(appointed), person_id.in_(managers.with_only_columns(managed.c.person_id)))

    async def has_person(self, person_id: UUID, unit_id: UUID | None = None) -> bool:
        """Whether a person, who may be known to be of a unit, is there for who asks."""
        if self.asking.scope.is_whole or (unit_id and self.asking.scope.has_unit(unit_id)):
            return True
        query = select(true()).where(self.in_people(literal(person_id, Uuid())))
        return (await self.connection.execute(query)).first() is not None

    def seeing(self, fields: FieldClass) -> "Reading":
        """The same, where the fields of a class are shown to who asks."""
        return replace(self, asking=self.asking.seeing(fields))

    async def has_project(self, project_id: UUID) -> bool:
        """Whether a project is there for who asks. Raises `Forbidden`."""
        if self.asking.scope.is_whole:
            return True
        placed = await self.one(projects_placed, str(project_id))
        return placed is not None and self.asking.has_project(project_id, placed.unit_id)

    async def projects_among(self, project_ids: Collection[UUID]) -> Collection[UUID]:
        """Those of these projects that are in the caller's scope."""
        if self.asking.scope.is_whole:
            return project_ids
        placed = self.table("projects_placed").c.project_id
        query = select(placed).where(placed == any_of(project_ids), self.in_projects(placed))
        return set((await self.connection.execute(query)).scalars())

    async def has_appointment(self, person_id: UUID, unit_id: UUID | None, project_id: UUID | None) -> bool:
        """Whether an appointment of a person is there for who asks: at a place in their scope, or their own."""
        if person_id == self.asking.principal.actor.id:
            return True
        return await self.has_project(project_id) if project_id else self.asking.scope.has_unit(unit_id)

    def table(self, projection: str) -> Table:
        """The table of a projection."""
        return self.build.table(projection)

    @staticmethod
    def known_at(table: FromClause, as_of: datetime | ColumnElement[datetime] | None = None) -> ColumnElement[bool]:
        """The condition for the rows that were the truth at an instant, or at each of a column's (`None`: now)."""
        return known_at(table, as_of)


def any_of(ids: Collection[UUID]) -> ColumnElement[Any]:
    """Any of these, as the other side of a comparison; there may be more than a statement takes parameters."""
    return any_(literal(list(ids), ARRAY(Uuid())))


async def reading_of(
    request: Request,
    asking: Asker,
    consistency_token: Annotated[
        str | None, Header(description="Answer only after what this token covers was applied.")
    ] = None,
) -> AsyncIterator[Reading]:
    """The dependency of every endpoint that reads."""
    runtime = runtime_of(request)
    await wait_until(runtime, token_of_header(consistency_token), asking.deadline)
    async with runtime.engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        build = await live_build(connection, runtime)
        yield Reading(connection, build, runtime, asking)


type Read = Annotated[Reading, Depends(reading_of, scope="function")]
"""Its connection is free again before the answer is sent: who reads slowly holds none, nor waits with one for another.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    request: Request
    response: Response
    limit: int
    after: Sequence[str] = field(default_factory=tuple)

    def select(self, query: Select[Any], *order: ColumnElement[Any]) -> Select[Any]:
        """The query for this page, ordered by columns that together are unique (text columns)."""
        if self.after:
            if len(self.after) != len(order):
                raise malformed_cursor()
            query = query.where(tuple_(*order) > tuple_(*self.after))
        return query.order_by(*order).limit(self.limit + 1)

    def cut[Row](self, rows: Sequence[Row], *names: str) -> Sequence[Row]:
        """The rows of this page; tells the next one's address in the `Link` header."""
        if len(rows) <= self.limit:
            return rows
        last = rows[self.limit - 1]
        self.link(*(str(getattr(last, name)) for name in names))
        return rows[: self.limit]

    def link(self, *after: str) -> None:
        """Tell in the `Link` header that the list goes on after these values."""
        url = self.request.url.include_query_params(after=_encode(after))
        self.response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


def _encode(values: Sequence[str]) -> str:
    return base64.urlsafe_b64encode("\x1f".join(values).encode()).decode().rstrip("=")


async def page_of(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="How many at most.")] = PAGE,
    after: Annotated[str | None, Query(description="Where the page before ended: from its `Link` header.")] = None,
) -> Page:
    """The dependency of every endpoint that lists."""
    if after is None:
        return Page(request, response, limit)
    try:
        text = base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise malformed_cursor() from error
    if not text or "\x00" in text:
        raise malformed_cursor()
    return Page(request, response, limit, tuple(text.split("\x1f")))


def malformed_cursor() -> Problem:
    """The refusal of what no page gave."""
    return Problem(400, "malformed-cursor", "`after` is not a cursor that a page gave")


type Paged = Annotated[Page, Depends(page_of)]
