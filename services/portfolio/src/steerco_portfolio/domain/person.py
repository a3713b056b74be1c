"""A person: who is behind an id, and of which unit. Name and address come here as secrets of the person's key. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID

from steerco_events.contracts.portfolio import PersonDetailsCorrected, PersonErased, PersonMoved, PersonRegistered
from steerco_events.decider import Decider, Refusal
from steerco_events.registry import Payload
from steerco_portfolio.domain.project import KnownUnit, NoSuchUnit

# Situations


@dataclass(frozen=True, slots=True)
class NoPerson:
    """Nobody was registered under this id."""


@dataclass(frozen=True, slots=True)
class Details:
    """Name and address, encrypted: the same text is the same secret."""

    name: str
    email: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """Registered."""

    registered: PersonRegistered
    unit_id: UUID
    details: Details


@dataclass(frozen=True, slots=True)
class Erased:
    """Nobody knows any more who it is."""

    unit_id: UUID


type Person = NoPerson | Known | Erased

# Commands


@dataclass(frozen=True, slots=True)
class RegisterPerson:
    """Say who is behind an id; `unit` is `None` when there is none of the id that is given."""

    person_id: UUID
    unit: KnownUnit | None
    details: Details


@dataclass(frozen=True, slots=True)
class CorrectPersonDetails:
    """Give another name or address."""

    person_id: UUID
    details: Details


@dataclass(frozen=True, slots=True)
class MovePerson:
    """Let a person be of another unit."""

    person_id: UUID
    unit: KnownUnit | None


@dataclass(frozen=True, slots=True)
class ErasePerson:
    """Forget who is behind an id."""

    person_id: UUID


type PersonCommand = RegisterPerson | CorrectPersonDetails | MovePerson | ErasePerson

# Refusals


class UnknownPerson(Refusal):
    """Nobody has this id."""

    kind = "unknown"


class PersonAlreadyRegistered(Refusal):
    """The id is that of somebody who was registered otherwise."""


class PersonIsErased(Refusal):
    """It was forgotten who this is; whoever comes back gets a new id."""


def decide(command: PersonCommand, state: Person) -> Sequence[Payload]:
    """The events that a command leads to, or a refusal."""
    match command:
        case RegisterPerson():
            return register(command, state)
        case CorrectPersonDetails():
            return correct(command, state)
        case MovePerson():
            return move(command, state)
        case ErasePerson():
            return erase(command, state)
        case _:
            assert_never(command)


def register(command: RegisterPerson, state: Person) -> Sequence[Payload]:
    """Once under an id; at an open unit."""
    match state:
        case NoPerson():
            return [_registered(command, opened(command.unit))]
        case Known(registered):
            if command.unit and _registered(command, command.unit) == registered:
                return []
            raise PersonAlreadyRegistered("this id is that of a person who is registered", pointer="/person_id")
        case Erased():
            raise PersonIsErased("this person was erased; whoever comes back gets a new id", pointer="/person_id")
        case _:
            assert_never(state)


def _registered(command: RegisterPerson, unit: KnownUnit) -> PersonRegistered:
    return PersonRegistered(
        person_id=command.person_id,
        unit_id=unit.unit_id,
        name=command.details.name,
        email=command.details.email,
    )


def correct(command: CorrectPersonDetails, state: Person) -> Sequence[Payload]:
    """As long as the person was not erased."""
    if known(state).details == command.details:
        return []
    details = command.details
    return [PersonDetailsCorrected(person_id=command.person_id, name=details.name, email=details.email)]


def move(command: MovePerson, state: Person) -> Sequence[Payload]:
    """To an open unit."""
    before = known(state).unit_id
    if command.unit and command.unit.unit_id == before:
        return []
    to_unit_id = opened(command.unit).unit_id
    return [PersonMoved(person_id=command.person_id, from_unit_id=before, to_unit_id=to_unit_id)]


def erase(command: ErasePerson, state: Person) -> Sequence[Payload]:
    """For good."""
    match state:
        case NoPerson():
            raise UnknownPerson("nobody has this id")
        case Known():
            return [PersonErased(person_id=command.person_id)]
        case Erased():
            return []
        case _:
            assert_never(state)


def known(state: Person) -> Known:
    """The person of whom it is known who they are."""
    match state:
        case NoPerson():
            raise UnknownPerson("nobody has this id")
        case Known():
            return state
        case Erased():
            raise PersonIsErased("this person was erased")
        case _:
            assert_never(state)


def opened(unit: KnownUnit | None) -> KnownUnit:
    """The unit that there is, and that takes people."""
    if unit is None:
        raise NoSuchUnit("no unit has this id", pointer="/unit_id")
    if not unit.is_open:
        raise NoSuchUnit(f"the unit {unit.code} was closed", pointer="/unit_id")
    return unit


def evolve(state: Person, event: Payload) -> Person:
    """The situation after an event."""
    match event, state:
        case PersonRegistered(), NoPerson():
            return Known(event, event.unit_id, Details(event.name, event.email))
        case PersonDetailsCorrected(name=name, email=email), Known():
            return replace(state, details=Details(name, email))
        case PersonMoved(to_unit_id=unit_id), Known():
            return replace(state, unit_id=unit_id)
        case PersonErased(), Known(unit_id=unit_id):
            return Erased(unit_id)
        case _:
            return state


def concerns(state: Person) -> Sequence[UUID]:
    """The unit that the person is of."""
    return () if isinstance(state, NoPerson) else (state.unit_id,)


person_decider: Decider[Person, PersonCommand] = Decider(NoPerson(), evolve, decide, concerns=concerns)
