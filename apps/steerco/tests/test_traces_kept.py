"""Traces in a local edition are taken, kept for a while, and shown to who operates it."""

import gzip
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, Status, StatusCode

from steerco.edition.embedded import OPERATOR, OPERATORS, TOKEN_LASTS, authenticator_of
from steerco.edition.mounting import front_app
from steerco.edition.services import SERVICES
from steerco.traces import keeping
from steerco.traces.collecting import LARGEST_BODY, collecting
from steerco.traces.keeping import KeptTraces
from steerco.traces.serving import serve_traces
from steerco.traces.spans import spans_of
from steerco_events.clock import SystemClock
from steerco_events.envelope import Actor
from steerco_events.ids import new_id
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.principal import Principal

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
