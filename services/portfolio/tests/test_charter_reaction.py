"""An approved pitch becomes a project, through the log of intake, against a real database."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import httpx

from steerco_events.contracts.intake import PitchApproved, PitchSubmitted
from steerco_events.contracts.portfolio import ProjectChartered, ProjectCharterRefused
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id, new_id
from steerco_service.testkit.serving import Served

LICENSING = derived_id("unit", "LIC")


def approved(code: str, unit_id: UUID = LICENSING) -> PitchApproved:
    return PitchApproved(pitch_id=new_id(), title="An idea", unit_id=unit_id, project_code=code, currency="EUR")


async def told(served: Served, *events: PitchApproved | PitchSubmitted, reason: str | None = None) -> None:
    """Returns when portfolio has reacted."""
    for event in events:
        await served.append("intake", f"pitch-{event.pitch_id}", event, reason=reason)
    await served.settled()


def project_id(pitch: PitchApproved) -> UUID:
    return derived_id("project", pitch.pitch_id)


async def project_of(portfolio: httpx.AsyncClient, pitch: PitchApproved) -> httpx.Response:
    return await portfolio.get(f"/projects/{project_id(pitch)}")


async def stream_of(served: Served, pitch: PitchApproved) -> Sequence[Recorded]:
    runtime = served.runtime("portfolio")
    async with runtime.engine.connect() as connection:
        return await runtime.store.read_events(connection, f"project-{project_id(pitch)}")


async def registered(portfolio: httpx.AsyncClient, code: str) -> None:
    body = {"code": code, "title": "Another", "unit_id": str(LICENSING), "currency": "EUR"}
    answer = await portfolio.post("/projects", json=body | {"source": "register", "reference": code})
    assert answer.status_code == 201, answer.text


async def unit_closed(portfolio: httpx.AsyncClient, code: str) -> UUID:
    body = {"code": code, "name": code, "kind": "department", "parent_id": str(LICENSING)}
    opened = await portfolio.post("/units", json=body)
    closed = await portfolio.post(f"{opened.headers['Location']}/closure", json={"reason": "Merged"})
    assert closed.status_code == 204, closed.text
    return UUID(opened.json()["id"])


async def test_an_approved_pitch_becomes_a_project_with_the_reason_of_the_approval(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    pitch = approved("PITCH-1")
    await told(served, pitch, reason="It pays back")
    answer = (await project_of(portfolio, pitch)).json()
    assert {
        "code": "PITCH-1",
        "title": "An idea",
        "unit_id": str(LICENSING),
        "currency": "EUR",
        "state": "chartered",
        "pitch_id": str(pitch.pitch_id),
        "source": None,
    }.items() <= answer.items()
    (event,) = await stream_of(served, pitch)
    assert (event.reason, event.actor.job_title) == ("It pays back", "reaction charter_project_on_pitch_approved")
    intake = served.runtime("intake")
    async with intake.engine.connect() as connection:
        (cause,) = await intake.store.read_events(connection, f"pitch-{pitch.pitch_id}")
    assert (event.causation_id, event.correlation_id) == (cause.id, cause.correlation_id)


async def test_an_approval_that_comes_twice_is_one_project(served: Served, portfolio: httpx.AsyncClient) -> None:
    pitch = approved("PITCH-2")
    await told(served, pitch, pitch)
    await told(served, pitch, replace(pitch, project_code="PITCH-2B"))
    assert [event.payload.code for event in await stream_of(served, pitch)] == ["PITCH-2"]
    assert (await portfolio.get("/projects", params={"code": "PITCH-2B"})).json() == []


async def test_a_pitch_that_is_not_approved_is_no_project(served: Served, portfolio: httpx.AsyncClient) -> None:
    pitch = approved("PITCH-3")
    submitted = PitchSubmitted(
        pitch_id=pitch.pitch_id,
        title=pitch.title,
        unit_id=pitch.unit_id,
        project_code=pitch.project_code,
        currency=pitch.currency,
        template="project-pitch",
        template_version=1,
        fields={},
        organization_version=3,
    )
    await told(served, submitted)
    assert (await project_of(portfolio, pitch)).status_code == 404
    assert await stream_of(served, pitch) == []


async def test_a_code_that_is_taken_is_recorded_and_stops_no_later_pitch(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    await registered(portfolio, "TAKEN-1")
    refused, later = approved("taken-1"), approved("FREE-1")
    await told(served, refused, later)
    assert (await project_of(portfolio, refused)).status_code == 404
    (event,) = await stream_of(served, refused)
    assert event.payload == ProjectCharterRefused(
        project_id=project_id(refused),
        pitch_id=refused.pitch_id,
        refusal="ProjectCodeInUse",
        detail="another project has the code 'taken-1'",
    )
    assert event.actor.job_title == "reaction charter_project_on_pitch_approved"
    assert (await project_of(portfolio, later)).json()["code"] == "FREE-1"


async def test_of_two_pitches_for_one_code_the_first_has_it(served: Served, portfolio: httpx.AsyncClient) -> None:
    first, second = approved("TWINS-1"), approved("TWINS-1")
    await told(served, first)
    await told(served, second)
    assert [(await project_of(portfolio, pitch)).status_code for pitch in (first, second)] == [200, 404]


async def test_a_closed_or_unknown_unit_is_recorded_and_stops_no_later_pitch(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    closed = approved("CLOSED-1", await unit_closed(portfolio, "LIC-closed"))
    unknown, later = approved("UNKNOWN-1", new_id()), approved("FREE-2")
    await told(served, closed, unknown, later)
    refusals = [event.payload for pitch in (closed, unknown) for event in await stream_of(served, pitch)]
    assert [(refusal.refusal, refusal.detail) for refusal in refusals] == [
        ("NoSuchUnit", "the unit LIC-closed was closed"),
        ("NoSuchUnit", "no unit has this id"),
    ]
    assert (await project_of(portfolio, later)).json()["code"] == "FREE-2"


async def test_a_refused_charter_takes_no_code(served: Served, portfolio: httpx.AsyncClient) -> None:
    refused, later = approved("AGAIN-1", await unit_closed(portfolio, "LIC-again")), approved("AGAIN-1")
    await told(served, refused)
    await told(served, later)
    assert (await project_of(portfolio, later)).json()["code"] == "AGAIN-1"


async def test_an_approval_that_comes_twice_is_refused_once(served: Served, portfolio: httpx.AsyncClient) -> None:
    await registered(portfolio, "TAKEN-2")
    pitch = approved("TAKEN-2")
    await told(served, pitch)
    await told(served, pitch)
    assert [type(event.payload) for event in await stream_of(served, pitch)] == [ProjectCharterRefused]


async def test_a_later_approval_of_a_refused_pitch_under_another_code_is_a_project(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    await registered(portfolio, "TAKEN-3")
    pitch = approved("TAKEN-3")
    await told(served, pitch)
    await told(served, replace(pitch, project_code="FREE-3"))
    assert [type(event.payload) for event in await stream_of(served, pitch)] == [
        ProjectCharterRefused,
        ProjectChartered,
    ]
    assert (await project_of(portfolio, pitch)).json()["code"] == "FREE-3"


async def test_a_command_on_a_project_whose_charter_was_refused_says_why_it_is_not_there(
    served: Served, portfolio: httpx.AsyncClient
) -> None:
    await registered(portfolio, "TAKEN-4")
    pitch = approved("TAKEN-4")
    await told(served, pitch)
    answer = await portfolio.post(f"/projects/{project_id(pitch)}/transition", json={"to": "planning"})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-project")
    assert answer.json()["detail"].endswith("another project has the code 'TAKEN-4'")
