"""People: who is behind an id. What is said of them is kept as a secret of their own key, and shown with it only."""

import base64
from collections.abc import Sequence
from typing import Annotated, Self
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from steerco_portfolio.domain.organization import ORGANIZATION
from steerco_portfolio.domain.organization_rules import organization_decider
from steerco_portfolio.domain.person import (
    CorrectPersonDetails,
    Details,
    Erased,
    ErasePerson,
    Known,
    MovePerson,
    NoPerson,
    Person,
    PersonCommand,
    PersonIsErased,
    RegisterPerson,
    UnknownPerson,
    person_decider,
)
from steerco_portfolio.domain.placement import unit_for_delivery
from steerco_portfolio.domain.project import KnownUnit
from steerco_portfolio.projections.people import not_erased, people_listed
from steerco_service.actions import Acted, Acting, Probe, in_full
from steerco_service.bodies import Body, Email, Name
from steerco_service.call import Call, Calling
from steerco_service.privacy.encryption import encrypted
from steerco_service.privacy.key_database import KeyDatabase, SubjectErased
from steerco_service.privacy.keys import KeysUnavailable
from steerco_service.privacy.remote_keys import MOST_AT_ONCE
from steerco_service.privacy.showing import EMAIL, NAME, Shown, Withheld, shown, who_are
from steerco_service.problems import Problem
from steerco_service.reading import Paged, Read, Reading
from steerco_service.reference.people import PersonRow, people
from steerco_service.routing import router
from steerco_service.runtime import Runtime

routes = router("people")


class PersonDetails(Body):
    """Who somebody is."""

    name: Annotated[Name, Field(examples=["Ada Byron"])]
    email: Annotated[Email | None, Field(examples=["ada.byron@commission.example"])] = None


class NewPerson(PersonDetails):
    """Somebody of a unit; the id is that of their token, if they have one. An id makes sending it twice harmless."""

    person_id: UUID | None = None
    unit_id: UUID


class PersonMove(Body):
    """The unit that a person is of from now on."""

    unit_id: Annotated[UUID, Field(examples=["0198c1de-0000-7000-8000-00000000000a"])]


class Erasure(Body):
    """Why it is forgotten who somebody is."""

    reason: Annotated[Name, Field(examples=["Asked for it on leaving"])]


class PersonAnswer(BaseModel):
    """One person; `withheld` says why name and address are not shown. The unit is, where the caller sees it."""

    person_id: UUID
    unit_id: UUID | None
    name: str | None
    email: str | None
    withheld: Withheld | None
    is_erased: bool

    @classmethod
    def of(cls, row: PersonRow, said: Shown, reading: Reading) -> Self:
        """The answer for a person."""
        return cls(
            person_id=row.person_id,
            unit_id=row.unit_id if reading.asking.sight.has_unit(row.unit_id) else None,
            name=said.name,
            email=said.email,
            withheld=said.withheld,
            is_erased=row.is_erased,
        )


class PersonInFull(PersonAnswer, Acted):
    """One person, and what may be done with their record."""


class KeyAnswer(BaseModel):
    """A subject's key, in base64."""

    subject: UUID
    key: str


class KeysAnswer(BaseModel):
    """The keys of those subjects that have one."""

    keys: list[KeyAnswer]


def _stream(person_id: UUID) -> str:
    return f"person-{person_id}"


async def _unit(call: Call, unit_id: UUID) -> KnownUnit | None:
    """The unit of an id that is there for who asks."""
    organization = await call.fold(organization_decider, ORGANIZATION)
    return unit_for_delivery(organization, unit_id) if call.asking.has_unit(unit_id) else None


def _keys_of(runtime: Runtime) -> KeyDatabase:
    """Raises a 503 `Problem` where this process has none."""
    if runtime.key_database is None:
        detail = "this process was not told where the keys are"
        raise Problem(503, "keys-unavailable", detail, headers={"Retry-After": "60"})
    return runtime.key_database


async def _encrypted(call: Call, person_id: UUID, body: PersonDetails) -> Details:
    """Name and address as secrets of the person's key. Raises `PersonIsErased`."""
    try:
        key = await _keys_of(call.runtime).key_of(person_id, call.now)
    except SubjectErased:
        raise PersonIsErased("this person was erased; whoever comes back gets a new id") from None
    email = encrypted(body.email, key, person_id, EMAIL) if body.email else None
    return Details(encrypted(body.name, key, person_id, NAME), email)


async def _handle(call: Call, person_id: UUID, command: PersonCommand, *, reason: str | None = None) -> Response:
    return await call.handle(person_decider, _stream(person_id), command, reason=reason)


@routes.post("/people", status_code=201, summary="Register a person")
async def register_person(body: NewPerson, call: Calling) -> Response:
    """At an open unit; who has a role or a project, by who may do it at one of these. Machines need no record."""
    person_id = body.person_id or call.new_id()
    person: Person = await call.fold(person_decider, _stream(person_id)) if body.person_id else NoPerson()
    if not isinstance(person, NoPerson):
        call.must_be_there(call.asking.has_unit(person.unit_id))
    elif body.person_id:
        await call.not_of_others(person_id)
    unit = await _unit(call, body.unit_id)
    call.concerns(body.unit_id)
    is_possible = unit and unit.is_open and not isinstance(person, Erased)
    details = await _encrypted(call, person_id, body) if is_possible else Details("", None)
    command = RegisterPerson(person_id, unit, details)
    return await call.handle(person_decider, _stream(person_id), command, created=person_id)


@routes.put("/people/{person_id}", status_code=204, summary="Correct a person's name or address")
async def correct_person(person_id: UUID, body: PersonDetails, call: Calling) -> Response:
    """Both at once: an address that is left out is no more."""
    person: Person = await call.fold(person_decider, _stream(person_id))
    details = Details("", None)
    if isinstance(person, Known) and call.asking.has_unit(person.unit_id):
        details = await call.makes(lambda: _encrypted(call, person_id, body), instead=details)
    return await _handle(call, person_id, CorrectPersonDetails(person_id, details))


@routes.put("/people/{person_id}/unit", status_code=204, summary="Move a person to another unit")
async def move_person(person_id: UUID, body: PersonMove, call: Calling) -> Response:
    """Their roles stay where they are."""
    unit = await _unit(call, body.unit_id)
    return await _handle(call, person_id, MovePerson(person_id, unit))


@routes.post("/people/{person_id}/erasure", status_code=204, summary="Forget who a person is")
async def erase_person(person_id: UUID, body: Erasure, call: Calling) -> Response:
    """For good: the key is forgotten, so name and address can be read nowhere any more, also in what was kept of them.

    The id stays in the records of what was done. Free text that names somebody is not found by this.
    """
    keys = _keys_of(call.runtime)
    answer = await _handle(call, person_id, ErasePerson(person_id), reason=body.reason)
    await keys.forget([person_id], call.now)
    return answer


def _probes(elsewhere: UUID) -> Sequence[Probe]:
    """What may be done with a person's record, to be asked in advance; moved to where the caller may move it."""
    return (
        Probe(correct_person, PersonDetails.model_construct(name="", email=None)),
        Probe(move_person, PersonMove.model_construct(unit_id=elsewhere)),
        Probe(erase_person, Erasure.model_construct(reason="")),
    )


@routes.get("/people", summary="List people")
async def list_people(
    reading: Read,
    page: Paged,
    unit_id: Annotated[UUID | None, Query(description="Of this unit only, not of those below it.")] = None,
) -> list[PersonAnswer]:
    """Of a unit in the caller's scope, or with a role or project in it.

    In the order of their ids; the next page is in the `Link` header.
    """
    found = await people_listed(reading, page, unit_id)
    said = await who_are(reading, found)
    return [PersonAnswer.of(row, said[row.person_id], reading) for row in found]


@routes.get("/keys", summary="The keys of people's records, for the other services")
async def read_keys(
    reading: Read,
    response: Response,
    subject: Annotated[list[UUID], Query(min_length=1, max_length=MOST_AT_ONCE, description="Whose.")],
) -> KeysAnswer:
    """To show names, never to decide by them; to be kept for five minutes at most, in memory.

    Not of whom the log has erased, whatever a restore may have brought back.
    """
    try:
        found = await _keys_of(reading.runtime).find(await not_erased(reading, subject))
    except KeysUnavailable as error:
        raise Problem(503, "keys-unavailable", str(error), headers={"Retry-After": "1"}) from error
    response.headers["Cache-Control"] = "no-store"
    answers = [KeyAnswer(subject=each, key=base64.b64encode(key).decode()) for each, key in sorted(found.items())]
    return KeysAnswer(keys=answers)


@routes.get("/people/{person_id}", summary="One person")
async def one_person(person_id: UUID, acting: Acting, reading: Read, response: Response) -> PersonInFull:
    """Folded from its stream: never behind what was last accepted. Its version is the ETag."""
    row = await reading.fold(people, _stream(person_id), response)
    if row is None or not await reading.has_person(person_id, row.unit_id):
        raise UnknownPerson("nobody has this id")
    is_permitted = await reading.seeing("personal").has_person(person_id, row.unit_id)
    said = await shown(reading.runtime.keys, [(row, is_permitted)])
    answer = PersonAnswer.of(row, said[person_id], reading)
    probes = _probes(acting.another_unit(move_person, row.unit_id))
    return in_full(PersonInFull, answer, await acting.of({"person_id": person_id}, probes))
