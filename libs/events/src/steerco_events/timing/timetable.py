"""Which deciders of a service keep time, and making its timers anew from its log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.decider import Decider
from steerco_events.postgres.store import EventStore
from steerco_events.postgres.timers import lock_timers, record_rules, recorded_rules, replace_timers
from steerco_events.timers import Timer, timer_changes

PAGE = 2_000

_SEALED_UP_TO = text("SELECT position FROM log.head")
_EVENTS = text(
    "SELECT position, id, stream, type, schema_version, data FROM log.events e"
    " WHERE position > :after AND (CAST(:until AS bigint) IS NULL OR position <= :until)"
    " AND EXISTS (SELECT FROM unnest(CAST(:prefixes AS text[])) AS p (prefix) WHERE starts_with(e.stream, prefix))"
    " ORDER BY position LIMIT :limit"
)


def about_nothing(_state: object, _command: object) -> UUID | None:
    """What a timer leads to concerns the units that the event concerned that set it."""
    return None


@dataclass(frozen=True, slots=True)
class TimedDecider:
    """A decider with timers, and its streams: `<category>-<uuid>`, or the one stream that is called as the category.

    Raise `version` when what it says about timers changes: the timers are then made anew from the log. `about` names
    the thing that a timer's command is about in a situation: fired, it concerns the units that have the thing then.
    """

    category: str
    decider: Decider[Any, Any]
    version: int = 1
    about: Callable[[Any, Any], UUID | None] = about_nothing

    def owns(self, stream: str) -> bool:
        """Whether a stream is the decider's."""
        category, _, rest = stream.partition(f"{self.category}-")
        return stream == self.category or (not category and _is_uuid(rest))


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


class Timetable:
    """The timed deciders of a service."""

    def __init__(self, timed: Sequence[TimedDecider]) -> None:
        """Raises `ValueError` for a decider without timing."""
        if without := [each.category for each in timed if each.decider.timing is None]:
            raise ValueError(f"the deciders of {', '.join(without)} say nothing about timers")
        self._timed = timed

    @property
    def rules(self) -> str:
        """By which rules timers are made, to be compared with another release's."""
        return ", ".join(sorted(f"{each.category} {each.version}" for each in self._timed))

    @property
    def prefixes(self) -> list[str]:
        """With one of these, the streams of the deciders begin."""
        return [each.category for each in self._timed]

    def timed(self, stream: str) -> TimedDecider | None:
        """What keeps the time of a stream."""
        return next((each for each in self._timed if each.owns(stream)), None)

    def decider_of(self, stream: str) -> Decider[Any, Any] | None:
        """The timed decider that a stream belongs to."""
        timed = self.timed(stream)
        return timed.decider if timed else None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many timers the log says that there are; those among them that were missing or other, and those too many."""

    timers: int
    added: int
    removed: int


async def rebuild_timers(tx: AsyncConnection, store: EventStore, timetable: Timetable) -> Rebuilt:
    """Make the timers what the whole log says, sealed or not.

    Appends go on meanwhile; one that changes a timer waits, once what is sealed was read. A timer that was fired
    without an event comes again, and is fired again: harmless, and in vain again.
    """
    timers: dict[tuple[str, str], Timer] = {}
    sealed: int = (await tx.execute(_SEALED_UP_TO)).scalar_one()
    await _fold(tx, store, timetable, timers, 0, sealed)
    await lock_timers(tx)
    await _fold(tx, store, timetable, timers, sealed, None)
    added, removed = await replace_timers(tx, timers.values())
    await record_rules(tx, timetable.rules)
    return Rebuilt(len(timers), added, removed)


async def rebuild_if_other_rules(tx: AsyncConnection, store: EventStore, timetable: Timetable) -> Rebuilt | None:
    """The same, if the timers were made by other rules than these, or never were."""
    if await recorded_rules(tx) == timetable.rules:
        return None
    return await rebuild_timers(tx, store, timetable)


async def _fold(
    tx: AsyncConnection,
    store: EventStore,
    timetable: Timetable,
    timers: dict[tuple[str, str], Timer],
    after: int,
    until: int | None,
) -> None:
    """Apply to `timers` what the events of these positions say."""
    while True:
        values = {"after": after, "until": until, "prefixes": timetable.prefixes, "limit": PAGE}
        rows = (await tx.execute(_EVENTS, values)).all()
        for row in rows:
            decider = timetable.decider_of(row.stream)
            if decider is None or decider.timing is None:
                continue
            event = store.registry.decode(row.type, row.schema_version, row.data, row.stream)
            for key, timer in timer_changes(decider.timing, row.stream, [(row.id, event)]).items():
                if timer is None:
                    timers.pop(key, None)
                else:
                    timers[key] = timer
        if len(rows) < PAGE:
            return
        after = rows[-1].position
