"""What may happen to the organization, and what it makes of it: it stays one tree of codes used once. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import assert_never
from uuid import UUID

from steerco_events.contracts.portfolio import (
    PmoModelAdopted,
    SeparationOfDutiesAdopted,
    UnitClosed,
    UnitKind,
    UnitMoved,
    UnitOpened,
    UnitRenamed,
)
from steerco_events.decider import Decider
from steerco_events.registry import Payload
from steerco_portfolio.domain.organization import (
    AdoptPmoModel,
    CloseUnit,
    EnterpriseStays,
    MoveUnit,
    OpenUnit,
    Organization,
    OrganizationCommand,
    ParentDoesNotFit,
    RenameUnit,
    SecondEnterprise,
    SeparateDuties,
    Unit,
    UnitAlreadyOpened,
    UnitCodeReserved,
    UnitCodeTaken,
    UnitIsClosed,
    UnitStillHasUnits,
    UnitWouldHangUnderItself,
    UnknownParent,
    UnknownUnit,
)

_PARENTS: Mapping[UnitKind, frozenset[UnitKind]] = {
    "enterprise": frozenset(),
    "business_unit": frozenset({"enterprise"}),
    "department": frozenset({"business_unit", "department"}),
}


def decide(command: OrganizationCommand, state: Organization) -> Sequence[Payload]:
    """The events that a command leads to, or a refusal."""
    match command:
        case OpenUnit():
            return open_unit(command, state)
        case RenameUnit():
            return rename_unit(command, state)
        case MoveUnit():
            return move_unit(command, state)
        case CloseUnit():
            return close_unit(command, state)
        case AdoptPmoModel():
            return adopt_pmo_model(command, state)
        case SeparateDuties():
            return separate_duties(command, state)
        case _:
            assert_never(command)


def open_unit(command: OpenUnit, state: Organization) -> Sequence[Payload]:
    """One root; a fitting, open parent; a code that no other unit has."""
    opened = UnitOpened(
        unit_id=command.unit_id,
        code=command.code,
        name=command.name,
        kind=command.kind,
        parent_id=command.parent_id,
        pmo_model=command.pmo_model,
    )
    if there := state.units.get(command.unit_id):
        if there.opened == opened:
            return []
        raise UnitAlreadyOpened("this id is that of another unit", pointer="/unit_id")
    if command.code.casefold() == "enterprise":
        raise UnitCodeReserved("'enterprise' names the scope of the root, whatever its code", pointer="/code")
    for unit in state.units.values():
        if unit.opened.code.casefold() == command.code.casefold():
            raise UnitCodeTaken(f"another unit has the code {command.code!r}", pointer="/code")
        if command.kind == unit.kind == "enterprise":
            raise SecondEnterprise("there is an enterprise already", pointer="/kind")
    fitting_parent(command.kind, command.parent_id, state)
    return [opened]


def fitting_parent(kind: UnitKind, parent_id: UUID | None, state: Organization) -> Unit | None:
    """The parent, open and of a kind that fits; `None` for the enterprise."""
    if parent_id is None:
        if kind != "enterprise":
            raise UnknownParent(f"a {said(kind)} needs a parent", pointer="/parent_id")
        return None
    parent = state.units.get(parent_id)
    if parent is None or not parent.is_open:
        raise UnknownParent(f"no open unit has the id {parent_id}", pointer="/parent_id")
    if not fits(kind, parent.kind):
        raise ParentDoesNotFit(f"a {said(kind)} does not belong below a {said(parent.kind)}", pointer="/parent_id")
    return parent


def fits(kind: UnitKind, parent: UnitKind) -> bool:
    """Whether a unit of a kind belongs below one of another."""
    return parent in _PARENTS[kind]


def said(kind: UnitKind) -> str:
    """A kind of unit in words."""
    return kind.replace("_", " ")


def rename_unit(command: RenameUnit, state: Organization) -> Sequence[Payload]:
    """Its code stays."""
    unit = known_unit(command.unit_id, state)
    if unit.name == command.name:
        return []
    return [UnitRenamed(unit_id=unit.unit_id, name=command.name)]


def move_unit(command: MoveUnit, state: Organization) -> Sequence[Payload]:
    """Never under itself; the root stays."""
    unit = open_unit_of(command.unit_id, state)
    if unit.parent_id is None:
        raise EnterpriseStays("the enterprise is the root and is not moved")
    if unit.parent_id == command.parent_id:
        return []
    parent = state.units.get(command.parent_id)
    if parent and any(each.unit_id == unit.unit_id for each in state.above(parent)):
        raise UnitWouldHangUnderItself(
            f"{parent.opened.code} is {unit.opened.code} itself or below it", pointer="/parent_id"
        )
    fitting_parent(unit.kind, command.parent_id, state)
    return [UnitMoved(unit_id=unit.unit_id, from_parent_id=unit.parent_id, to_parent_id=command.parent_id)]


def close_unit(command: CloseUnit, state: Organization) -> Sequence[Payload]:
    """From below upward; the root stays."""
    unit = known_unit(command.unit_id, state)
    if not unit.is_open:
        return []
    if unit.parent_id is None:
        raise EnterpriseStays("the enterprise is the root and is not closed")
    below = sorted(each.opened.code for each in state.units.values() if each.is_open and each.parent_id == unit.unit_id)
    if below:
        raise UnitStillHasUnits(f"{', '.join(below[:5])} would hang below a closed unit")
    return [UnitClosed(unit_id=unit.unit_id)]


def adopt_pmo_model(command: AdoptPmoModel, state: Organization) -> Sequence[Payload]:
    """Effective from a day; units below inherit it."""
    unit = open_unit_of(command.unit_id, state)
    adopted = PmoModelAdopted(unit_id=unit.unit_id, pmo_model=command.pmo_model, effective_on=command.effective_on)
    return [] if unit.adopted == adopted else [adopted]


def separate_duties(command: SeparateDuties, state: Organization) -> Sequence[Payload]:
    """Effective from a day; what a unit requires holds for the units below, too."""
    unit = open_unit_of(command.unit_id, state)
    adopted = SeparationOfDutiesAdopted(
        unit_id=unit.unit_id,
        duties=command.duties,
        is_required=command.is_required,
        effective_on=command.effective_on,
    )
    return [] if unit.separations.get(command.duties) == adopted else [adopted]


def known_unit(unit_id: UUID, state: Organization) -> Unit:
    """The unit, open or closed."""
    unit = state.units.get(unit_id)
    if unit is None:
        raise UnknownUnit(f"no unit has the id {unit_id}")
    return unit


def open_unit_of(unit_id: UUID, state: Organization) -> Unit:
    """The unit, if it is open."""
    unit = known_unit(unit_id, state)
    if not unit.is_open:
        raise UnitIsClosed(f"the unit {unit.opened.code} was closed")
    return unit


def evolve(state: Organization, event: Payload) -> Organization:
    """The organization after an event."""
    match event:
        case UnitOpened():
            return state.with_unit(Unit(event, event.name, event.parent_id))
        case UnitRenamed(unit_id=unit_id, name=name):
            return state.with_unit(replace(state.units[unit_id], name=name))
        case UnitMoved(unit_id=unit_id, to_parent_id=parent_id):
            return state.with_unit(replace(state.units[unit_id], parent_id=parent_id))
        case UnitClosed(unit_id=unit_id):
            return state.with_unit(replace(state.units[unit_id], is_open=False))
        case PmoModelAdopted(unit_id=unit_id):
            return state.with_unit(replace(state.units[unit_id], adopted=event))
        case SeparationOfDutiesAdopted(unit_id=unit_id, duties=duties):
            unit = state.units[unit_id]
            return state.with_unit(replace(unit, separations={**unit.separations, duties: event}))
        case _:
            return state


organization_decider: Decider[Organization, OrganizationCommand] = Decider(Organization(), evolve, decide)
