"""A question about events that can't be answered is refused, and told what is wrong with it."""

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.serving import log_only, serving

RAISED = "steerco.risk.risk-raised"


@pytest.fixture(scope="module")
async def feed(postgres: TemporaryPostgres) -> AsyncIterator[httpx.AsyncClient]:
    async with serving([log_only("risk")], postgres) as served:
        yield await served.client("risk")


@pytest.mark.parametrize("accept", ["text/html", "application/xml, image/*", "application/json;q=0", "nonsense"])
async def test_another_form_is_not_acceptable(feed: httpx.AsyncClient, accept: str) -> None:
    answer = await feed.get("/events", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["type"]) == (406, "urn:steerco:problem:not-acceptable")


@pytest.mark.parametrize(
    ("query", "status", "code", "named"),
    [
        ("after=-1", 400, "malformed-cursor", ["after: ", "1.2500", "'-1'"]),
        ("after=", 400, "malformed-cursor", ["after: ", "''"]),
        ("after=x", 400, "malformed-cursor", ["after: ", "'x'"]),
        ("after=1.2.3", 400, "malformed-cursor", ["'1.2.3'"]),
        ("after=1.-2", 400, "malformed-cursor", ["'1.-2'"]),
        ("after=%D9%A1", 400, "malformed-cursor", ["after: "]),
        ("after=%00", 400, "malformed-cursor", ["after: "]),
        ("after=1.9223372036854775808", 400, "malformed-cursor", ["1.9223372036854775808"]),
        ("after=2026-03-31T12:00:00", 400, "malformed-cursor", ["zone"]),
        ("after=2999-01-01T00:00:00Z", 400, "malformed-cursor", ["after: ", "future"]),
        ("after=0.1", 400, "unknown-generation", ["after: ", "1 to 1", "not 0"]),
        ("after=2.1", 400, "unknown-generation", ["after: ", "1 to 1", "not 2"]),
        ("limit=0", 422, "invalid-request", ["/limit", "'0'"]),
        ("limit=1001", 422, "invalid-request", ["/limit", "1000"]),
        ("limit=x", 422, "invalid-request", ["/limit"]),
        ("wait=31", 422, "invalid-request", ["/wait", "30"]),
        ("wait=-1", 422, "invalid-request", ["/wait"]),
        ("unit=LIC", 422, "invalid-request", ["/unit/0", "'LIC'"]),
        ("subject=", 422, "invalid-request", ["/subject/0"]),
        ("subject=a%00b", 422, "invalid-request", ["/subject/0", "control characters"]),
        ("type=risk-raised", 422, "unknown-event-type", ["'risk-raised'"]),
        ("type=steerco.risk.risk-raise", 422, "unknown-event-type", ["'steerco.risk.risk-raise'", RAISED]),
        (f"type={RAISED}&type=steerco.finance.budget-baselined", 422, "unknown-event-type", ["budget-baselined"]),
        ("typ=steerco.risk.risk-raised", 422, "unknown-parameter", ["'typ'", "type"]),
        ("Unit=", 422, "unknown-parameter", ["'Unit'"]),
        ("after=1&after=2", 422, "repeated-parameter", ["after"]),
    ],
)
async def test_a_wrong_question_names_the_parameter_the_rule_and_the_value(
    feed: httpx.AsyncClient, query: str, status: int, code: str, named: Sequence[str]
) -> None:
    answer = await feed.get(f"/events?{query}")
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"urn:steerco:problem:{code}")
    for each in named:
        assert each in problem["detail"]
    assert problem["errors"]
