"""Pitches over HTTP, against a real database."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from steerco_events.contracts import portfolio
from steerco_events.ids import new_id
from steerco_intake.app import SERVICE
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import Served, log_only, serving

UNIT, CLOSED = new_id(), new_id()
FIELDS = {"problem": "Paper.", "outcome": "One register.", "sponsor": "Director of Licensing"}
FIT = {"note": "fit"}


@pytest.fixture(scope="module")
async def served(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([SERVICE, log_only("portfolio")], postgres) as running:
        await running.append(
            "portfolio",
            "organization",
            portfolio.UnitOpened(unit_id=UNIT, code="LIC", name="Licensing", kind="enterprise"),
            portfolio.UnitOpened(unit_id=CLOSED, code="OLD", name="Closed", kind="business_unit", parent_id=UNIT),
            portfolio.UnitClosed(unit_id=CLOSED),
        )
        await running.settled()
        yield running


@pytest.fixture(scope="module")
async def intake(served: Served) -> httpx.AsyncClient:
    return await served.client("intake")


def pitch(**changes: object) -> dict[str, Any]:
    return {
        "title": "Licence register on line",
        "unit_id": str(UNIT),
        "project_code": "LIC-01",
        "currency": "EUR",
        "fields": FIELDS,
    } | changes


def decision(outcome: str, until_on: str | None = None) -> dict[str, str]:
    return {"outcome": outcome, "reason": f"{outcome} for a reason"} | ({"until_on": until_on} if until_on else {})


async def submitted(intake: httpx.AsyncClient, **changes: object) -> str:
    answer = await intake.post("/pitches", json=pitch(**changes))
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["Location"]
    return location


async def done(intake: httpx.AsyncClient, location: str, what: str, body: object) -> str:
    answer = await intake.post(f"{location}/{what}", json=body)
    assert answer.status_code == 204, answer.text
    token: str = answer.headers["Consistency-Token"]
    return token


async def test_a_pitch_is_submitted_screened_and_approved(intake: httpx.AsyncClient) -> None:
    location = await submitted(intake)
    screened = await intake.post(f"{location}/screening", json=FIT, headers={"If-Match": '"1"'})
    assert (screened.status_code, screened.headers["ETag"]) == (204, '"2"')
    await done(intake, location, "decision", decision("approved"))
    answer = await intake.get(location)
    assert (answer.json()["state"], answer.json()["reason"]) == ("approved", "approved for a reason")
    assert (answer.json()["note"], answer.headers["ETag"]) == ("fit", '"3"')


async def test_one_pitch_is_answered_with_all_that_it_says(intake: httpx.AsyncClient) -> None:
    location = await submitted(intake, estimated_cost={"amount": "125000", "currency": "EUR"})
    answer = (await intake.get(location)).json()
    assert answer.pop("submitted_at").endswith("Z")
    assert answer.pop("actions")
    assert answer == pitch(
        pitch_id=location.removeprefix("/pitches/"),
        estimated_cost={"amount": "125000.00", "currency": "EUR"},
        template="project-pitch",
        template_version=1,
        state="submitted",
        note=None,
        until_on=None,
        reason=None,
    )


async def test_a_pitch_says_what_may_be_done_with_it_and_why_the_rest_may_not(intake: httpx.AsyncClient) -> None:
    location = await submitted(intake)
    actions = (await intake.get(location)).json()["actions"]
    assert [(each["name"], each["body"]) for each in actions if each["is_allowed"]] == [
        ("screen_pitch", {}),
        ("decide_pitch", {"outcome": "returned"}),
        ("withdraw_pitch", {}),
    ]
    assert actions[0] == {
        "name": "resubmit_pitch",
        "method": "PUT",
        "href": location,
        "body": {},
        "is_allowed": False,
        "because": "the pitch is submitted, so it can't be submitted again",
        "type": "urn:steerco:problem:pitch-in-another-state",
    }


async def test_a_returned_pitch_is_mended_submitted_again_and_withdrawn(intake: httpx.AsyncClient) -> None:
    location = await submitted(intake)
    await done(intake, location, "decision", decision("returned"))
    mended = pitch(title="A register", fields=FIELDS | {"approach": "Buy.\nAdapt."})
    again = await intake.put(location, json=mended, headers={"If-Match": '"2"'})
    assert (again.status_code, again.headers["ETag"]) == (204, '"3"')
    answer = (await intake.get(location)).json()
    assert (answer["state"], answer["title"], answer["reason"]) == ("submitted", "A register", None)
    assert answer["fields"]["approach"] == "Buy.\nAdapt."
    assert (await intake.put(location, json=mended)).headers["ETag"] == '"3"'
    await done(intake, location, "withdrawal", {"reason": "Another unit does it"})
    assert (await intake.get(location)).json()["state"] == "withdrawn"
    refused = await intake.put(location, json=pitch())
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:steerco:problem:pitch-in-another-state")
    assert refused.json()["detail"] == "the pitch is withdrawn, so it can't be submitted again"


async def test_a_deferred_pitch_waits_until_its_day_and_is_then_decided(intake: httpx.AsyncClient) -> None:
    location = await submitted(intake)
    await done(intake, location, "screening", FIT)
    for day in ("2999-01-01", "2999-02-01"):
        await done(intake, location, "decision", decision("deferred", day))
        assert (await intake.get(location)).json()["until_on"] == day
    await done(intake, location, "decision", decision("rejected"))
    answer = (await intake.get(location)).json()
    assert (answer["state"], answer["until_on"], answer["reason"]) == ("rejected", None, "rejected for a reason")


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        (decision("deferred"), "invalid-request", "say until which day the decision is deferred"),
        (decision("deferred", "2020-01-01"), "date-not-ahead", "2020-01-01 is not after today"),
        (decision("approved", "2999-01-01"), "invalid-request", "only a deferral has a day"),
    ],
)
async def test_a_deferral_and_no_other_decision_has_a_day_ahead(
    intake: httpx.AsyncClient, body: object, code: str, detail: str
) -> None:
    location = await submitted(intake)
    await done(intake, location, "screening", FIT)
    answer = await intake.post(f"{location}/decision", json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, f"urn:steerco:problem:{code}")
    assert answer.json()["errors"][0]["pointer"] == "/until_on"
    assert detail in answer.json()["detail"]


def cost(amount: object, currency: str = "EUR") -> dict[str, object]:
    return {"estimated_cost": {"amount": amount, "currency": currency}}


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        ({"unit_id": str(new_id())}, "/unit_id", "no open unit has this id"),
        ({"unit_id": str(CLOSED)}, "/unit_id", "no open unit has this id"),
        ({"unit_id": "LIC"}, "/unit_id", "valid UUID"),
        ({"template": "memo"}, "/template", "there is no template 'memo' version 1"),
        ({"template_version": 2}, "/template_version", "there is project-pitch version 1"),
        ({"template_version": "1"}, "/template_version", "valid integer"),
        ({"template_version": 0}, "/template_version", "greater than or equal to 1"),
        ({"fields": {}}, "/fields/problem", "Say which problem or opportunity the project answers."),
        ({"fields": FIELDS | {"sponsor": " "}}, "/fields/sponsor", "Name the job title of the sponsor."),
        ({"fields": FIELDS | {"sponsor": "x" * 201}}, "/fields/sponsor", "the limit is 200"),
        ({"fields": FIELDS | {"start_on": "1.4.2026"}}, "/fields/start_on", "is a date such as 2026-03-31"),
        ({"fields": FIELDS | {"colour": "red"}}, "/fields/colour", "has no field 'colour'"),
        ({"fields": FIELDS | {"problem": 7}}, "/fields/problem", "valid string"),
        ({"title": "x" * 201}, "/title", "at most 200"),
        ({"project_code": "LIC 01"}, "/project_code", "a code is 1 to 60 letters"),
        ({"currency": "EURO"}, "/currency", "is not an ISO 4217 currency code"),
        ({"currency": "XYZ"}, "/currency", "is not an ISO 4217 currency code"),
        (cost("1", "USD"), "/estimated_cost/currency", "the project is in EUR, the estimate in USD"),
        (cost("-0.01"), "/estimated_cost/amount", "a cost is not negative"),
        (cost(1250.5), "/estimated_cost/amount", "valid string"),
        (cost("NaN"), "/estimated_cost/amount", "an amount is decimal text"),
        (cost("1e3"), "/estimated_cost/amount", "an amount is decimal text"),
        (cost("1.005"), "/estimated_cost/amount", "EUR has 2 decimals"),
        (cost("1" + "0" * 15), "/estimated_cost/amount", "an amount is smaller than 10^15"),
        ({"colour": "red"}, "/colour", "Extra inputs are not permitted"),
    ],
)
async def test_a_pitch_that_breaks_a_rule_is_refused_by_field_and_rule(
    intake: httpx.AsyncClient, changes: dict[str, object], pointer: str, detail: str
) -> None:
    answer = await intake.post("/pitches", json=pitch(**changes))
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json"), answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert detail in answer.json()["errors"][0]["detail"]


async def test_money_that_is_no_number_of_json_is_not_json(intake: httpx.AsyncClient) -> None:
    for amount in ("NaN", "Infinity", "1e400"):
        content = f'{{"estimated_cost": {{"amount": {amount}, "currency": "EUR"}}}}'
        answer = await intake.post("/pitches", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422)
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("amount", ["0", "0.1", "999999999999999.99"])
async def test_a_cost_is_kept_to_the_cent(intake: httpx.AsyncClient, amount: str) -> None:
    kept = (await intake.get(await submitted(intake, **cost(amount)))).json()["estimated_cost"]["amount"]
    assert kept == {"0": "0.00", "0.1": "0.10"}.get(amount, amount)


@pytest.mark.parametrize(
    ("method", "what", "body"),
    [
        ("GET", "", None),
        ("PUT", "", pitch()),
        ("POST", "/screening", FIT),
        ("POST", "/decision", decision("approved")),
        ("POST", "/withdrawal", {"reason": "none"}),
    ],
)
async def test_what_is_done_to_a_pitch_is_done_to_one_that_there_is(
    intake: httpx.AsyncClient, method: str, what: str, body: object
) -> None:
    answer = await intake.request(method, f"/pitches/{new_id()}{what}", json=body)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-pitch")


async def test_the_template_of_a_pitch_can_be_read(intake: httpx.AsyncClient) -> None:
    (template,) = (await intake.get("/templates")).json()
    assert (template["name"], template["version"]) == ("project-pitch", 1)
    required = [field["name"] for field in template["fields"] if field["required"]]
    assert required == ["problem", "outcome", "sponsor"]
