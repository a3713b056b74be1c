"""The span of a request: what it says and what it never says, and that every answer tells its trace."""

import asyncio
import json
import logging
import re
import socket
from collections.abc import Iterator
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Header
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from steerco_events import tracing
from steerco_events.ids import new_id
from steerco_events.testkit.logs import PATIENCE
from steerco_events.testkit.spans import Spans, context_of, parent_of
from steerco_service.edge.buckets import Rate
from steerco_service.edge.front import Edge
from steerco_service.exporting import install_tracing
from steerco_service.log_lines import JsonLines
from steerco_service.problems import Problem, problem_response
from steerco_service.telemetry import TelemetrySettings
from steerco_service.testkit.answering import answering, asking
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import Served
from steerco_service.traced_requests import TracedRequests

CALLER = f"00-{'a' * 32}-{'b' * 16}-01"
OF_NOBODY = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-0[02]")


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Those of requests whose caller records them."""
    exporter = InMemorySpanExporter()
    install_tracing("tests", processors=[SimpleSpanProcessor(exporter)])
    yield Spans(exporter)
    install_tracing("tests")


@pytest.fixture
def nowhere() -> None:
    """Spans go nowhere."""
    install_tracing("tests")


async def test_a_request_is_a_span_in_the_trace_of_its_caller(shelf: httpx.AsyncClient, spans: Spans) -> None:
    answer = await shelf.post("/things", json={"name": "Lamp of Ada"}, headers={"traceparent": CALLER})
    request, command = spans.one("POST"), spans.one("handle")
    assert (request.name, request.kind) == ("POST /things", SpanKind.SERVER)
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/things",
        "http.response.status_code": 201,
        "url.scheme": "http",
        tracing.SERVICE: "risk",
    }
    assert (parent_of(request), answer.headers["traceresponse"]) == (CALLER, context_of(request))
    assert (command.name, parent_of(command)) == ("handle Put", context_of(request))
    assert parent_of(spans.one("append")) == context_of(command)
    assert "Ada" not in request.to_json() + command.to_json()


async def test_an_event_carries_the_span_of_its_command(served: Served, shelf: httpx.AsyncClient, spans: Spans) -> None:
    thing_id = str(new_id())
    await shelf.post("/things", json={"name": "Lamp", "thing_id": thing_id}, headers={"traceparent": CALLER})
    runtime = served.runtime("risk")
    async with runtime.engine.connect() as connection:
        (event,) = await runtime.store.read_events(connection, f"risk-{thing_id}")
    assert event.traceparent == context_of(spans.one("handle"))


async def test_the_commands_of_a_batch_are_in_its_trace(shelf: httpx.AsyncClient, spans: Spans) -> None:
    commands = [{"path": "/things", "body": {"name": f"Batched {n}"}} for n in range(3)]
    await shelf.post("/batch", json={"commands": commands}, headers={"traceparent": CALLER})
    batch = spans.one("POST /batch")
    assert {parent_of(span) for span in spans("POST /things")} == {context_of(batch)}
    assert len(spans("append")) == len(commands)


async def test_a_refusal_tells_its_trace_and_is_no_failure(shelf: httpx.AsyncClient, spans: Spans) -> None:
    path = f"/things/{new_id()}/closure"
    answer = await shelf.post(path, headers={"traceparent": CALLER})
    assert (answer.status_code, answer.json()["trace_id"]) == (404, "a" * 32)
    assert spans.one("handle").attributes == {
        "steerco.command": "Close",
        "steerco.refusal": "ThingUnknown",
        tracing.SERVICE: "risk",
    }
    assert spans.one("POST").status.status_code is StatusCode.UNSET


async def test_a_fault_tells_its_trace_and_not_what_it_says(spans: Spans) -> None:
    async with asking(Edge().before(answering())) as client:
        answer = await client.get("/fault", headers={"traceparent": CALLER})
    span = spans.one("GET")
    assert (answer.status_code, answer.json()["trace_id"]) == (500, "a" * 32)
    assert span.status.status_code is StatusCode.ERROR
    assert "a fault of ours" not in span.to_json()


@pytest.mark.usefixtures("nowhere")
async def test_whoever_records_nothing_is_told_a_trace_all_the_same(shelf: httpx.AsyncClient) -> None:
    for answer in (await shelf.get("/nothing"), await shelf.post("/things", json={})):
        told = OF_NOBODY.fullmatch(answer.headers["traceresponse"])
        assert told
        assert answer.json()["trace_id"] == told[1]


@pytest.mark.usefixtures("nowhere")
async def test_what_the_edge_refuses_tells_its_trace_too() -> None:
    async with asking(Edge(rate=Rate(per_second=0.5, at_once=1)).before(answering())) as client:
        await client.get("/thing")
        refused = await client.get("/thing")
    assert refused.status_code == 429
    assert refused.json()["trace_id"] in refused.headers["traceresponse"]
    assert refused.headers.get_list("traceresponse") == [refused.headers["traceresponse"]]


@pytest.mark.usefixtures("nowhere")
async def test_a_fault_is_logged_once_and_by_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    lines = JsonLines("risk", "api")
    with caplog.at_level(logging.WARNING):
        caplog.handler.setFormatter(lines)
        app = Edge().before(TracedRequests(answering(), "risk"))
        async with listening(app) as server, httpx.AsyncClient(base_url=server.url) as client:
            answer = await client.get("/fault")
    (said,) = [json.loads(line) for line in caplog.text.splitlines()]
    assert (said["trace_id"], said["message"]) == (answer.json()["trace_id"], "GET /fault failed")
    assert said["exception"].endswith("RuntimeError: a fault of ours")


async def test_a_method_that_somebody_made_up_is_no_name_of_a_span(spans: Spans) -> None:
    async with asking(Edge().before(answering())) as client:
        for method in ("HUSHHUSH", "LIC-77"):
            await client.request(method, "/thing", headers={"traceparent": CALLER})
    assert spans.names == ["HTTP", "HTTP"]
    assert {(span.attributes or {})["http.request.method"] for span in spans("HTTP")} == {"_OTHER"}


async def test_the_span_of_a_stream_ends_when_the_stream_begins(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    app = Edge().before(TracedRequests(answering(), "risk"))
    async with (
        listening(app) as server,
        httpx.AsyncClient(base_url=server.url) as client,
        client.stream("GET", "/events", headers={"traceparent": CALLER}) as answer,
    ):
        async with asyncio.timeout(PATIENCE):
            while not spans.names:
                await asyncio.sleep(0)
        assert answer.headers["traceresponse"] == context_of(spans.one("GET /events"))
    assert spans.names == ["GET /events"]
    assert not [each for each in caplog.messages if "ended" in each], "it is ended once"


async def test_what_only_ends_like_a_probe_has_a_trace(spans: Spans) -> None:
    async with asking(Edge().before(answering())) as client:
        for path in ("/livez", "/things/livez"):
            await client.get(path, headers={"traceparent": CALLER})
    assert spans.names == ["GET"]


@pytest.mark.usefixtures("nowhere")
async def test_a_problem_of_no_request_tells_an_id_that_the_log_knows(caplog: pytest.LogCaptureFixture) -> None:
    bodies = [json.loads(bytes(problem_response(Problem(status, "stalled", "it is")).body)) for status in (503, 400)]
    ours, theirs = (body["trace_id"] for body in bodies)
    assert re.fullmatch("[0-9a-f]{32}", theirs)
    assert caplog.messages == [f"answered with 503 stalled: it is (trace {ours})"]


@pytest.mark.parametrize(
    ("variables", "recorded"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({}, False),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, False),
    ],
    ids=["a collector", "nowhere", "told to"],
)
async def test_a_caller_keeps_its_requests_out_only_where_the_settings_leave_it_to_callers(
    variables: dict[str, str], recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("steerco_service.exporting._exporting", lambda _: ())
    exporter = InMemorySpanExporter()
    install_tracing("tests", TelemetrySettings(), processors=[SimpleSpanProcessor(exporter)])
    async with asking(Edge().before(answering())) as client:
        await client.get("/thing", headers={"traceparent": CALLER[:-1] + "0"})
    install_tracing("tests")
    assert bool(exporter.get_finished_spans()) is recorded


async def test_a_probe_has_no_trace(shelf: httpx.AsyncClient, spans: Spans) -> None:
    answer = await shelf.get("/readyz", headers={"traceparent": CALLER})
    assert "traceresponse" not in answer.headers
    assert spans("GET") == []


@pytest.fixture(params=["refuses", "hangs"])
def collector(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a collector that takes nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if request.param == "hangs":
            listening.listen(16)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


async def test_a_collector_that_takes_nothing_holds_up_neither_a_request_nor_the_end(
    collector: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
    monkeypatch.setattr("steerco_service.exporting.EXPORT_TIMEOUT_SECONDS", 10 * PATIENCE)
    monkeypatch.setattr("steerco_service.exporting.FLUSH_SECONDS", 0.01)
    installed = install_tracing("tests", TelemetrySettings())
    try:
        async with asking(Edge(rate=Rate(1e6, 10_000)).before(answering())) as client, asyncio.timeout(20):
            for _ in range(100):
                assert (await client.get("/thing")).status_code == 200
        async with asyncio.timeout(20):
            await installed.stop()
    finally:
        install_tracing("tests")
    said = [each for each in caplog.records if each.levelno >= logging.WARNING and "export" in each.getMessage()]
    assert len(said) <= 1, "now and then"


async def test_a_collector_is_told_the_headers_of_the_settings() -> None:
    collector, came = FastAPI(), list[str]()

    @collector.post("/v1/traces", status_code=200)
    async def take(authorization: Annotated[str, Header()]) -> None:
        came.append(authorization)

    async with listening(collector) as running:
        settings = TelemetrySettings.model_construct(
            otlp_endpoint=running.url, otlp_headers="authorization=Bearer hushhush,x-tenant=pmo"
        )
        installed = install_tracing("tests", settings)
        try:
            async with asking(Edge().before(answering())) as client:
                await client.get("/thing")
        finally:
            await installed.stop()
            install_tracing("tests")
    assert came == ["Bearer hushhush"]
