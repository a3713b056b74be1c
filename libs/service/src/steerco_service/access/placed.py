"""Who may act where, as portfolio's log tells it: the projections that every service keeps in its view."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, and_, not_, or_

from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import PORTFOLIO, Role
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.access.duties import DutiesAdopted
from steerco_service.lookups import Finder
from steerco_service.reference.appointments import appointment_key


@dataclass(frozen=True, slots=True)
class UnitPlaced:
    """A unit, the one above it, and what it adopted of duties that are kept apart, in that order."""

    unit_id: UUID
    code: str
    parent_id: UUID | None
    duties: tuple[DutiesAdopted, ...] = ()


def unit_key(event: Recorded) -> str | None:
    """The unit that an event opens or moves, or that adopts a policy by it."""
    match event.payload:
        case (
            portfolio.UnitOpened(unit_id=unit_id)
            | portfolio.UnitMoved(unit_id=unit_id)
            | portfolio.SeparationOfDutiesAdopted(unit_id=unit_id)
        ):
            return str(unit_id)
        case _:
            return None


def evolve_unit(row: UnitPlaced | None, event: Recorded) -> UnitPlaced | None:
    """The row after an event."""
    match event.payload, row:
        case portfolio.UnitOpened(unit_id=unit_id, code=code, parent_id=parent_id), _:
            return UnitPlaced(unit_id, code, parent_id)
        case portfolio.UnitMoved(to_parent_id=parent_id), UnitPlaced():
            return replace(row, parent_id=parent_id)
        case portfolio.SeparationOfDutiesAdopted() as adopted, UnitPlaced():
            return replace(row, duties=(*row.duties, DutiesAdopted.of(adopted)))
        case _:
            return row


@dataclass(frozen=True, slots=True)
class ProjectPlaced:
    """A project, the unit that has it, and who manages it from a day on."""

    project_id: UUID
    unit_id: UUID
    manager_id: UUID | None = None
    manager_from_on: date | None = None

    def manager(self, on: date) -> UUID | None:
        """Who manages it on a day, if somebody does."""
        return self.manager_id if self.manager_from_on and self.manager_from_on <= on else None


def project_key(event: Recorded) -> str | None:
    """The project that an event places, moves or gives a manager."""
    match event.payload:
        case (
            portfolio.ProjectChartered(project_id=project_id)
            | portfolio.ProjectRegistered(project_id=project_id)
            | portfolio.ProjectMoved(project_id=project_id)
            | portfolio.ProjectManagerAppointed(project_id=project_id)
        ):
            return str(project_id)
        case _:
            return None


def evolve_project(row: ProjectPlaced | None, event: Recorded) -> ProjectPlaced | None:
    """The row after an event."""
    match event.payload, row:
        case portfolio.ProjectChartered() | portfolio.ProjectRegistered() as p, _:
            return ProjectPlaced(p.project_id, p.unit_id)
        case portfolio.ProjectMoved(to_unit_id=unit_id), ProjectPlaced():
            return replace(row, unit_id=unit_id)
        case portfolio.ProjectManagerAppointed(person_id=person_id, from_on=from_on), ProjectPlaced():
            return replace(row, manager_id=person_id, manager_from_on=from_on)
        case _:
            return row


async def project_placed(finder: Finder, project_id: UUID) -> ProjectPlaced | None:
    """The project as the service knows it; `None` if it does not."""
    return await finder.one(projects_placed, str(project_id))


@dataclass(frozen=True, slots=True)
class AppointmentHeld:
    """An appointment, and whether it was ended."""

    appointment_id: UUID
    person_id: UUID
    role: Role
    from_on: date
    until_on: date | None
    unit_id: UUID | None
    project_id: UUID | None
    delegated_from: UUID | None
    is_ended: bool = False

    def is_in_force(self, on: date) -> bool:
        """Whether it holds on a day."""
        return not self.is_ended and self.from_on <= on and (self.until_on is None or on <= self.until_on)


def in_force(held: FromClause, on: date) -> ColumnElement[bool]:
    """The condition for the appointments that hold on a day, whatever becomes of those that they stand in for."""
    is_begun, is_over = held.c.from_on <= on, held.c.until_on < on
    return and_(held.c.is_ended.is_(False), is_begun, or_(held.c.until_on.is_(None), not_(is_over)))


def evolve_appointment(row: AppointmentHeld | None, event: Recorded) -> AppointmentHeld | None:
    """The row after an event."""
    match event.payload, row:
        case portfolio.AppointmentMade() as a, _:
            return AppointmentHeld(
                a.appointment_id,
                a.person_id,
                a.role,
                a.from_on,
                a.until_on,
                a.unit_id,
                a.project_id,
                a.delegated_from,
            )
        case portfolio.AppointmentTermChanged() as changed, AppointmentHeld():
            return replace(row, from_on=changed.from_on, until_on=changed.until_on)
        case portfolio.AppointmentEnded(), AppointmentHeld():
            return replace(row, is_ended=True)
        case _:
            return row


units_placed = Projection(
    "units_placed", UnitPlaced, unit_key, evolve_unit, indexes=(("stream_version",),), of=PORTFOLIO
)
projects_placed = Projection(
    "projects_placed",
    ProjectPlaced,
    project_key,
    evolve_project,
    indexes=(("project_id",), ("unit_id",), ("manager_id",)),
    of=PORTFOLIO,
)
appointments_held = Projection(
    "appointments_held",
    AppointmentHeld,
    appointment_key,
    evolve_appointment,
    indexes=(("person_id",), ("appointment_id",)),
    of=PORTFOLIO,
)

ACCESS = (units_placed, projects_placed, appointments_held)
"""What a service's view has of this: the view reads portfolio's log, too."""
