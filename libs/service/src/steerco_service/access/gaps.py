"""What the service's view lacks of portfolio's log, since it could not digest it: by that, nothing is granted.

An end or a move may be among what is missing, so what was granted or placed before is not relied on.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, true
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import PORTFOLIO
from steerco_events.postgres.parking import parked_streams
from steerco_events.postgres.skipped import skipped_types
from steerco_events.projections.builds import Build

SOURCE = "portfolio"
"""Whose log tells of units and appointments."""

_ORGANIZATION, _APPOINTMENT, _PROJECT = "organization", "appointment-", "project-"
_PLACING = (
    portfolio.ProjectChartered,
    portfolio.ProjectRegistered,
    portfolio.ProjectMoved,
    portfolio.ProjectManagerAppointed,
    portfolio.ProjectClosed,
    portfolio.ProjectTerminated,
)
_PLACING_TYPES = frozenset(each.name for each in PORTFOLIO if each.payload in _PLACING)


@dataclass(frozen=True, slots=True)
class Gaps:
    """The streams of portfolio's log of which the view lacks events."""

    streams: frozenset[str] = field(default_factory=frozenset)

    @property
    def has_organization(self) -> bool:
        """Whether the units are not known as they are now."""
        return _ORGANIZATION in self.streams

    def have_any(self, projects: Collection[UUID]) -> bool:
        """Whether it is not known of any of these projects where they are now."""
        return any(f"{_PROJECT}{each}" in self.streams for each in projects)

    def spare(self, table: FromClause) -> ColumnElement[bool]:
        """The condition for the rows that lack nothing."""
        return table.c.stream.not_in(self.streams) if self.streams else true()


def grants_hang_on(stream: str, type: str) -> bool:
    """Whether people may act by an event of portfolio's log: of units and appointments by any, as it may be new.

    Of a project by those that say where it is, who manages it, and that it is over.
    """
    return stream == _ORGANIZATION or stream.startswith(_APPOINTMENT) or type in _PLACING_TYPES


async def gaps_of(connection: AsyncConnection, build: Build) -> Gaps:
    """What a build of the view lacks now: what is parked, and what was left out by which people may act."""
    consumer = build.checkpoints.consumer
    parked = [stream for service, stream in await parked_streams(connection, consumer) if service == SOURCE]
    skipped = await skipped_types(connection, consumer, SOURCE)
    return Gaps(frozenset([*parked, *(stream for stream, type in skipped if grants_hang_on(stream, type))]))
