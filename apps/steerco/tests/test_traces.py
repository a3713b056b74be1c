"""Traces in a local edition and elsewhere: kept for a while, shown to who operates it, drawn in the terminal."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator, Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, Status, StatusCode
from rich.console import Console
from typer.testing import CliRunner

from steerco.cli import app
from steerco.client import Address, Client, CommandFailed
from steerco.edition.embedded import OPERATOR, OPERATORS, TOKEN_LASTS, authenticator_of
from steerco.edition.mounting import front_app
from steerco.edition.services import SERVICES
from steerco.traces import keeping
from steerco.traces.asking import TRACES_URL, asked_for
from steerco.traces.collecting import LARGEST_BODY, collecting
from steerco.traces.drawing import drawn
from steerco.traces.keeping import KeptTraces
from steerco.traces.last import new_trace, remembered, trace_id_of
from steerco.traces.serving import serve_traces
from steerco.traces.spans import NoTrace, Span, spans_of
from steerco_events.clock import SystemClock
from steerco_events.envelope import Actor
from steerco_events.ids import new_id
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.principal import Principal
from steerco_service.testkit.listening import listening

TRACE = "0af7651916cd43dd8448eb211c80319c"


def sending(processor: Any, service: str = "steerco-risk") -> TracerProvider:
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(processor)
    return provider


def sent(provider: TracerProvider, name: str = "append") -> str:
    """A trace of one span that has ended."""
    span = provider.get_tracer("tests").start_span(name, attributes={"steerco.service": "risk"})
    span.end()
    return f"{span.get_span_context().trace_id:032x}"


@pytest.mark.parametrize("compression", list(Compression))
def test_what_a_process_sends_is_kept(compression: Compression) -> None:
    kept = KeptTraces()
    with collecting(kept.take) as url:
        provider = sending(SimpleSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces", compression=compression)))
        with provider.get_tracer("tests").start_as_current_span("handle Put") as above:
            below = provider.get_tracer("tests").start_span("append", links=[Link(above.get_span_context())])
            below.set_status(Status(StatusCode.ERROR))
            below.end()
        provider.shutdown()
    found = kept.trace(f"{above.get_span_context().trace_id:032x}")
    if compression is Compression.Deflate:
        assert found is None, "it is not asked for"
        return
    command, append = spans_of(found)
    assert (command.service, command.name, command.parent_id) == ("risk", "handle Put", "")
    assert (append.parent_id, append.links) == (command.id, [(command.trace_id, command.id)])
    assert (append.is_failed, command.is_failed) == (True, False)


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/traces", b"no protobuf", {}, 400),
        ("/v1/traces", b"no gzip", {"Content-Encoding": "gzip"}, 400),
        ("/v1/traces", gzip.compress(b"no protobuf", mtime=0), {"Content-Encoding": "gzip"}, 400),
        ("/v1/traces", gzip.compress(b"cut off", mtime=0)[:-1], {"Content-Encoding": "gzip"}, 400),
        ("/v1/traces", gzip.compress(bytes(LARGEST_BODY + 1)), {"Content-Encoding": "gzip"}, 413),
        ("/v1/logs", b"", {}, 404),
    ],
)
def test_what_is_no_spans_is_refused(path: str, body: bytes, headers: dict[str, str], status: int) -> None:
    with collecting(KeptTraces().take) as url:
        assert httpx.post(f"{url}{path}", content=body, headers=headers).status_code == status


@pytest.mark.parametrize("length", ["²", "-1", "", "9" * 5000, str(LARGEST_BODY + 1)])
def test_what_is_of_no_length_or_too_long_is_not_read(length: str) -> None:
    with collecting(KeptTraces().take) as url:
        sending = HTTPConnection(url.removeprefix("http://"), timeout=10)
        sending.putrequest("POST", "/v1/traces")
        sending.putheader("Content-Length", length.encode("latin-1"))
        sending.endheaders()
        assert sending.getresponse().status == 413
        sending.close()


def test_the_last_traces_are_kept_and_of_each_the_last_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_TRACES", 2)
    monkeypatch.setattr(keeping, "MOST_SPANS", 3)
    kept = KeptTraces()
    provider = sending(kept.processor())
    with provider.get_tracer("tests").start_as_current_span("above") as span:
        for n in range(5):
            provider.get_tracer("tests").start_span(f"below {n}").end()
    traces = [f"{span.get_span_context().trace_id:032x}", *(sent(provider) for _ in range(2))]
    provider.shutdown()
    assert [bool(kept.trace(each)) for each in traces] == [False, True, True]
    again = sending(kept.processor())
    with again.get_tracer("tests").start_as_current_span("above") as span:
        for n in range(5):
            again.get_tracer("tests").start_span(f"below {n}").end()
    again.shutdown()
    found = spans_of(kept.trace(f"{span.get_span_context().trace_id:032x}"))
    assert [each.name for each in found] == ["above", "below 3", "below 4"]


def test_of_all_traces_together_the_last_spans_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_SPANS", 3)
    monkeypatch.setattr(keeping, "MOST_IN_ALL", 4)
    kept = KeptTraces()
    provider = sending(kept.processor())
    first, second = sent(provider), sent(provider)
    with provider.get_tracer("tests").start_as_current_span("above") as span:
        for n in range(5):
            provider.get_tracer("tests").start_span(f"below {n}").end()
    provider.force_flush()
    third = f"{span.get_span_context().trace_id:032x}"
    assert [len(spans_of(kept.trace(each))) if kept.trace(each) else 0 for each in (first, second, third)] == [0, 1, 3]
    sent(provider)
    provider.shutdown()
    assert [bool(kept.trace(each)) for each in (second, third)] == [False, True]


async def test_a_trace_is_shown_to_who_operates_the_edition() -> None:
    kept, issuer, now = KeptTraces(), Issuer.generate(), SystemClock().now()
    provider = sending(kept.processor())
    trace_id = sent(provider)
    provider.shutdown()
    front = front_app({each.name: each.title for each in SERVICES})
    serve_traces(front, kept, authenticator_of(issuer), OPERATORS)
    other = Principal(Actor(new_id(), "Auditor"), "tests")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://edition") as client:

        async def asked(trace: str, *principals: Principal) -> tuple[int, str]:
            tokens = [issuer.token(each, now, TOKEN_LASTS) for each in principals]
            headers = [("Authorization", f"Bearer {token}") for token in tokens]
            answer = await client.get(f"/traces/{trace}", headers=headers)
            return answer.status_code, answer.json().get("type", "").rpartition(":")[2]

        assert await asked(trace_id) == (401, "unauthorized")
        assert await asked(trace_id, other) == (403, "forbidden")
        assert await asked(trace_id, OPERATOR) == (200, "")
        assert await asked(TRACE, OPERATOR) == (404, "unknown-trace")
        assert await asked("no-trace", OPERATOR) == (404, "unknown-trace")


def told(span_id: str, began: int = 0, parent: str = "", encode: Callable[[str], str] = str) -> dict[str, Any]:
    return {
        "traceId": encode(TRACE),
        "spanId": encode(span_id),
        "parentSpanId": encode(parent),
        "name": "append",
        "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(began + 1_500_000),
        "attributes": [{"key": "steerco.events", "value": {"intValue": "3"}}],
    }


def in_base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def groups(*spans: dict[str, Any]) -> list[dict[str, Any]]:
    service = {"key": "service.name", "value": {"stringValue": "steerco-risk"}}
    return [{"resource": {"attributes": [service]}, "scopeSpans": [{"spans": list(spans)}]}]


ONE, TWO = "b7ad6b7169203331", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "answer",
    [
        {"resourceSpans": groups(told(ONE), told(TWO, 5, ONE))},
        {"result": {"resourceSpans": groups(told(TWO, 5, ONE), told(ONE), told(ONE))}},
        {"batches": groups(told(ONE, encode=in_base64), told(TWO, 5, ONE, in_base64))},
        {"trace": {"resourceSpans": groups(told(ONE), told(TWO, 5, ONE))}},
    ],
    ids=["edition", "Jaeger", "Tempo", "Tempo's newer answer"],
)
def test_a_trace_reads_alike_from_wherever_it_is(answer: Any) -> None:
    first, second = spans_of(answer)
    assert (first.trace_id, first.id, first.service, first.ended) == (TRACE, ONE, "risk", 1_500_000)
    assert (second.id, second.parent_id, second.attributes) == (TWO, ONE, {"steerco.events": "3"})


@pytest.mark.parametrize(
    "answer", [{}, [], 5, None, {"data": []}, {"batches": 5}, {"resourceSpans": groups({"name": "x"})}]
)
def test_what_is_no_trace_is_said_to_be_none(answer: Any) -> None:
    with pytest.raises(NoTrace):
        spans_of(answer)


def span(name: str, span_id: str, parent: str = "", began: int = 0, *links: str, **more: Any) -> Span:
    given: dict[str, Any] = {"service": "risk", "is_failed": False, "attributes": {}} | more
    ended = began + 2_000_000
    return Span(TRACE, span_id, parent, [(TRACE, each) for each in links], name=name, began=began, ended=ended, **given)


def lines(*spans: Span) -> list[str]:
    console = Console(width=140, force_terminal=False)
    with console.capture() as captured:
        console.print(drawn(TRACE, spans, 140))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_drawing_shows_what_led_to_what_when_and_how_long() -> None:
    shown = lines(
        span("POST /risks", "1", parent="of the client"),
        span("handle RaiseRisk", "2", "1", 1_000_000, attributes={"steerco.refusal": "RiskKnown"}),
        span("append", "3", "2", 1_000_000),
        span("seal", "4", "2", 2_000_000),
        span("process risks", "5", "", 3_000_000, "elsewhere", "2", service="reporting", is_failed=True),
    )
    assert shown[0] == f"trace {TRACE}: 5 spans in reporting, risk, 5.0 ms"
    assert [line.split("ms")[0].split()[0] for line in shown[2:]] == ["risk"] * 4 + ["reporting"]
    assert [line[11:].split("  ")[0].rstrip() for line in shown[2:]] == [
        "POST /risks",
        "└ handle RaiseRisk (refused: RiskKnown)",
        "",
        "",
        "",
    ]
    assert ["├ append" in shown[4], "├ seal" in shown[5], "└ process risks" in shown[6]] == [True] * 3
    assert shown[6].split() == ["reporting", "└", "process", "risks", "3.0", "ms", "2.0", "ms", "━" * 12]


def test_no_span_is_left_out_or_shown_twice_even_where_they_led_to_each_other() -> None:
    shown = "\n".join(lines(span("one", "1", "2"), span("two", "2", "1"), span("own", "3", "3"), span("root", "4")))
    assert [shown.count(name) for name in ("one", "two", "own", "root")] == [1] * 4


def test_a_large_trace_is_cut() -> None:
    shown = lines(*(span("append", str(n), "" if n == 1 else "1", n) for n in range(1, 500)))
    assert shown[-1].strip() == "… and 299 more"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STEERCO_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def client() -> Iterator[tuple[Client, str]]:
    trace = new_trace()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    with httpx.Client(base_url="http://edition", transport=transport) as http:
        yield Client(Address("http://edition", "token"), http, trace_id_of(trace)), trace


@pytest.mark.usefixtures("home")
def test_the_last_command_is_remembered_and_no_question(client: tuple[Client, str]) -> None:
    asking, trace = client
    asking.get("/portfolio/units")
    assert remembered() is None
    asking.command("POST", "/portfolio/units", {})
    assert remembered() == trace_id_of(trace)


def test_where_nothing_can_be_kept_a_command_goes_on(home: Path, client: tuple[Client, str]) -> None:
    (home / "state").write_text("in the way")
    client[0].command("POST", "/portfolio/units", {})
    assert remembered() is None


@pytest.mark.usefixtures("home")
def test_before_the_first_command_there_is_no_last_trace() -> None:
    done = CliRunner().invoke(app, ["trace"])
    assert (done.exit_code, done.stderr) == (
        1,
        "steerco: no command was sent from here yet; name a trace by its id\n",
    )


@pytest.fixture(params=["/api/v3/traces/", "/api/traces/"])
async def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Jaeger or Tempo, as far as one asks them for a trace."""
    answering = FastAPI()

    @answering.get(request.param + "{trace_id}")
    def trace(trace_id: str) -> dict[str, Any]:
        if trace_id != TRACE:
            raise HTTPException(404)
        return {"result": {"resourceSpans": groups(told(ONE))}}

    async with listening(answering) as server:
        monkeypatch.setenv(TRACES_URL, f"{server.url}/")
        yield server.url


async def test_where_spans_are_sent_to_they_are_asked_for(elsewhere: str) -> None:
    (found,) = await asyncio.to_thread(asked_for, TRACE)
    assert found.id == ONE
    with pytest.raises(CommandFailed, match=f"no trace {'0' * 32} is at {elsewhere}"):
        await asyncio.to_thread(asked_for, "0" * 32)


def test_who_does_not_answer_for_traces_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRACES_URL, "http://127.0.0.1:1")
    with pytest.raises(CommandFailed, match=r"STEERCO_TRACES_URL http://127\.0\.0\.1:1 does not answer"):
        asked_for(TRACE)


def test_services_and_times_stay_whole_where_there_is_little_room() -> None:
    long = span("process steerco.portfolio.events.v1", "1", attributes={"steerco.consumer": "return_pitch_on_refusal"})
    console = Console(width=90, force_terminal=False)
    with console.capture() as captured:
        console.print(drawn(TRACE, [long], 90))
    *_, shown = captured.get().splitlines()
    assert shown.startswith("risk     process ")
    assert "… " in shown
    assert shown.split("…")[1].split() == ["0.0", "ms", "2.0", "ms", "━" * 30]
