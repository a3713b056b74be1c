"""A scope at one or more instants, as tables that a query joins its facts to.

A project belongs to the unit where it was placed at the instant; the unit counts in one line of the scope.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Subquery, TableValuedAlias, Uuid, column, func, literal, select

from steerco_service.reading import Reading

NEWEST = datetime(9999, 1, 1, tzinfo=UTC)
"""The instant that asks for all that is known."""


@dataclass(frozen=True, slots=True)
class ScopeAt:
    """A scope at an instant: for each of its units the line (a child of the scope, or itself) that it counts in."""

    at: datetime
    lines: Mapping[UUID, UUID]


def placed(scopes: Sequence[ScopeAt]) -> TableValuedAlias:
    """A table (at, unit_id, line_id) of every unit of the scope at every instant."""
    rows = [(scope.at, unit_id, line_id) for scope in scopes for unit_id, line_id in scope.lines.items()]
    instants = literal([at for at, _, _ in rows], ARRAY(DateTime(timezone=True)))
    unit_ids = literal([unit_id for _, unit_id, _ in rows], ARRAY(Uuid()))
    line_ids = literal([line_id for _, _, line_id in rows], ARRAY(Uuid()))
    return (
        func.unnest(instants, unit_ids, line_ids)
        .table_valued(column("at", DateTime(timezone=True)), column("unit_id", Uuid()), column("line_id", Uuid()))
        .render_derived(name="placed")
    )


def projects_in(reading: Reading, scopes: Sequence[ScopeAt]) -> Subquery:
    """A table (at, line_id, project_id, state) of every project of the scope at every instant.

    For who asks at a part of the enterprise without those of which it is not known where they are now.
    """
    table, units = reading.table("projects"), placed(scopes)
    return (
        select(units.c.at, units.c.line_id, table.c.project_id, table.c.state)
        .select_from(units.join(table, table.c.unit_id == units.c.unit_id))
        .where(reading.known_at(table, units.c.at), reading.asking.scope.gaps.spare(table))
        .subquery("scoped")
    )
