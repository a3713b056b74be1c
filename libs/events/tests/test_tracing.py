"""Spans say nothing secret, and a trace goes on from contexts that somebody records."""

import pytest
from opentelemetry.trace import StatusCode

from steerco_events import trace_contexts, tracing
from steerco_events.decider import Refusal
from steerco_events.testkit.spans import Spans, traceparent


class Overdrawn(Refusal):
    """There is not that much."""


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Overdrawn("Ada Lovelace has 12.50 EUR"), {"steerco.refusal": "Overdrawn"}),
        (ValueError("Ada Lovelace has 12.50 EUR"), {"error.type": "ValueError"}),
    ],
)
async def test_a_span_says_which_error_it_was_and_not_what_the_error_says(
    spans: Spans, error: Exception, says: dict[str, str]
) -> None:
    with pytest.raises(type(error)), tracing.handling("finance", "Draw", Refusal):
        raise error
    span = spans.one("handle Draw")
    assert span.attributes is not None
    assert says.items() <= dict(span.attributes).items()
    assert (span.status.status_code is StatusCode.ERROR) is not isinstance(error, Refusal)
    assert "Lovelace" not in span.to_json()


@pytest.mark.parametrize(
    "text", [None, "", "00-1", "00-trace-span-01", traceparent(0), traceparent(1, 0), traceparent(1, flags=0), "x" * 55]
)
def test_what_is_no_recorded_context_is_none(text: str | None) -> None:
    assert trace_contexts.recorded_context(text) is None
    assert tracing.continued(text) == text
