"""What of an event a deployment for a unit gets: all until its subject leaves; of units above what binds, bare."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from steerco_events.contracts import intake, portfolio, risk
from steerco_events.contracts.catalog import CATALOG
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.testkit.recorded import BEGIN, log_of
from steerco_service.scoped.holding import Crossing, Holding
from steerco_service.scoped.sharing import DENSE, told, told_crossing
from steerco_service.scoped.stays import Stay, Stays, person_subject, project_subject, unit_subject

UNIT, ABOVE, ELSEWHERE = (derived_id("unit", n) for n in range(3))
PROJECT, PITCH, PERSON, APPOINTMENT = (derived_id(each) for each in ("project", "pitch", "person", "appointment"))
CLOSED = risk.RiskClosed(risk_id=derived_id("risk"), project_id=PROJECT)
NOW = BEGIN + timedelta(days=1)
LEFT_AT = BEGIN + timedelta(seconds=30)


def event(payload: Payload, *units: UUID, seconds: int = 0) -> Recorded:
    (made,) = log_of([[("stream", payload)]], registry=CATALOG)
    return replace(made, org_units=units, sealed_at=BEGIN + timedelta(seconds=seconds), reason="Because")


def holding(inside: Stays, above: Stays | None = None) -> Holding:
    return Holding(NOW, inside, above or {}, {APPOINTMENT: project_subject(PROJECT)})


STAYED = holding({project_subject(PROJECT): [Stay(BEGIN + timedelta(seconds=10), LEFT_AT)]})


@pytest.mark.parametrize(("seconds", "share"), [(5, "whole"), (20, "whole"), (30, "whole"), (31, None)])
def test_a_subject_brings_its_history_and_takes_its_future_along(seconds: int, share: str | None) -> None:
    assert STAYED.share(event(CLOSED, ELSEWHERE, seconds=seconds)) == share


def test_between_two_stays_is_history_too() -> None:
    again = Stay(BEGIN + timedelta(seconds=60))
    came_back = holding({project_subject(PROJECT): [*STAYED.inside[project_subject(PROJECT)], again]})
    assert came_back.share(event(CLOSED, ELSEWHERE, seconds=45)) == "whole"


def test_a_project_is_judged_by_where_it_is_not_by_the_stamp() -> None:
    assert holding({unit_subject(UNIT): [Stay(BEGIN)]}).share(event(CLOSED, UNIT)) is None


@pytest.mark.parametrize(
    ("payload", "subject"),
    [
        (portfolio.UnitRenamed(unit_id=UNIT, name="n"), unit_subject(UNIT)),
        (portfolio.PersonErased(person_id=PERSON), person_subject(PERSON)),
        (portfolio.AppointmentEnded(appointment_id=APPOINTMENT), project_subject(PROJECT)),
        (portfolio.ProjectClosed(project_id=PROJECT), project_subject(PROJECT)),
        (intake.PitchScreened(pitch_id=PITCH, note=""), project_subject(derived_id("project", PITCH))),
        (intake.PitchScreened(pitch_id=PITCH, note=""), unit_subject(ELSEWHERE)),
    ],
)
def test_each_kind_of_event_has_its_subject(payload: Payload, subject: str) -> None:
    assert holding({subject: [Stay(BEGIN)]}).share(event(payload, ELSEWHERE)) == "whole"


def test_an_appointment_everywhere_is_nobodys_below() -> None:
    ended = portfolio.AppointmentEnded(appointment_id=derived_id("of the enterprise"))
    assert holding({unit_subject(UNIT): [Stay(BEGIN)]}).share(event(ended, UNIT)) is None


def test_of_a_unit_above_comes_what_binds_below_without_name_and_code_and_who_said_it() -> None:
    opened = portfolio.UnitOpened(unit_id=ABOVE, code="ABOVE", name="Above by name", kind="business_unit")
    binding = event(opened, ABOVE)
    known = holding({unit_subject(UNIT): [Stay(BEGIN)]}, {unit_subject(ABOVE): [Stay(BEGIN)]})
    assert known.share(binding) == "bare"
    said = msgspec.json.encode(told(binding, "bare", shows_people=True)).decode()
    for mark in ("ABOVE", "Above", "Because", str(binding.actor.id), binding.actor.job_title, str(binding.id)):
        assert mark not in said
    assert str(ABOVE) in said
    assert known.share(event(portfolio.UnitRenamed(unit_id=ABOVE, name="n"), ABOVE)) is None


def test_numbers_that_count_what_happens_elsewhere_are_left_out() -> None:
    whole = told(event(CLOSED, UNIT), "whole", shows_people=True)
    assert not set(DENSE) & whole.keys()
    assert whole["type"] == "steerco.risk.risk-closed"


def test_who_may_not_see_people_is_told_which_fields_are_missing() -> None:
    registered = event(portfolio.PersonRegistered(person_id=PERSON, unit_id=UNIT, name="secret"), UNIT)
    said = told(registered, "whole", shows_people=False)
    assert (said["withheld"], "name" in said["data"]) == ("name email", False)
    assert "withheld" not in told(registered, "whole", shows_people=True)


def test_what_entered_and_left_after_an_instant_is_told_in_order() -> None:
    subject = project_subject(PROJECT)
    since = BEGIN + timedelta(seconds=10)
    both = [Crossing(subject, "entered", since), Crossing(subject, "left", LEFT_AT)]
    assert STAYED.crossed(BEGIN) == both
    assert STAYED.crossed(since) == both[1:]
    assert STAYED.crossed(LEFT_AT) == []
    first, second = (told_crossing("risk", each) for each in both)
    assert (first["type"], second["type"]) == ("steerco.scope.entered", "steerco.scope.left")
    assert first["id"] != second["id"]
