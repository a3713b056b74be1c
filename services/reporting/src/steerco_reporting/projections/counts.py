"""How many projects, assessments, risks, obligations and pitches of each sort a scope has."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Subquery, func, select

from steerco_reporting.projections.scope import ScopeAt, placed
from steerco_service.reading import Reading

NOT_RATED = "not_rated"

type Counts = Mapping[str, int]


async def projects_by_line(reading: Reading, scoped: Subquery) -> Mapping[tuple[datetime, UUID], int]:
    """How many projects each line has at each instant."""
    by = (scoped.c.at, scoped.c.line_id)
    query = select(*by, func.count()).group_by(*by)
    return {(at, line_id): count for at, line_id, count in await reading.connection.execute(query)}


async def projects_by_state(reading: Reading, scoped: Subquery) -> Counts:
    """The projects by the state that they are in."""
    query = select(scoped.c.state, func.count()).group_by(scoped.c.state).order_by(scoped.c.state)
    return {state: count for state, count in await reading.connection.execute(query)}


async def ratings_by_assessor(reading: Reading, scoped: Subquery, projects: int) -> Mapping[str, Counts]:
    """By assessor, the projects by the rating that it last gave, and those that it does not rate."""
    table = reading.table("assessments")
    by = (table.c.assessor, table.c.rating)
    query = (
        select(*by, func.count())
        .select_from(scoped.join(table, table.c.project_id == scoped.c.project_id))
        .where(reading.known_at(table, scoped.c.at))
        .group_by(*by)
        .order_by(*by)
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for assessor, rating, count in await reading.connection.execute(query):
        found[assessor][rating] = count
    for ratings in found.values():
        ratings.pop(NOT_RATED, None)
        ratings[NOT_RATED] = projects - sum(ratings.values())
    return found


async def open_risks_by_band(reading: Reading, scoped: Subquery) -> Counts:
    """The open risks by their band."""
    table = reading.table("risks")
    band = func.coalesce(table.c.band, NOT_RATED)
    query = (
        select(band, func.count())
        .select_from(scoped.join(table, table.c.project_id == scoped.c.project_id))
        .where(reading.known_at(table, scoped.c.at), table.c.is_open)
        .group_by(band)
    )
    found = {name: count for name, count in await reading.connection.execute(query)}
    return {name: found.get(name, 0) for name in ("extreme", "high", "medium", "low", NOT_RATED)}


async def obligations_by_state(reading: Reading, scoped: Subquery) -> Counts:
    """The training obligations by their state."""
    table = reading.table("obligations")
    query = (
        select(table.c.state, func.count())
        .select_from(scoped.join(table, table.c.project_id == scoped.c.project_id))
        .where(reading.known_at(table, scoped.c.at))
        .group_by(table.c.state)
    )
    found = {name: count for name, count in await reading.connection.execute(query)}
    return {name: found.get(name, 0) for name in ("open", "overdue", "fulfilled", "waived")}


async def pitches_by_state(reading: Reading, scope: ScopeAt) -> Counts:
    """The pitches by their state."""
    table, units = reading.table("pitches"), placed([scope])
    query = (
        select(table.c.state, func.count())
        .select_from(units.join(table, table.c.unit_id == units.c.unit_id))
        .where(reading.known_at(table, units.c.at))
        .group_by(table.c.state)
        .order_by(table.c.state)
    )
    return {state: count for state, count in await reading.connection.execute(query)}
