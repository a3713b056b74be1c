"""What the service's view lacks of portfolio's log, since it could not digest it: by that, nothing is granted.

An end or a move may be among what is missing, so what was granted or placed before is not relied on.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, true
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.postgres.parking import parked_streams, skipped_streams
from steerco_events.projections.builds import Build

SOURCE = "portfolio"
"""Whose log tells of units and appointments."""

_ORGANIZATION, _APPOINTMENT, _PROJECT = "organization", "appointment-", "project-"


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


def grants_hang_on(stream: str) -> bool:
    """Whether a stream of portfolio's log is one by which people may act, so that no event of it is left out."""
    return stream == _ORGANIZATION or stream.startswith(_APPOINTMENT)


async def gaps_of(connection: AsyncConnection, build: Build) -> Gaps:
    """What a build of the view lacks now: what is parked, and of units and appointments what was left out."""
    consumer = build.checkpoints.consumer
    parked = [stream for service, stream in await parked_streams(connection, consumer) if service == SOURCE]
    skipped = await skipped_streams(connection, consumer, SOURCE)
    return Gaps(frozenset([*parked, *filter(grants_hang_on, skipped)]))
