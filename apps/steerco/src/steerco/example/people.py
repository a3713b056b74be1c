"""The people of the commission: who is appointed to what when the office begins, and what the year changes in that."""

from collections.abc import Iterator, Sequence

from steerco.example.acts import (
    BOARD,
    CONTROLLER,
    LEAD,
    REVIEWER,
    RISK_OFFICER,
    TRAINER,
    Act,
    Calendar,
    Chapter,
    appointed,
    appointment_id,
    person,
    unit_id,
)
from steerco.example.names import SECONDEE, TRAINEE, changed, erased, registered
from steerco.example.organization import ENTERPRISE
from steerco_events.contracts.portfolio import Role
from steerco_events.envelope import Actor

DEPUTY = person("Deputy head of the project office")

_BY_THE_ADMIN: Sequence[tuple[Actor, Role]] = ((LEAD, "pmo_officer"), (REVIEWER, "auditor"))

_AT_THE_ENTERPRISE: Sequence[tuple[Actor, Role]] = (
    (BOARD, "board_member"),
    (CONTROLLER, "finance_controller"),
    (RISK_OFFICER, "risk_manager"),
    (TRAINER, "training_coordinator"),
)

_AT_UNITS: Sequence[tuple[str, Role, str]] = (
    ("Project officer of Licensing", "pmo_officer", "LIC"),
    ("Project officer of Supervision", "pmo_officer", "SUP"),
    ("Project officer of Corporate services", "pmo_officer", "COR"),
    ("Controller of Licensing", "finance_controller", "LIC"),
    ("Controller of Supervision", "finance_controller", "SUP"),
    ("Controller of Corporate services", "finance_controller", "COR"),
    ("Director of Licensing", "sponsor", "LIC"),
    ("Deputy director of Licensing", "sponsor", "LIC"),
    ("Head of licence applications", "sponsor", "LIC-applications"),
    ("Director of Supervision", "sponsor", "SUP"),
    ("Head of On-site inspections", "sponsor", "SUP-inspections"),
    ("Head of Market conduct", "sponsor", "SUP-conduct"),
    ("Head of Supervisory data", "sponsor", "SUP-data"),
    ("Director of Corporate services", "sponsor", "COR"),
    ("Head of Information technology", "sponsor", "COR-it"),
    ("Head of People and premises", "sponsor", "COR-people"),
    ("Press officer", "viewer", "SUP-conduct"),
    (SECONDEE.job_title, "viewer", "SUP-data"),
)

TRAINEE_UNTIL, TRAINEE_NOW_UNTIL = 180, 545
AWAY = (176, 197)
"""The first and the last day on which the deputy stands in for the head."""

SECONDEE_LEFT_ON = 300


def by_the_admin(calendar: Calendar, admin: Actor) -> Iterator[Act]:
    """The head of the office, who appoints the others, and the auditor, whom the office does not appoint itself.

    And in the year, to forget who somebody was.
    """
    for who, role in _BY_THE_ADMIN:
        body = appointed(who, role, calendar.on(0))
        yield Act(0, admin, "portfolio", "POST", "/appointments", body, ENTERPRISE, "The office begins")
    yield from erased(admin)


def people(calendar: Calendar) -> Chapter:
    """Those who are there from the first day, those who stand in, stay on and leave."""
    return [*registered(), *_from_the_first_day(calendar), *_in_the_year(calendar), *changed()]


def _from_the_first_day(calendar: Calendar) -> Iterator[Act]:
    bodies = [
        *(appointed(who, role, calendar.on(0)) for who, role in _AT_THE_ENTERPRISE),
        *(appointed(person(title), role, calendar.on(0), unit_id=unit_id(unit)) for title, role, unit in _AT_UNITS),
        appointed(TRAINEE, "project_support", calendar.on(0), calendar.on(TRAINEE_UNTIL), unit_id=unit_id("COR")),
    ]
    for body in bodies:
        yield Act(0, LEAD, "portfolio", "POST", "/appointments", body, ENTERPRISE, "The office begins")


def _in_the_year(calendar: Calendar) -> Iterator[Act]:
    first, last = AWAY
    trainee = {"from_on": calendar.on(0), "until_on": calendar.on(TRAINEE_NOW_UNTIL)}
    deputy = {
        "appointment_id": appointment_id(DEPUTY),
        "person_id": str(DEPUTY.id),
        "from_on": calendar.on(first),
        "until_on": calendar.on(last),
    }
    stays, leave = "Stays until the premises are ready", "Three weeks of leave"
    yield Act(TRAINEE_UNTIL - 8, LEAD, "portfolio", "PUT", _path(TRAINEE, "term"), trainee, ENTERPRISE, stays)
    yield Act(first - 3, LEAD, "portfolio", "POST", _path(LEAD, "delegations"), deputy, ENTERPRISE, leave)
    left = {"reason": "Went back to Zurich"}
    yield Act(SECONDEE_LEFT_ON, LEAD, "portfolio", "POST", _path(SECONDEE, "end"), left, ENTERPRISE)


def _path(who: Actor, what: str) -> str:
    return f"/appointments/{appointment_id(who)}/{what}"
