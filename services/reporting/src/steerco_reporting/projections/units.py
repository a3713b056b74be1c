"""The org units: row, fold, and the tree that they make at an instant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import PmoModel, UnitKind
from steerco_events.decider import Refusal
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_events.projections.tables import row_of
from steerco_service.access.duties import DutiesAdopted, Requirement, requirements
from steerco_service.access.scope import Scope
from steerco_service.reading import Reading


@dataclass(frozen=True, slots=True)
class Adoption:
    """A PMO model and the day from which it is in force: for one given at the opening, that day."""

    pmo_model: PmoModel
    effective_on: date


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One unit; its adoptions, and those of duties, in the order in which they were decided."""

    unit_id: UUID
    code: str
    name: str
    kind: UnitKind
    parent_id: UUID | None
    is_open: bool
    adoptions: tuple[Adoption, ...]
    duties: tuple[DutiesAdopted, ...] = ()


def unit_key(event: Recorded) -> str | None:
    """The unit that an event of the organization is about."""
    match event.payload:
        case (
            portfolio.UnitOpened(unit_id=unit_id)
            | portfolio.UnitRenamed(unit_id=unit_id)
            | portfolio.UnitMoved(unit_id=unit_id)
            | portfolio.UnitClosed(unit_id=unit_id)
            | portfolio.PmoModelAdopted(unit_id=unit_id)
            | portfolio.SeparationOfDutiesAdopted(unit_id=unit_id)
        ):
            return str(unit_id)
        case _:
            return None


def evolve_unit(row: UnitRow | None, event: Recorded) -> UnitRow | None:
    """The row after an event."""
    match event.payload, row:
        case portfolio.UnitOpened() as unit, _:
            adoptions = (Adoption(unit.pmo_model, event.recorded_at.date()),) if unit.pmo_model else ()
            return UnitRow(unit.unit_id, unit.code, unit.name, unit.kind, unit.parent_id, True, adoptions)
        case portfolio.UnitRenamed(name=name), UnitRow():
            return replace(row, name=name)
        case portfolio.UnitMoved(to_parent_id=parent_id), UnitRow():
            return replace(row, parent_id=parent_id)
        case portfolio.UnitClosed(), UnitRow():
            return replace(row, is_open=False)
        case portfolio.PmoModelAdopted(pmo_model=pmo_model, effective_on=effective_on), UnitRow():
            return replace(row, adoptions=(*row.adoptions, Adoption(pmo_model, effective_on)))
        case portfolio.SeparationOfDutiesAdopted() as adopted, UnitRow():
            return replace(row, duties=(*row.duties, DutiesAdopted.of(adopted)))
        case _:
            return row


MOST = 12
"""So many codes are named to somebody who asked for one that is not there."""

units = Projection("units", UnitRow, unit_key, evolve_unit, of=portfolio.PORTFOLIO)


class UnknownScope(Refusal):
    """No unit had this code at the instant asked for, for who asks."""

    kind = "unknown"


class Organization:
    """The tree of units as it was known at an instant."""

    def __init__(self, found: Iterable[UnitRow]) -> None:
        self.units: Mapping[UUID, UnitRow] = {unit.unit_id: unit for unit in found}

    def scope(self, name: str, within: Scope) -> UnitRow:
        """The unit of that code, in any case, within a part of the enterprise; `enterprise` is the root.

        Raises `UnknownScope`.
        """
        wanted = name.casefold()
        there = [unit for unit in self.units.values() if self.is_in(unit.unit_id, within)]
        for unit in there:
            if unit.parent_id is None if wanted == "enterprise" else unit.code.casefold() == wanted:
                return unit
        if not there:
            raise UnknownScope(self._why_none(within))
        known = sorted(unit.code for unit in there if unit.kind != "department" or len(there) <= MOST)
        raise UnknownScope(f"no unit has the code {name!r}; above the departments there are {', '.join(known[:MOST])}")

    def _why_none(self, within: Scope) -> str:
        if not within.is_whole and not within.tops:
            return "this is asked at a unit, with all below it, and what you have roles at here is projects only"
        if not self.units or within.is_whole:
            return "no unit was opened yet"
        return "none of the units that you have roles at was there then"

    def is_in(self, unit_id: UUID, within: Scope) -> bool:
        """Whether a unit was in a part of the enterprise: it, or one above it, was granted."""
        return within.is_whole or any(unit.unit_id in within.tops for unit in self.above(unit_id))

    def children(self, unit_id: UUID) -> Sequence[UnitRow]:
        """The units right below, in the order of their codes."""
        return sorted((unit for unit in self.units.values() if unit.parent_id == unit_id), key=lambda unit: unit.code)

    def above(self, unit_id: UUID) -> Sequence[UnitRow]:
        """The unit and those above it, up to the root."""
        found: list[UnitRow] = []
        unit = self.units.get(unit_id)
        while unit and unit not in found:
            found.append(unit)
            unit = self.units.get(unit.parent_id) if unit.parent_id else None
        return found

    def lines(self, scope_id: UUID) -> Mapping[UUID, UUID]:
        """For every unit of a scope, the child of the scope that it counts in; the scope counts in itself."""
        found = {scope_id: scope_id} if scope_id in self.units else {}
        for unit_id in self.units:
            above = [unit.unit_id for unit in self.above(unit_id)]
            if scope_id in above[1:]:
                found[unit_id] = above[above.index(scope_id) - 1]
        return found

    def pmo_model(self, unit_id: UUID, day: date) -> PmoModel:
        """The model in force at a unit on a day: its own, or what it inherits; supportive where nobody chose.

        That is the one with the latest effective day; of two for the same day, the one decided later.
        """
        for unit in self.above(unit_id):
            if begun := [each for each in unit.adoptions if each.effective_on <= day]:
                return max(reversed(begun), key=lambda each: each.effective_on).pmo_model
        return "repository"

    def separated_duties(self, unit_id: UUID, day: date) -> Sequence[Requirement]:
        """Which duties are kept apart at a unit on a day, by a policy of its own or of a unit above."""
        return requirements(((unit.unit_id, unit.duties) for unit in self.above(unit_id)), day)


async def organizations(reading: Reading, instants: Sequence[datetime]) -> Sequence[Organization]:
    """The organization at each of these instants."""
    table = reading.table("units")
    rows = (await reading.connection.execute(select(table))).mappings().all()
    found = [(row["sealed_from"], row["sealed_to"], row_of(units, row)) for row in rows]
    return [
        Organization(unit for since, until, unit in found if since <= at and (until is None or until > at))
        for at in instants
    ]
