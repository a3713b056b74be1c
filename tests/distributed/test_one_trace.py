"""One command, followed across the processes of four services by what they send to a collector."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from tests.distributed.collected import Sent
from tests.distributed.conftest import Distributed
from tests.distributed.processes import environments
from tests.editions.watching import root_of

SECRETS = ("Licence register", "LIC-77", "Ada Lovelace", "two years", "1250.50")
INTAKE, PORTFOLIO = "steerco.intake.events.v1", "steerco.portfolio.events.v1"
DECISION = "POST /pitches/{pitch_id}/decision"
CHARTERING = "charter_project_on_pitch_approved"
PRODUCER, CONSUMER, SERVER = 4, 5, 2

pytestmark = pytest.mark.kafka

type Step = tuple[str, str, str]
"""Which service, in which role, did what."""

LEADS_TO: set[Step] = {
    ("steerco-proxy", "", "POST"),
    ("steerco-intake", "api", DECISION),
    ("steerco-intake", "api", "handle ApprovePitch"),
    ("steerco-intake", "api", "append"),
    ("steerco-intake", "worker", "seal"),
    ("steerco-intake", "worker", f"send {INTAKE}"),
    ("steerco-intake", "worker", f"process {INTAKE}"),
    ("steerco-portfolio", "worker", f"process {INTAKE}"),
    ("steerco-portfolio", "worker", "append"),
    ("steerco-portfolio", "worker", "seal"),
    ("steerco-portfolio", "worker", f"send {PORTFOLIO}"),
    ("steerco-portfolio", "worker", f"process {PORTFOLIO}"),
    ("steerco-training", "worker", f"process {PORTFOLIO}"),
    ("steerco-reporting", "worker", f"process {PORTFOLIO}"),
}


@dataclass(frozen=True)
class Followed:
    """What was sent while a pitch became a project: the trace of its approval, a refused request's, and all spans."""

    approval: str
    refusal: str
    spans: Sequence[Sent]

    @property
    def trace(self) -> Sequence[Sent]:
        """The spans of the approval."""
        return [span for span in self.spans if span.trace_id == self.approval]


@pytest.fixture(scope="module")
def followed(distributed: Distributed) -> Followed:
    edition = distributed.edition
    with httpx.Client(base_url=edition.run["url"], headers=distributed.headers, timeout=60) as client:
        unit = root_of(edition)
        for code, kind in (("LIC", "business_unit"), ("LIC-ops", "department")):
            body = {"code": code, "name": "Ada Lovelace", "kind": kind, "parent_id": unit}
            opened = sent(client.post("/portfolio/units", json=body))
            unit = opened.json()["id"]
        seen = {"Consistency-Token": opened.headers["Consistency-Token"]}
        pitch = {
            "title": "Licence register on line",
            "unit_id": unit,
            "project_code": "LIC-77",
            "currency": "EUR",
            "fields": {"problem": "Ada Lovelace asks for 1250.50", "outcome": "One.", "sponsor": "Ada Lovelace"},
        }
        pitched = sent(client.post("/intake/pitches", json=pitch, headers=seen))
        location = pitched.headers["Location"]
        sent(client.post(f"{location}/screening", json={"note": "Ada Lovelace likes it"}))
        decision = {"outcome": "approved", "reason": "It pays back within two years"}
        approval = trace_of(sent(client.post(f"{location}/decision", json=decision)))
        refused = client.post(f"{location}/decision", json=decision | {"outcome": "rejected"})
        assert refused.status_code == 409, refused.text
        refusal = trace_of(refused)
        assert refused.json()["trace_id"] == refusal

    def is_there(spans: Sequence[Sent]) -> bool:
        trace = [span for span in spans if span.trace_id == approval]
        return (
            steps(spans, approval) >= LEADS_TO
            and CHARTERING in {span.about.get("steerco.consumer") for span in trace}
            and {"POST", DECISION} <= {span.name for span in spans if span.trace_id == refusal}
            and leads(trace) <= {span.id for span in spans}
        )

    return Followed(
        approval, refusal, distributed.collected.until(is_there, "what the approval leads to, each link of it")
    )


def sent(answer: httpx.Response) -> httpx.Response:
    assert answer.status_code in (201, 204), answer.text
    return answer


def trace_of(answer: httpx.Response) -> str:
    return answer.headers["traceresponse"].split("-")[1]


def steps(spans: Sequence[Sent], trace_id: str) -> set[Step]:
    of_it = [span for span in spans if span.trace_id == trace_id]
    return {(span.service, span.process.get("steerco.role", ""), span.name) for span in of_it}


def leads(trace: Sequence[Sent]) -> set[str]:
    """The spans that those of a trace are below, or link to."""
    return {other for span in trace for other in (span.parent_id, *span.links)} - {""}


def test_one_command_s_trace_goes_over_request_append_seal_topic_reaction_and_views_of_four_services(
    followed: Followed,
) -> None:
    assert steps(followed.spans, followed.approval) >= LEADS_TO


def test_every_span_of_it_is_below_another_and_every_link_leads_to_a_span(followed: Followed) -> None:
    known = {span.id for span in followed.spans}
    roots = [span for span in followed.trace if not span.parent_id]
    assert [(span.service, span.kind) for span in roots] == [("steerco-proxy", SERVER)]
    assert leads(followed.trace) <= known


def test_what_a_reaction_appends_is_below_the_reaction_and_that_below_the_command(followed: Followed) -> None:
    spans = {span.id: span for span in followed.trace}
    (reaction,) = [span for span in followed.trace if span.about.get("steerco.consumer") == CHARTERING]
    (append,) = [span for span in followed.trace if (span.service, span.name) == ("steerco-portfolio", "append")]
    assert spans[append.parent_id] == reaction
    assert spans[reaction.parent_id].name == "handle ApprovePitch"
    below = [span for span in followed.trace if span.parent_id == reaction.id]
    assert {"steerco-training", "steerco-reporting"} <= {span.service for span in below}, "they follow its event"


def test_spans_of_messages_are_named_and_described_by_the_conventions(followed: Followed) -> None:
    kinds = {"send": PRODUCER, "process": CONSUMER}
    over_kafka = [
        span for span in followed.trace if span.about.get("messaging.system") == "kafka" and span.name.endswith(".v1")
    ]
    assert {span.about["messaging.operation.type"] for span in over_kafka} == kinds.keys()
    for span in over_kafka:
        operation = span.about["messaging.operation.type"]
        assert span.name == f"{operation} {span.about['messaging.destination.name']}"
        assert (span.kind, span.about["messaging.operation.name"]) == (kinds[operation], operation)
        assert span.about["messaging.batch.message_count"] >= 1


def test_every_process_says_which_it_is(followed: Followed) -> None:
    processes = {
        (span.service, span.process.get("steerco.role"), span.process["service.instance.id"]) for span in followed.spans
    }
    assert len(processes) == len({(service, role) for service, role, _ in processes})
    assert {span.process["service.version"] for span in followed.spans} == {"0.1.0"}
    assert all(span.service == f"steerco-{span.about.get('steerco.service', 'proxy')}" for span in followed.spans)


def test_no_span_holds_a_name_a_code_an_amount_or_a_text_of_what_was_sent(followed: Followed) -> None:
    said = "\n".join(f"{span.name} {dict(span.about)} {list(span.said)}" for span in followed.spans)
    assert [secret for secret in SECRETS if secret in said] == []


def test_a_refusal_s_trace_says_which_it_was(followed: Followed) -> None:
    of_it = [span for span in followed.spans if span.trace_id == followed.refusal]
    assert {span.about.get("steerco.refusal") for span in of_it} - {None} == {"PitchInAnotherState"}


def test_what_the_processes_log_is_json_line_by_line_and_a_fault_is_found_by_its_trace(
    distributed: Distributed,
) -> None:
    failed = asyncio.run(asked_without_risks(distributed))
    assert failed.status_code == 500, failed.text
    found = []
    for log in (distributed.edition.data_dir / "logs").glob("*.log"):
        for said in map(json.loads, log.read_text().splitlines()):
            assert f"{said['service']}-{said['role']}" == log.stem
            found += [said] if said.get("trace_id") == failed.json()["trace_id"] else []
    (fault,) = found
    assert (fault["service"], fault["role"], fault["message"]) == ("risk", "api", "GET /risks failed")
    assert "UndefinedTable" in fault["exception"]


async def asked_without_risks(distributed: Distributed) -> httpx.Response:
    """The list of risks, asked for while its table is away: the role that owns it takes it, and gives it back."""
    url = environments(distributed.edition)["risk", "worker"]["STEERCO_DATABASE_URL"]
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection, httpx.AsyncClient(headers=distributed.headers, timeout=60) as client:
        tables = await connection.execute(text("SELECT tablename FROM pg_tables WHERE tablename LIKE 'risk_risks_v%'"))
        (table,) = tables.scalars()
        try:
            await renamed(connection, table, "taken_away")
            return await client.get(f"{distributed.edition.run['url']}/risk/risks")
        finally:
            await renamed(connection, "taken_away", table)


async def renamed(connection: AsyncConnection, before: str, now: str) -> None:
    await connection.execute(text(f"ALTER TABLE views.{before} RENAME TO {now}"))
    await connection.commit()
