"""What one process knows of who may act where, and up to which instant of portfolio's log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from steerco_events.contracts.portfolio import Duties
from steerco_events.projections.builds import Build
from steerco_service.access.duties import Requirement, requirement
from steerco_service.access.gaps import Gaps
from steerco_service.access.placed import UnitPlaced
from steerco_service.access.scope import Grant, Tree
from steerco_service.problems import Problem


def access_unknown(detail: str) -> Problem:
    """What is answered as long as it is not known who may do something."""
    return Problem(503, "access-unknown", f"who may do this can't be told now: {detail}", headers={"Retry-After": "1"})


@dataclass(frozen=True, slots=True)
class Organization:
    """The tree of units and their codes, and the build that it was read from; whole up to `watermark`, but for `gaps`.

    `policies` are the units that adopted anything of duties that are kept apart. `version` is that of portfolio's one
    stream of units, as far as the tree has it; it has none where units are among the gaps.
    """

    build: Build
    watermark: datetime
    read_at: float
    version: int | None = None
    tree: Tree = field(default_factory=Tree)
    codes: Mapping[str, UUID] = field(default_factory=dict)
    gaps: Gaps = field(default_factory=Gaps)
    policies: Mapping[UUID, UnitPlaced] = field(default_factory=dict)

    def whole(self) -> "Organization":
        """The same. Raises a 503 `Problem` while units are parked."""
        if self.gaps.has_organization:
            raise access_unknown("the stream of units is parked, so an event of it may be missing")
        return self

    def unit_named(self, name: str) -> UUID | None:
        """The unit of a code or an id, in any case."""
        ids = (each for each in self.tree.parents if str(each) == name.lower())
        return self.codes.get(name.upper()) or next(ids, None)

    def requirement(self, duties: Duties, unit_id: UUID, day: date) -> Requirement | None:
        """Which unit requires on a day that these duties are kept apart at a unit, if one does."""
        above = (self.policies[each] for each in self.tree.above(unit_id) if each in self.policies)
        return requirement(duties, ((each.unit_id, each.duties) for each in above), day)


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
    """The units and the projects at which somebody is; also the units that have these projects, as far as is known.

    `is_whole`: they have a role in the whole enterprise.
    """

    units: frozenset[UUID]
    projects: frozenset[UUID]
    is_whole: bool

    def __bool__(self) -> bool:
        return self.is_whole or bool(self.units or self.projects)
