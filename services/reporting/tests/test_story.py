"""The story of a project: from its pitch to today, across the services, who did it and why."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_service.identity.principal import Principal
from steerco_service.testkit.serving import TESTER, Served

MANAGER = derived_id("person", "manager")

type Answer = dict[str, Any]


async def story(reporting: httpx.AsyncClient, project: str, as_of: str | None = None) -> Answer:
    answer = await reporting.get(f"/stories/{project}", params={"as_of": as_of} if as_of else {})
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


def told(answer: Answer) -> Sequence[tuple[str, str, str]]:
    """Day, service and sentence of each line."""
    return [(line["at"][:10], line["service"], line["what"]) for line in answer["lines"]]


async def test_a_story_begins_with_the_pitch_and_goes_through_the_services_in_order(
    reporting: httpx.AsyncClient,
) -> None:
    assert told(await story(reporting, "WEB-1")) == [
        (
            "2025-01-15",
            "intake",
            'Pitch "Licences on line" submitted for WEB-1, estimated at 300,000.00 EUR, in LIC-web',
        ),
        ("2025-01-20", "intake", "Pitch screened"),
        ("2025-01-22", "intake", "Pitch approved"),
        ("2025-01-22", "portfolio", 'Chartered as WEB-1 "Licences on line" (EUR), in LIC-web'),
        ("2025-02-03", "finance", "Budget baselined: fiscal year 2025 cost 300.00 EUR (baseline 1)"),
        ("2025-02-10", "finance", "Forecast made: whole-life cost 310.00 EUR"),
    ]


async def test_a_story_tells_of_money_people_risks_and_training_by_name(reporting: httpx.AsyncClient) -> None:
    assert told(await story(reporting, "R-1"))[7:] == [
        ("2025-04-03", "finance", "Cost posted: 120.50 EUR incurred on 2025-03-01 (ledger right)"),
        ("2025-04-03", "finance", "Cost posted: 9.00 EUR incurred on 2025-03-01 (ledger wrong)"),
        ("2025-04-03", "finance", "Posting reversed: ledger wrong"),
        ("2025-05-11", "portfolio", "Delivery confidence rated red by IPA"),
        ("2025-05-11", "portfolio", "Delivery confidence rated green by SRO"),
        (
            "2025-05-11",
            "portfolio",
            "Dates stated: start 2025-09-01, end 2025-03-01; they contradict each other",
        ),
        ("2025-05-11", "portfolio", "Project manager appointed from 2025-05-12"),
        ("2025-05-12", "training", "Project manager owes the course PM-101 by 2025-08-01"),
        ("2025-05-12", "training", "Project manager owes the course PM-102 by 2025-08-01"),
        ("2025-05-12", "training", "Project manager owes the course PM-103 by 2025-05-16"),
        (
            "2025-05-13",
            "risk",
            "Risk raised: the supplier fails (because of one supplier; effect: a year is lost)",
        ),
        ("2025-05-14", "risk", "Risk rated high (probability 3, impact 5): the supplier fails"),
        ("2025-05-16", "risk", "Risk raised: the supplier fails (because of one supplier; effect: a year is lost)"),
        ("2025-05-16", "risk", "Risk closed: the supplier fails"),
        ("2025-05-17", "training", "Training obligation of 2025-05-16 fell overdue: PM-103"),
        ("2025-05-20", "training", "Training obligation fulfilled: PM-102"),
    ]


async def test_a_move_names_both_units(reporting: httpx.AsyncClient) -> None:
    assert ("2025-04-15", "portfolio", "Moved from LIC-reg to SUP-insp") in told(await story(reporting, "R-2"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("auditor", "Moved from LIC-reg to SUP-insp"), ("controller", "Moved to SUP-insp"), ("lead", "Moved")],
    ids=["both are", "one is", "none is"],
)
async def test_units_that_are_not_there_for_the_reader_are_not_named(served: Served, name: str, sentence: str) -> None:
    reader = Principal(Actor(derived_id("person", name), name), "tests")
    lines = told(await story(await served.client("reporting", reader), "R-2"))
    assert ("2025-04-15", "portfolio", sentence) in lines
    assert lines[0][2].endswith(", in LIC-reg") == ("LIC-reg" in sentence)


async def test_appointments_at_a_project_are_told_by_role(reporting: httpx.AsyncClient) -> None:
    appointed = ("2025-02-01", "portfolio", "Appointed as project support from 2025-02-01")
    changed = "Appointment changed to be from 2025-02-01 until 2025-05-31: project support"
    lines = told(await story(reporting, "U-1"))
    assert (lines[1], lines[-1]) == (appointed, ("2025-05-21", "portfolio", changed))


async def test_words_in_a_ratings_place_and_a_rating_that_was_taken_back_are_told(reporting: httpx.AsyncClient) -> None:
    assert [what for _, _, what in told(await story(reporting, "R-2"))[-3:]] == [
        'Delivery confidence rated undisclosed ("Exempt under the law") by IPA',
        "Delivery confidence rated green by SRO",
        "Delivery confidence rating taken back by SRO",
    ]


async def test_a_withheld_figure_is_told_in_its_own_words(reporting: httpx.AsyncClient) -> None:
    sentence = 'Budget baselined: whole-life cost undisclosed ("Exempt under the law") (baseline 1)'
    assert told(await story(reporting, "R-2"))[2] == ("2025-02-03", "finance", sentence)


async def test_every_line_tells_who_did_it_and_why_if_they_said_so(reporting: httpx.AsyncClient) -> None:
    lines = (await story(reporting, "WEB-1"))["lines"] + (await story(reporting, "R-1"))["lines"]
    assert {(line["who"]["actor_id"], line["who"]["job_title"]) for line in lines} == {
        (str(TESTER.actor.id), TESTER.actor.job_title)
    }
    assert {line["what"]: line["why"] for line in lines if line["why"]} == {
        "Pitch approved": "Pays back within two years",
        "Forecast made: whole-life cost 1,200.00 EUR": "Steel is dearer",
        "Risk rated high (probability 3, impact 5): the supplier fails": "After the audit",
    }
    assert len({line["event_id"] for line in lines}) == len(lines)


async def test_a_line_tells_on_whose_behalf_it_was(reporting: httpx.AsyncClient) -> None:
    behalf = {line["what"]: line["who"]["on_behalf_of"] for line in (await story(reporting, "R-1"))["lines"]}
    assert {what: person for what, person in behalf.items() if person} == {
        "Risk rated high (probability 3, impact 5): the supplier fails": str(MANAGER)
    }


async def test_a_story_is_found_by_the_projects_code_and_by_its_id(reporting: httpx.AsyncClient) -> None:
    by_code = await story(reporting, "R-2")
    by_id = await story(reporting, by_code["project_id"])
    in_capitals = await story(reporting, by_code["project_id"].upper())
    for found in (by_id, in_capitals):
        assert (found["code"], found["lines"]) == ("R-2", by_code["lines"])


async def test_a_story_as_of_an_instant_ends_there_and_the_project_is_as_it_was(reporting: httpx.AsyncClient) -> None:
    (moved,) = [line["at"] for line in (await story(reporting, "R-2"))["lines"] if line["at"].startswith("2025-04-15")]
    a_moment_before = (datetime.fromisoformat(moved) - timedelta(microseconds=1)).isoformat()
    before = await story(reporting, "R-2", a_moment_before)
    after = await story(reporting, "R-2", moved)
    assert (before["unit_code"], len(before["lines"])) == ("LIC-reg", 3)
    assert (after["unit_code"], len(after["lines"])) == ("SUP-insp", 4)
    assert after["lines"][:3] == before["lines"]
    assert after["sources"]["portfolio"]["position"] == before["sources"]["portfolio"]["position"] + 1


async def test_another_projects_events_are_no_part_of_a_story(reporting: httpx.AsyncClient) -> None:
    found = {code: await story(reporting, code) for code in ("WEB-1", "R-1", "R-2", "U-1", "D-1")}
    of_each = [{line["event_id"] for line in answer["lines"]} for answer in found.values()]
    assert len(set().union(*of_each)) == sum(len(ids) for ids in of_each)
    assert told(found["D-1"]) == [
        ("2025-01-25", "portfolio", 'Taken over from register (D-1) as D-1 "D-1 by title", executing, in SUP'),
        ("2025-02-03", "finance", "Budget baselined: whole-life cost not stated (baseline 1)"),
    ]


@pytest.mark.parametrize(
    ("project", "as_of"),
    [
        ("R-9", None),
        ("6f0d2c1e-7c5b-5b0e-9a59-3d0f6b8f6a10", None),
        ("R-1", "2025-01-25T11:59:59Z"),
        ("WEB-1", "2025-01-22T11:59:59Z"),
    ],
)
async def test_what_was_no_project_yet_has_no_story(
    reporting: httpx.AsyncClient, project: str, as_of: str | None
) -> None:
    answer = await reporting.get(f"/stories/{project}", params={"as_of": as_of} if as_of else {})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-project")
    assert project in answer.json()["detail"]
