"""What one process knows of who may act where, and up to which instant of portfolio's log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from steerco_events.projections.builds import Build
from steerco_service.access.gaps import Gaps
from steerco_service.access.scope import Grant, Tree


@dataclass(frozen=True, slots=True)
class Organization:
    """The tree of units and their codes, and the build that it was read from; whole up to `watermark`, but for `gaps`.

    `version` is that of portfolio's one stream of units, as far as the tree has it; it has none where units are
    among the gaps.
    """

    build: Build
    watermark: datetime
    read_at: float
    version: int | None = None
    tree: Tree = field(default_factory=Tree)
    codes: Mapping[str, UUID] = field(default_factory=dict)
    gaps: Gaps = field(default_factory=Gaps)


@dataclass(frozen=True, slots=True)
class Granted:
    """What somebody may, with all that was sealed up to `watermark`."""

    grants: Sequence[Grant]
    watermark: datetime
    read_at: float

    def is_as_good_as(self, known: Organization, since: float) -> bool:
        """Whether it was read since then, and tells no less than what is known now."""
        return self.read_at >= since and self.watermark >= known.watermark


@dataclass(frozen=True, slots=True)
class Places:
    """The units and the projects at which somebody is."""

    units: frozenset[UUID]
    projects: frozenset[UUID]
