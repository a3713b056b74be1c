"""Where the spans of a trace are: in Jaeger or Tempo at `STEERCO_TRACES_URL`, else in the local edition itself."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress

import httpx

from steerco.client import Client, CommandFailed, NotThere, connected
from steerco.traces.spans import NoTrace, Span, spans_of

TRACES_URL = "STEERCO_TRACES_URL"
PATHS = ("/api/v3/traces/", "/api/traces/")
"""Of Jaeger, and of Tempo."""

TIMEOUT_SECONDS = 30.0
LOOKS, PAUSE_SECONDS = 4, 0.5


def asked_for(trace_id: str) -> Sequence[Span]:
    """The spans of a trace, as far as they have come there. Raises `CommandFailed`."""
    url = os.environ.get(TRACES_URL)
    try:
        found = spans_of(_elsewhere(url.rstrip("/"), trace_id) if url else _in_the_edition(trace_id))
    except NoTrace as error:
        raise CommandFailed(str(error)) from error
    if not found:
        raise CommandFailed(f"no span of the trace {trace_id} is kept, or not any more")
    return found


def _in_the_edition(trace_id: str) -> object:
    with connected() as client:
        try:
            found: object = _once_it_came(client, f"/traces/{trace_id}")
        except NotThere as absent:
            hint = f"; if spans are sent to Jaeger or Tempo, {TRACES_URL} says where that is"
            raise CommandFailed(f"no span of the trace {trace_id} is kept here, or not any more{hint}") from absent
    return found


def _once_it_came(client: Client, path: str) -> object:
    """Spans of what was just sent are on their way."""
    for _ in range(LOOKS):
        with suppress(NotThere):
            found: object = client.get(path)
            return found
        time.sleep(PAUSE_SECONDS)
    return client.get(path)


def _elsewhere(url: str, trace_id: str) -> object:
    answered = ""
    for path in PATHS:
        try:
            answer = httpx.get(f"{url}{path}{trace_id}", timeout=TIMEOUT_SECONDS)
            if answer.is_success:
                found: object = answer.json()
                return found
            answered = f"is answered with {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CommandFailed(f"{TRACES_URL} {url} does not answer: {error}") from error
        except ValueError:
            answered = "is answered, but not in JSON"
    raise CommandFailed(f"no trace {trace_id} is at {url}: {PATHS[-1]}{trace_id} {answered}")
