"""A trace is asked for where its spans are sent to, and reads alike from wherever it is."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException

from steerco.client import CommandFailed
from steerco.traces.asking import TRACES_URL, asked_for
from steerco.traces.spans import NoTrace, spans_of
from steerco_service.testkit.listening import listening

TRACE = "0af7651916cd43dd8448eb211c80319c"


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
