"""Pages of a service's own sealed log, from any place in it, filtered: what other systems are served from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.envelope import Recorded
from steerco_events.ports import LogRewound
from steerco_events.positions import kept_of
from steerco_events.postgres.rows import recorded
from steerco_events.registry import Registry

SCANNED_AT_MOST = 5000
"""Positions that one filtered page passes over; without this, one request could read the whole log."""

_HEAD = text("SELECT position, began FROM log.sealed_head")
_SEALED_BY = text("SELECT last FROM log.seals WHERE sealed_at <= :at ORDER BY sealed_at DESC LIMIT 1")
_SOUGHT = "SELECT * FROM log.sealed_events WHERE position > :after AND position <= :until"
_BY_TYPE = " AND type = ANY(CAST(:types AS text[]))"
_BY_UNIT = " AND org_units && CAST(:units AS uuid[])"
_BY_SCOPE = " AND org_units && CAST(:scope AS uuid[])"
_BY_SUBJECT = " AND stream = ANY(CAST(:subjects AS text[]))"
_BY_ACTOR = " AND actor = ANY(CAST(:actors AS uuid[]))"
_BY_CLIENT = " AND client = ANY(CAST(:clients AS text[]))"
_BY_COMMAND = " AND correlation_id = ANY(CAST(:commands AS uuid[]))"
_ORDERED = " ORDER BY position LIMIT :limit"


class GenerationUnknown(Exception):
    """A place of a generation that the log does not have."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a log: after everything up to `position`, as it was in `generation`. As text `1.2500`."""

    generation: int
    position: int

    def __str__(self) -> str:
        return f"{self.generation}.{self.position}"


@dataclass(frozen=True, slots=True)
class SealedEnd:
    """How far a log is sealed, and after which position each of its generations began (the first after 0)."""

    position: int
    began: tuple[int, ...]

    def place(self, position: int) -> Place:
        """The place of a position in the log as it is; events themselves are of that generation."""
        generations = [n for n, began in enumerate(self.began, 1) if began < position]
        return Place(max(generations, default=1), position)

    def has(self, place: Place) -> bool:
        """Whether what was read up to a place is in the log as it is."""
        kept = kept_of(self.began, place.generation)
        is_kept = place.position <= self.position and (kept is None or place.position <= kept)
        return 1 <= place.generation <= len(self.began) and is_kept

    def check(self, place: Place, service: str) -> None:
        """Raise `GenerationUnknown`; or `LogRewound` if a later generation began before the place, or the log ends
        before it: the end that its own database tells never goes back, so the place is of another log.
        """
        if not 1 <= place.generation <= len(self.began):
            raise GenerationUnknown(f"{service} has the generations 1 to {len(self.began)}, not {place.generation}")
        if self.has(place):
            return
        kept, generation = min(
            ((began, n) for n, began in enumerate(self.began, 1) if n > place.generation),
            default=(place.position, place.generation),
        )
        if kept < place.position:
            raise LogRewound(
                f"{service} was restored: generation {generation} began after position {kept}, and {place} stands"
                f" beyond that; drop what came after {kept} and go on from {generation}.{kept}"
            )
        raise LogRewound(
            f"{service} ends at {self.place(self.position)}, and {place} stands beyond that: it is a place of another"
            " log, or of before a restore that nobody has declared; begin anew with what this log has"
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are sought: those that have one of the values of each kind; an empty kind lets all through.

    A unit is judged by the event's stamp. `scope`: what is stamped with none of these is not there at all; it is as it
    was at `known_at`, so what was sealed later is held back until more is known. A command is named by its correlation
    id, which what reacted to it has, too.
    """

    types: Sequence[str] = ()
    subjects: Sequence[str] = ()
    units: Sequence[UUID] = ()
    scope: Sequence[UUID] | None = None
    known_at: datetime | None = None
    actors: Sequence[UUID] = ()
    clients: Sequence[str] = ()
    commands: Sequence[UUID] = ()

    @property
    def is_scan(self) -> bool:
        """Whether events are passed over one by one: those of a stream are found by an index."""
        by_looking = (self.types, self.units, self.actors, self.clients, self.commands)
        return not self.subjects and (self.scope is not None or any(by_looking))


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the order of the log, the place where the page ended, and whether the log ended there too.

    `is_held`: the log goes on, but not yet for who asks.
    """

    events: Sequence[Recorded]
    end: Place
    is_last: bool
    is_held: bool = False


class EventPages:
    """Reads one service's log by its app role; holds a connection only while it reads."""

    def __init__(self, service: str, engine: AsyncEngine, registry: Registry) -> None:
        self._service = service
        self._engine = engine
        self._registry = registry

    async def end(self) -> SealedEnd:
        """The sealed end of the log."""
        async with self._engine.connect() as connection:
            return await self._end(connection)

    async def place_at(self, at: datetime) -> Place:
        """The place after everything that was sealed up to an instant."""
        async with self._engine.connect() as connection:
            end = await self._end(connection)
            position = await _sealed_by(connection, at)
        return end.place(position)

    async def read(self, after: Place, limit: int, sought: Filter) -> EventPage:
        """At most `limit` events after a place. A filtered page passes over at most `SCANNED_AT_MOST` positions
        (with subjects over all, by their index), so it may be empty and still end further on.

        Raises `GenerationUnknown`, `LogRewound`.
        """
        async with self._engine.connect() as connection:
            end = await self._end(connection)
            end.check(after, self._service)
            known = end.position
            if sought.known_at is not None:
                known = min(known, await _sealed_by(connection, sought.known_at))
            is_held = known < end.position
            if after.position >= known:
                return EventPage((), after, is_last=not is_held, is_held=is_held)
            until = min(known, after.position + SCANNED_AT_MOST) if sought.is_scan else known
            values = {"after": after.position, "until": until, "limit": limit}
            rows = (await connection.execute(text(_query(sought)), values | values_of(sought))).all()
        last = rows[-1].position if len(rows) == limit else until
        events = [recorded(row, self._service, self._registry) for row in rows]
        return EventPage(events, end.place(last), is_last=last == end.position, is_held=is_held and last == known)

    async def _end(self, connection: AsyncConnection) -> SealedEnd:
        row = (await connection.execute(_HEAD)).one()
        return SealedEnd(row.position, tuple(row.began))


async def _sealed_by(connection: AsyncConnection, at: datetime) -> int:
    return (await connection.execute(_SEALED_BY, {"at": at})).scalar_one_or_none() or 0


def _query(sought: Filter) -> str:
    query = _SOUGHT + conditions_of(sought)
    if sought.subjects:
        # `OFFSET 0` keeps the planner from walking the whole log in order for the few events of a stream.
        return f"SELECT * FROM ({query} OFFSET 0) AS found{_ORDERED}"
    return query + _ORDERED


def conditions_of(sought: Filter) -> str:
    """What a query over `log.sealed_events` asks for beside its positions."""
    by = {
        _BY_TYPE: sought.types,
        _BY_UNIT: sought.units,
        _BY_SUBJECT: sought.subjects,
        _BY_ACTOR: sought.actors,
        _BY_CLIENT: sought.clients,
        _BY_COMMAND: sought.commands,
    }
    scope = "" if sought.scope is None else _BY_SCOPE
    return "".join(condition for condition, values in by.items() if values) + scope


def values_of(sought: Filter) -> dict[str, Any]:
    """The values of these conditions."""
    named = {name: getattr(sought, name) for name in ("types", "units", "subjects", "actors", "clients", "commands")}
    scope = {} if sought.scope is None else {"scope": list(sought.scope)}
    return scope | {name: list(values) for name, values in named.items() if values}
