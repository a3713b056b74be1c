"""A process that is told to end sends the spans that it has not sent yet."""

import signal

import httpx

from tests.distributed.collected import collector
from tests.editions.running import running_edition


def test_the_last_request_before_an_edition_ends_is_sent_to_the_collector() -> None:
    with collector() as collected:
        with running_edition("--empty", environment={"OTEL_EXPORTER_OTLP_ENDPOINT": collected.url}) as edition:
            answer = httpx.get(edition.run["url"])
            edition.stop(signal.SIGTERM)
        trace = answer.headers["traceresponse"].split("-")[1]
        assert trace in {span.trace_id for span in collected.so_far}
