"""What a view is made of: projections, each a pure fold of one stream's events into rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from steerco_events.consumer_names import consumer_name
from steerco_events.envelope import Recorded
from steerco_events.registry import Registry


def own_row(event: Recorded) -> str:
    """The key of a journal: every event has a row of its own, which never changes."""
    return str(event.id)


@dataclass(frozen=True)
class Projection[Row]:
    """One table of a view.

    `row` is a frozen dataclass whose fields are the columns. `key(event)` names the row that the event
    concerns, `None` if none. `evolve(row, event)` gives the row after it (`row` is `None` before the first);
    it is pure, never throws, and depends on events of one stream alone. `indexes` are column lists. `of` are the
    event types that may concern a row: for all others `key` is not asked, and their data need not be decoded.
    """

    name: str
    row: type[Row]
    key: Callable[[Recorded], str | None]
    evolve: Callable[[Row | None, Recorded], Row | None]
    indexes: Sequence[Sequence[str]] = ()
    of: Registry | None = None

    @cached_property
    def types(self) -> frozenset[str] | None:
        """The names of the event types that may concern a row; `None`: any."""
        return None if self.of is None else frozenset(each.name for each in self.of)

    @cached_property
    def columns(self) -> Sequence[str]:
        """The names of the row's fields."""
        return tuple(field.name for field in fields(cast(Any, self.row)))

    @property
    def is_journal(self) -> bool:
        """Whether no row ever changes, since each is of one event."""
        return self.key is own_row


@dataclass(slots=True)
class Interval[Row]:
    """A row, and from when to when it was the truth. `stored`: the stream version that the table has of it, or 0."""

    key: str
    stream: str
    stream_version: int
    sealed_from: datetime
    row: Row
    sealed_to: datetime | None = None
    stored: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class View:
    """Projections that are built, read and rebuilt together, from the logs of `services`.

    Raise `version` when rows mean something else: code reads the newest finished build of its own version.
    """

    name: str
    version: int
    services: Sequence[str]
    projections: Sequence[Projection[Any]]

    def consumer(self, build: int) -> str:
        """The name of the consumer whose checkpoints say how far a build has come."""
        return consumer_name(self.name, self.version, build)

    def projection(self, name: str) -> Projection[Any]:
        """The projection of that name."""
        return next(projection for projection in self.projections if projection.name == name)
