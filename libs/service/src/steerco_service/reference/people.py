"""People as portfolio's log tells of them: the projection of every view that shows who somebody is."""

from dataclasses import dataclass, replace
from uuid import UUID

from steerco_events.contracts import portfolio
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person; name and address are secrets of their key, and nothing once they were erased."""

    person_id: UUID
    unit_id: UUID
    name: str | None
    email: str | None
    is_erased: bool = False


def person_key(event: Recorded) -> str | None:
    """The person that an event is about."""
    match event.payload:
        case (
            portfolio.PersonRegistered(person_id=person_id)
            | portfolio.PersonDetailsCorrected(person_id=person_id)
            | portfolio.PersonMoved(person_id=person_id)
            | portfolio.PersonErased(person_id=person_id)
        ):
            return str(person_id)
        case _:
            return None


def evolve_person(row: PersonRow | None, event: Recorded) -> PersonRow | None:
    """The row after an event."""
    match event.payload, row:
        case portfolio.PersonRegistered() as person, _:
            return PersonRow(person.person_id, person.unit_id, person.name, person.email)
        case portfolio.PersonDetailsCorrected(name=name, email=email), PersonRow():
            return replace(row, name=name, email=email)
        case portfolio.PersonMoved(to_unit_id=unit_id), PersonRow():
            return replace(row, unit_id=unit_id)
        case portfolio.PersonErased(), PersonRow():
            return replace(row, name=None, email=None, is_erased=True)
        case _:
            return row


people = Projection(
    "people", PersonRow, person_key, evolve_person, indexes=(("unit_id", "key"),), of=portfolio.PORTFOLIO
)
