"""How the feed is described in OpenAPI, with an example of each form."""

import json
from typing import Any

from steerco_events.cloudevents import ATTRIBUTES, REQUIRED
from steerco_service.events.asked import BATCH, STREAM
from steerco_service.problems import MEDIA_TYPE

DESCRIPTION = f"""Sealed events only, in the order of the log, as CloudEvents 1.0 in JSON; each comes at least once.

- As `{BATCH}` (the default): a page. `Link` with `rel="next"` is always there, also on an empty page: asking it
  again goes on where this page ended. A filtered page looks through 5,000 positions at most, so it may be empty
  before the end of the log; where `Link` names the place that was asked for, the log ends there for now.
- As `{STREAM}`: a stream without an end. Each event has its place as `id`; an `id` without data says how far the
  filters have passed over the log. Connect again with the last `id` as `Last-Event-ID`. An event
  `steerco.problem` says why the server ended the stream.

Of fields of a class that the caller may not see where it happened, the data lacks those that the attribute `withheld`
names, separated by spaces.
"""

_EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "8f1b2c5e-3f0a-5c41-9a57-0d2b7f6f3a11",
    "source": "urn:steerco:risk",
    "type": "steerco.risk.risk-closed",
    "subject": "risk-0198c1de-7c5b-7b0e-9a59-3d0f6b8f6a10",
    "time": "2026-03-31T12:00:00.000000Z",
    "dataschema": "urn:steerco:risk:risk-closed:1",
    "datacontenttype": "application/json",
    "partitionkey": "risk-0198c1de-7c5b-7b0e-9a59-3d0f6b8f6a10",
    "sequence": "00000000000000002500",
    "correlationid": "0198c1de-8000-7000-8000-000000000001",
    "causationid": "0198c1de-8000-7000-8000-000000000001",
    "streamversion": "4",
    "loggeneration": "1",
    "orgunits": "0198c1de-0000-7000-8000-00000000000a",
    "sealedat": "2026-03-31T12:00:00.012000Z",
    "actor": "0198c1de-0000-7000-8000-0000000000ff Project manager",
    "client": "steerco",
    "reason": "The supplier delivered",
    "data": {
        "risk_id": "0198c1de-7c5b-7b0e-9a59-3d0f6b8f6a10",
        "project_id": "0198c1de-6000-7000-8000-000000000005",
    },
}

_STREAM_EXAMPLE = f"""retry: 1000
id: 1.2499

id: 1.2500
event: {_EXAMPLE["type"]}
data: {json.dumps(_EXAMPLE, separators=(",", ":"))}

:
id: 1.7500

"""

_EVENT_SCHEMA = {
    "type": "object",
    "description": "A CloudEvent; `dataschema` names the schema of `data`.",
    "properties": {**{name: {"type": "string"} for name in ATTRIBUTES}, "data": {"type": "object"}},
    "required": [*REQUIRED, "data"],
}


def _problem(code: str, when: str, detail: str) -> dict[str, Any]:
    example = {"type": f"urn:steerco:problem:{code}", "title": code.replace("-", " ").capitalize(), "detail": detail}
    return {"description": when, "content": {MEDIA_TYPE: {"example": example}}}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page, or the stream.",
        "headers": {"Link": {"description": "Of a page: where the next one is.", "schema": {"type": "string"}}},
        "content": {
            BATCH: {"schema": {"type": "array", "items": _EVENT_SCHEMA}, "example": [_EXAMPLE]},
            STREAM: {"schema": {"type": "string"}, "example": _STREAM_EXAMPLE},
        },
    },
    400: _problem(
        "malformed-cursor", "The cursor is none, or of a generation that the log does not have.", "after: a cursor is …"
    ),
    406: _problem("not-acceptable", "Another form is asked for.", "Accept is …"),
    409: _problem(
        "log-rewound",
        "The log was restored to before this cursor, or ends before it.",
        "after: risk was restored: generation 2 began after position 2400, and 1.2500 stands beyond that;"
        " drop what came after 2400 and go on from 2.2400",
    ),
    503: _problem("log-behind", "The log has not yet what the token covers.", "the log of risk is not sealed yet …"),
}
