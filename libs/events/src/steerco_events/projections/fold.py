"""Folding events into the rows of a projection, and a batch of them into a build's tables."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.envelope import Recorded
from steerco_events.projections.builds import Build
from steerco_events.projections.model import Interval, Projection
from steerco_events.projections.writing import changes, open_rows, raw_connection, write

type Current[Row] = dict[str, Interval[Row]]
"""The open interval of each key."""

type Changed[Row] = dict[int, Interval[Row]]
"""Intervals that were made or changed, each by its `id`: to hash an instant takes longer than to fold an event."""

type Concerned = tuple[str, Recorded]
"""The key of a row and an event that concerns it."""


def concerned[Row](projection: Projection[Row], events: Iterable[Recorded]) -> list[Concerned]:
    """The events that concern a row of the projection, with its key."""
    named, types = projection.key, projection.types
    if types is not None:
        events = [event for event in events if event.type in types]
    return [(key, event) for event in events if (key := named(event)) is not None]


def fold_batch[Row](
    projection: Projection[Row], current: Current[Row], events: Iterable[Recorded]
) -> list[Interval[Row]]:
    """The intervals that a batch makes or changes, oldest first per key; `current` is moved on.

    An event at or below its row's stream version is passed over. Events of one stream in one seal collapse
    into the last row, also when the batch cuts through the seal.
    """
    changed: Changed[Row] = {}
    fold(projection, current, concerned(projection, events), changed)
    return list(changed.values())


def fold[Row](
    projection: Projection[Row], current: Current[Row], events: Iterable[Concerned], changed: Changed[Row]
) -> None:
    """As `fold_batch`, of events whose keys are known, and added to what was changed before."""
    evolve = projection.evolve
    for key, event in events:
        before = current.get(key)
        if before is not None and event.stream_version <= before.stream_version:
            continue
        row = evolve(before.row if before else None, event)
        if row is None:
            continue
        after = Interval(key, event.stream, event.stream_version, event.sealed_at, row)
        if before is not None:
            if before.sealed_from < event.sealed_at:
                before.sealed_to = event.sealed_at
                changed[id(before)] = before
            else:
                after.stored = before.stored
                changed.pop(id(before), None)
        changed[id(after)] = current[key] = after


def enter[Row](projection: Projection[Row], events: Iterable[Concerned], entered: dict[str, Interval[Row]]) -> None:
    """The rows of a journal, of events that it does not have, added to those that were entered before."""
    evolve = projection.evolve
    for key, event in events:
        if key not in entered and (row := evolve(None, event)) is not None:
            entered[key] = Interval(key, event.stream, event.stream_version, event.sealed_at, row)


async def apply(tx: AsyncConnection, build: Build, events: Sequence[Recorded]) -> None:
    """Fold events into every projection of a build."""
    raw = None
    for projection in build.view.projections:
        found = concerned(projection, events)
        if found:
            raw = raw or await raw_connection(tx)
            form = build.form(projection)
            current = await open_rows(raw, form, {key for key, _ in found})
            changed: Changed[Any] = {}
            fold(projection, current, found, changed)
            await write(raw, form, changes(form, list(changed.values())))
