"""Who may act where, as portfolio's log tells it: the projections that every service keeps in its view."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, Table, and_, exists, not_, or_, select

from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import PORTFOLIO, Role
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_events.projections.tables import known_at
from steerco_service.access.duties import DutiesAdopted
from steerco_service.access.gaps import Gaps
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
    """A project, the unit that has it, and whether it was closed or terminated."""

    project_id: UUID
    unit_id: UUID
    is_over: bool = False


def project_key(event: Recorded) -> str | None:
    """The project that an event places, moves or ends."""
    match event.payload:
        case (
            portfolio.ProjectChartered(project_id=project_id)
            | portfolio.ProjectRegistered(project_id=project_id)
            | portfolio.ProjectMoved(project_id=project_id)
            | portfolio.ProjectClosed(project_id=project_id)
            | portfolio.ProjectTerminated(project_id=project_id)
        ):
            return str(project_id)
        case _:
            return None


def evolve_project(row: ProjectPlaced | None, event: Recorded) -> ProjectPlaced | None:
    """The row after an event."""
    match event.payload, row:
        case portfolio.ProjectChartered() as p, _:
            return ProjectPlaced(p.project_id, p.unit_id)
        case portfolio.ProjectRegistered() as p, _:
            return ProjectPlaced(p.project_id, p.unit_id, p.state in ("closed", "terminated"))
        case portfolio.ProjectMoved(to_unit_id=unit_id), ProjectPlaced():
            return replace(row, unit_id=unit_id)
        case portfolio.ProjectClosed() | portfolio.ProjectTerminated(), ProjectPlaced():
            return replace(row, is_over=True)
        case _:
            return row


@dataclass(frozen=True, slots=True)
class ProjectManaged:
    """What was said once of who manages a project from a day on; what is said later goes before it, from its day on."""

    project_id: UUID
    person_id: UUID
    from_on: date


def managed_key(event: Recorded) -> str | None:
    """The event itself: what it says stays said."""
    return str(event.id) if isinstance(event.payload, portfolio.ProjectManagerAppointed) else None


def evolve_managed(row: ProjectManaged | None, event: Recorded) -> ProjectManaged | None:
    """The row of an event."""
    match event.payload:
        case portfolio.ProjectManagerAppointed(project_id=project_id, person_id=person_id, from_on=from_on):
            return ProjectManaged(project_id, person_id, from_on)
        case _:
            return row


def managing(table: Callable[[str], Table], gaps: Gaps, on: date) -> Select[tuple[UUID, UUID, UUID, bool]]:
    """Who manages on a day: `person_id`, the `project_id`, the `unit_id` that has it, and whether it `is_over`.

    Of all that was said of a project by its day, what was said last: one from a later day on displaces nobody before.
    """
    managed, placed = table("projects_managed"), table("projects_placed")
    later = managed.alias("later")
    is_said_anew = exists().where(
        later.c.project_id == managed.c.project_id,
        later.c.stream_version > managed.c.stream_version,
        later.c.from_on <= on,
    )
    return (
        select(managed.c.person_id, placed.c.project_id, placed.c.unit_id, placed.c.is_over)
        .select_from(managed.join(placed, placed.c.project_id == managed.c.project_id))
        .where(managed.c.from_on <= on, not_(is_said_anew), known_at(placed, None), gaps.spare(placed))
    )


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


def in_force(held: Table, gaps: Gaps, on: date) -> ColumnElement[bool]:
    """The condition for the appointments that hold on a day; a delegated one, as long as the original does."""
    original = held.alias("original")
    stands = exists().where(original.c.appointment_id == held.c.delegated_from, _holds(original, gaps, on))
    return and_(_holds(held, gaps, on), or_(held.c.delegated_from.is_(None), stands))


def _holds(held: FromClause, gaps: Gaps, on: date) -> ColumnElement[bool]:
    is_begun, is_over = held.c.from_on <= on, held.c.until_on < on
    is_in_term = and_(is_begun, or_(held.c.until_on.is_(None), not_(is_over)))
    return and_(known_at(held, None), gaps.spare(held), held.c.is_ended.is_(False), is_in_term)


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
    indexes=(("project_id",), ("unit_id",)),
    of=PORTFOLIO,
)
projects_managed = Projection(
    "projects_managed",
    ProjectManaged,
    managed_key,
    evolve_managed,
    indexes=(("project_id",), ("person_id",)),
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

ACCESS = (units_placed, projects_placed, projects_managed, appointments_held)
"""What a service's view has of this: the view reads portfolio's log, too."""
