"""Who is behind an id: registered once, corrected, moved, and forgotten for good."""

from steerco_events.contracts.portfolio import PersonDetailsCorrected, PersonErased, PersonMoved, PersonRegistered
from steerco_events.ids import derived_id
from steerco_events.testkit.spec import spec
from steerco_portfolio.domain.person import (
    CorrectPersonDetails,
    Details,
    ErasePerson,
    MovePerson,
    PersonAlreadyRegistered,
    PersonIsErased,
    RegisterPerson,
    UnknownPerson,
    person_decider,
)
from steerco_portfolio.domain.project import KnownUnit, NoSuchUnit

ADA = derived_id("person", "Ada")
LIC, MKT = derived_id("unit", "LIC"), derived_id("unit", "MKT")
DETAILS = Details("c2VjcmV0", "YWRkcmVzcw")
MARRIED = Details("b3RoZXI", None)
REGISTERED = PersonRegistered(person_id=ADA, unit_id=LIC, name=DETAILS.name, email=DETAILS.email)
ERASED = PersonErased(person_id=ADA)


OPEN, OTHER, CLOSED = KnownUnit(LIC, "LIC", True), KnownUnit(MKT, "MKT", True), KnownUnit(LIC, "LIC", False)

person = spec(person_decider)


def test_who_is_behind_an_id_is_said_once() -> None:
    person.given().when(RegisterPerson(ADA, OPEN, DETAILS)).then(REGISTERED)
    person.given(REGISTERED).when(RegisterPerson(ADA, OPEN, MARRIED)).then_refused(PersonAlreadyRegistered)
    person.given(REGISTERED).when(RegisterPerson(ADA, OTHER, DETAILS)).then_refused(PersonAlreadyRegistered)
    corrected = PersonDetailsCorrected(person_id=ADA, name=MARRIED.name, email=None)
    person.given(REGISTERED, corrected).when(RegisterPerson(ADA, OPEN, DETAILS)).then_nothing()


def test_a_person_is_of_an_open_unit() -> None:
    person.given().when(RegisterPerson(ADA, None, DETAILS)).then_refused(NoSuchUnit, pointer="/unit_id")
    person.given().when(RegisterPerson(ADA, CLOSED, DETAILS)).then_refused(NoSuchUnit, pointer="/unit_id")
    moved = PersonMoved(person_id=ADA, from_unit_id=LIC, to_unit_id=MKT)
    person.given(REGISTERED).when(MovePerson(ADA, OTHER)).then(moved)
    person.given(REGISTERED).when(MovePerson(ADA, CLOSED)).then_nothing()
    person.given(REGISTERED, moved).when(MovePerson(ADA, CLOSED)).then_refused(NoSuchUnit, pointer="/unit_id")
    person.given(REGISTERED).when(MovePerson(ADA, None)).then_refused(NoSuchUnit)
    person.given().when(MovePerson(ADA, OTHER)).then_refused(UnknownPerson)


def test_name_and_address_are_corrected_together() -> None:
    corrected = PersonDetailsCorrected(person_id=ADA, name=MARRIED.name, email=None)
    person.given(REGISTERED).when(CorrectPersonDetails(ADA, MARRIED)).then(corrected)
    person.given(REGISTERED).when(CorrectPersonDetails(ADA, DETAILS)).then_nothing()
    person.given().when(CorrectPersonDetails(ADA, DETAILS)).then_refused(UnknownPerson)


def test_who_was_erased_stays_so() -> None:
    person.given(REGISTERED).when(ErasePerson(ADA)).then(ERASED)
    person.given(REGISTERED, ERASED).when(ErasePerson(ADA)).then_nothing()
    person.given().when(ErasePerson(ADA)).then_refused(UnknownPerson)
    person.given(REGISTERED, ERASED).when(RegisterPerson(ADA, OPEN, DETAILS)).then_refused(PersonIsErased)
    person.given(REGISTERED, ERASED).when(CorrectPersonDetails(ADA, MARRIED)).then_refused(PersonIsErased)
    person.given(REGISTERED, ERASED).when(MovePerson(ADA, OTHER)).then_refused(PersonIsErased)
