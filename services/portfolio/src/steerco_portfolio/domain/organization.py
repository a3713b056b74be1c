"""The organization: one enterprise, its business units, their departments, in one stream. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from steerco_events.contracts.portfolio import (
    Duties,
    PmoModel,
    PmoModelAdopted,
    SeparationOfDutiesAdopted,
    UnitKind,
    UnitOpened,
)
from steerco_events.decider import Refusal

ORGANIZATION = "organization"
"""The stream of the whole tree: what keeps it a tree is decided over all of it."""

# Situation


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as it is now, and the event that opened it."""

    opened: UnitOpened
    name: str
    parent_id: UUID | None
    is_open: bool = True
    adopted: PmoModelAdopted | None = None
    separations: Mapping[Duties, SeparationOfDutiesAdopted] = field(default_factory=dict)

    @property
    def unit_id(self) -> UUID:
        """Its identifier."""
        return self.opened.unit_id

    @property
    def kind(self) -> UnitKind:
        """What it is."""
        return self.opened.kind


@dataclass(frozen=True, slots=True)
class Organization:
    """All units, by id."""

    units: Mapping[UUID, Unit] = field(default_factory=dict)

    @property
    def root(self) -> Unit | None:
        """The enterprise, once it was opened."""
        return next((unit for unit in self.units.values() if unit.parent_id is None), None)

    def above(self, unit: Unit) -> Iterator[Unit]:
        """The unit, its parent, and so on up to the enterprise."""
        at: Unit | None = unit
        while at:
            yield at
            at = self.units.get(at.parent_id) if at.parent_id else None

    def with_unit(self, unit: Unit) -> "Organization":
        """The organization in which a unit is as given."""
        return Organization({**self.units, unit.unit_id: unit})


# Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenUnit:
    """Add a unit to the tree."""

    unit_id: UUID
    code: str
    name: str
    kind: UnitKind
    parent_id: UUID | None = None
    pmo_model: PmoModel | None = None


@dataclass(frozen=True, slots=True)
class RenameUnit:
    """Give a unit another name."""

    unit_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class MoveUnit:
    """Hang a unit, with all below it, under another parent."""

    unit_id: UUID
    parent_id: UUID


@dataclass(frozen=True, slots=True)
class CloseUnit:
    """Let a unit take no new projects."""

    unit_id: UUID


@dataclass(frozen=True, slots=True)
class AdoptPmoModel:
    """From a day on the office of a unit is that strong."""

    unit_id: UUID
    pmo_model: PmoModel
    effective_on: date


@dataclass(frozen=True, slots=True)
class SeparateDuties:
    """From a day on a unit requires that two things are not done by one person, or no more."""

    unit_id: UUID
    duties: Duties
    is_required: bool
    effective_on: date


type OrganizationCommand = OpenUnit | RenameUnit | MoveUnit | CloseUnit | AdoptPmoModel | SeparateDuties

# Refusals


class UnknownUnit(Refusal):
    """No unit has this id."""

    kind = "unknown"


class UnknownParent(Refusal):
    """No open unit has the id that was given as the parent's."""

    kind = "invalid"


class SecondEnterprise(Refusal):
    """An organization has one root."""


class ParentDoesNotFit(Refusal):
    """A business unit is below the enterprise, a department below a business unit or a department."""

    kind = "invalid"


class UnitCodeTaken(Refusal):
    """Another unit has the code."""


class UnitCodeReserved(Refusal):
    """The code means something else in a scope."""

    kind = "invalid"


class UnitAlreadyOpened(Refusal):
    """The id is that of a unit that was opened otherwise."""


class UnitWouldHangUnderItself(Refusal):
    """The new parent is the unit itself, or below it."""


class EnterpriseStays(Refusal):
    """The root is neither moved nor closed."""


class UnitStillHasUnits(Refusal):
    """Open units hang below it."""


class UnitIsClosed(Refusal):
    """The unit was closed."""
