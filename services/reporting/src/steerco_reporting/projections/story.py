"""The story of a project, a line per event of any service: row, fold and query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, union_all

from steerco_events.contracts import finance, intake, portfolio, risk, training
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection, own_row
from steerco_reporting.projections.projects import ProjectRow
from steerco_reporting.projections.sentences import WITHOUT_COMMERCIAL_FIELDS, role_in_words, sentence
from steerco_reporting.projections.units import Organization
from steerco_service.reading import Reading


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of any log, and the project, the pitch, the units or the record that it is about.

    `about` is the key of a record that the event names by its id alone.
    """

    event_id: UUID
    service: str
    generation: int
    position: int
    type: str
    actor_id: UUID
    job_title: str
    reason: str | None
    what: str
    project_id: UUID | None
    pitch_id: UUID | None
    from_unit_id: UUID | None
    to_unit_id: UUID | None
    about: str | None
    on_behalf_of: UUID | None = None


def evolve_event(row: EventRow | None, event: Recorded) -> EventRow | None:
    """The line of an event."""
    payload = event.payload
    from_unit_id, to_unit_id = _units(event)
    return row or EventRow(
        event_id=event.id,
        service=event.service,
        generation=event.generation,
        position=event.position,
        type=event.type,
        actor_id=event.actor.id,
        job_title=event.actor.job_title,
        reason=event.reason,
        what=sentence(payload) or f"An event of a type that was not known: {event.type}",
        project_id=_project(event),
        pitch_id=getattr(payload, "pitch_id", None),
        from_unit_id=from_unit_id,
        to_unit_id=to_unit_id,
        about=_about(event),
        on_behalf_of=event.on_behalf_of,
    )


def _project(event: Recorded) -> UUID | None:
    match event.payload:
        case portfolio.ProjectCodeTaken() | portfolio.RegisterRowKept():
            return None
        case payload:
            return getattr(payload, "project_id", None)


def _units(event: Recorded) -> tuple[UUID | None, UUID | None]:
    match event.payload:
        case portfolio.ProjectMoved(from_unit_id=from_unit_id, to_unit_id=to_unit_id):
            return from_unit_id, to_unit_id
        case (
            intake.PitchSubmitted(unit_id=unit_id)
            | portfolio.ProjectChartered(unit_id=unit_id)
            | portfolio.ProjectRegistered(unit_id=unit_id)
        ):
            return None, unit_id
        case _:
            return None, None


def _about(event: Recorded) -> str | None:
    match event.payload:
        case risk.RiskRated(risk_id=key) | risk.RiskClosed(risk_id=key):
            return str(key)
        case (
            training.ObligationFellOverdue(obligation_id=key)
            | training.ObligationFulfilled(obligation_id=key)
            | training.ObligationWaived(obligation_id=key)
        ):
            return str(key)
        case finance.ActualCostReversed(posting_id=key):
            return str(key)
        case portfolio.AppointmentTermChanged(appointment_id=key) | portfolio.AppointmentEnded(appointment_id=key):
            return str(key)
        case _:
            return None


events = Projection(
    "events",
    EventRow,
    own_row,
    evolve_event,
    indexes=(("project_id",), ("pitch_id",), ("about",), ("service", "sealed_from", "position")),
)


@dataclass(frozen=True, slots=True)
class Line:
    """An event as a story tells it."""

    at: datetime
    event: EventRow
    what: str


async def story(reading: Reading, project: ProjectRow, organization: Organization, at: datetime) -> Sequence[Line]:
    """All that happened to a project up to an instant, and to the pitch that it came from, in the order of the seals.

    Without commercial fields for who may not see them, nor units that are not there for who asks. What several logs
    sealed at the same instant stands in the order in which the services work for each other.
    """
    table, appointments = reading.table("events"), reading.table("appointments")
    appointed = select(appointments.c.key).where(appointments.c.project_id == project.project_id)
    concerned = or_(table.c.project_id == project.project_id, table.c.about.in_(appointed))
    if project.pitch_id:
        concerned = or_(concerned, table.c.pitch_id == project.pitch_id)
    rows = (await reading.connection.execute(select(table).where(concerned, table.c.sealed_from <= at))).mappings()
    order = {service: n for n, service in enumerate(reading.build.view.services)}
    found = [(row["sealed_from"], EventRow(**{name: row[name] for name in events.columns})) for row in rows]
    found.sort(key=lambda line: (line[0], order[line[1].service], line[1].position))
    is_whole = project.project_id in await reading.seeing("commercial").projects_among([project.project_id])
    names = await _names(reading, project.project_id)
    if is_whole:
        names |= await _documents(reading, project.project_id)
    sight = reading.asking.sight
    codes = {each.unit_id: each.code for each in organization.units.values() if sight.has_unit(each.unit_id)}
    return [Line(since, event, _told(event, codes, names, is_whole=is_whole)) for since, event in found]


def _told(event: EventRow, codes: Mapping[UUID, str], names: Mapping[str, str], *, is_whole: bool) -> str:
    told = event.what if is_whole else WITHOUT_COMMERCIAL_FIELDS.get(event.type, event.what)
    if event.about and event.about in names:
        told += f": {names[event.about]}"
    for preposition, unit_id in ((" from", event.from_unit_id), (_into(event), event.to_unit_id)):
        if unit_id and unit_id in codes:
            told += f"{preposition} {codes[unit_id]}"
    return told


def _into(event: EventRow) -> str:
    return " to" if event.from_unit_id else ", in"


async def _names(reading: Reading, project_id: UUID) -> dict[str, str]:
    """What the risks, obligations and appointments of a project are called, by their keys."""
    risks, obligations, appointments = (reading.table(name) for name in ("risks", "obligations", "appointments"))

    query = union_all(
        select(risks.c.key, risks.c.event.label("name")).where(risks.c.project_id == project_id),
        select(obligations.c.key, obligations.c.course).where(obligations.c.project_id == project_id),
    )
    roles = select(appointments.c.key, appointments.c.role).where(appointments.c.project_id == project_id)
    found = {key: name for key, name in await reading.connection.execute(query)}
    return found | {key: role_in_words(role) for key, role in await reading.connection.execute(roles)}


async def _documents(reading: Reading, project_id: UUID) -> dict[str, str]:
    """The documents of a project's postings, by their keys."""
    postings = reading.table("actual_costs")
    document = postings.c.source + " " + postings.c.reference
    query = select(postings.c.key, document).where(postings.c.project_id == project_id)
    return {key: name for key, name in await reading.connection.execute(query)}
