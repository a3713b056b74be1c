"""What a view is made of: projections, each a pure fold of one stream's events into rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, cast

from steerco_events.envelope import Recorded


@dataclass(frozen=True)
class Projection[Row]:
    """One table of a view.

    `row` is a frozen dataclass whose fields are the columns. `key(event)` names the row that the event
    concerns, `None` if none. `evolve(row, event)` gives the row after it (`row` is `None` before the first);
    it is pure, never throws, and depends on events of one stream alone. `indexes` are column lists.
    """

    name: str
    row: type[Row]
    key: Callable[[Recorded], str | None]
    evolve: Callable[[Row | None, Recorded], Row | None]
    indexes: Sequence[Sequence[str]] = ()

    @cached_property
    def columns(self) -> Sequence[str]:
        """The names of the row's fields."""
        return tuple(field.name for field in fields(cast(Any, self.row)))


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
        return f"{self.name}_v{self.version}_b{build}"

    def projection(self, name: str) -> Projection[Any]:
        """The projection of that name."""
        return next(projection for projection in self.projections if projection.name == name)
