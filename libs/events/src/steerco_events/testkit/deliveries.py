"""Logs as readers may be given them: streams interleaved in any way, batches cut anywhere, stretches given again.

What every view must be: the same rows for every delivery, and at any instant the rows of the events sealed by then.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from steerco_events.envelope import Recorded
from steerco_events.projections.fold import Current, fold_batch
from steerco_events.projections.model import Interval, Projection

type Table = Mapping[tuple[str, datetime], Interval[Any]]
"""The intervals of one projection, by key and first instant."""

type Tables = Mapping[str, Table]
"""The tables of a view, by the name of the projection."""


@dataclass(frozen=True)
class Delivery:
    """What logs hold, and the batches in which a reader was given it."""

    events: Sequence[Recorded]
    batches: Sequence[Sequence[Recorded]]


@st.composite
def deliveries(draw: st.DrawFn, logs: st.SearchStrategy[Sequence[Recorded]]) -> Delivery:
    """Each stream's events in their order; between the streams, of one log or of several, any order.

    Now and then what was given before comes again: the last events, or any stretch of all so far.
    """
    events = draw(logs)
    waiting: dict[tuple[str, str], list[Recorded]] = defaultdict(list)
    for event in events:
        waiting[event.service, event.stream].append(event)
    came: list[Recorded] = []
    while waiting:
        stream = draw(st.sampled_from(sorted(waiting)))
        came.append(waiting[stream].pop(0))
        if not waiting[stream]:
            del waiting[stream]
        if draw(st.integers(0, 5)) == 0:
            start = draw(st.integers(0, len(came) - 1))
            came.extend(came[start : start + draw(st.integers(1, 6))])
    edges = [0, *sorted(draw(st.lists(st.integers(0, len(came)), max_size=6))), len(came)]
    return Delivery(events, [came[start:end] for start, end in pairwise(edges)])


def folded(projections: Sequence[Projection[Any]], batches: Sequence[Sequence[Recorded]]) -> Tables:
    """The tables after these batches, each of which finds the open rows that the last one left."""
    return {projection.name: _table(projection, batches) for projection in projections}


def _table(projection: Projection[Any], batches: Sequence[Sequence[Recorded]]) -> Table:
    table: dict[tuple[str, datetime], Interval[Any]] = {}
    for batch in batches:
        current: Current[Any] = {each.key: each for each in table.values() if each.sealed_to is None}
        table |= {(each.key, each.sealed_from): each for each in fold_batch(projection, current, batch)}
    return table


def known(tables: Tables, at: datetime) -> Tables:
    """The intervals that hold at an instant, as if nothing had come after it."""
    return {
        name: {
            key: replace(each, sealed_to=None)
            for key, each in table.items()
            if each.sealed_from <= at and (each.sealed_to is None or at < each.sealed_to)
        }
        for name, table in tables.items()
    }


def opened(tables: Tables) -> Tables:
    """The intervals that nothing has closed."""
    return {
        name: {key: each for key, each in table.items() if each.sealed_to is None} for name, table in tables.items()
    }
