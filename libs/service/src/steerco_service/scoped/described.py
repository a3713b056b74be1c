"""How a unit's share of a log is described in OpenAPI, with an example."""

from typing import Any

from steerco_events.postgres.event_pages import SCANNED_AT_MOST
from steerco_service.events.asked import BATCH
from steerco_service.headers import COMPLETE_TO
from steerco_service.problems import MEDIA_TYPE

DESCRIPTION = f"""As CloudEvents 1.0 in JSON, page by page, in the order of the log:

- what was recorded about a project, a person or a unit while it was in the scope, and before that: what enters brings
  its history, also what was recorded elsewhere; of what has left, nothing that was recorded later;
- of the units above, what is required below, and that they are there: by their ids alone;
- `steerco.scope.entered` and `steerco.scope.left`, with the `subject`, where that became known. What entered has a
  history of before this cursor: ask for all of it by `subject` before you take the events of the page.

`Link` with `rel="next"` is always there; its cursor is for this service and this scope, and can't be read. Numbers that
count what happens elsewhere are left out. `{COMPLETE_TO}` is there where the log ends for now: all that was sealed up
to then was given. A page without it is not the last, also when it is empty: one request goes over a part of the log, by
`subject` over {SCANNED_AT_MOST:,} events at most. Events come at least once, each with the same `id`.
"""

_EXAMPLE: list[dict[str, Any]] = [
    {
        "specversion": "1.0",
        "id": "6a1b2c5e-3f0a-5c41-9a57-0d2b7f6f3a12",
        "source": "urn:steerco:risk",
        "type": "steerco.scope.entered",
        "subject": "project-0198c1de-6000-7000-8000-000000000005",
        "time": "2026-03-31T12:00:00.000000Z",
    },
    {
        "specversion": "1.0",
        "id": "8f1b2c5e-3f0a-5c41-9a57-0d2b7f6f3a11",
        "source": "urn:steerco:risk",
        "type": "steerco.risk.risk-closed",
        "subject": "risk-0198c1de-7c5b-7b0e-9a59-3d0f6b8f6a10",
        "time": "2026-03-31T12:00:00.000000Z",
        "data": {
            "risk_id": "0198c1de-7c5b-7b0e-9a59-3d0f6b8f6a10",
            "project_id": "0198c1de-6000-7000-8000-000000000005",
        },
    },
]

_EVENT = {
    "type": "object",
    "description": "A CloudEvent without `sequence`, `loggeneration`, `streamversion`; a crossing has no `data`.",
    "required": ["specversion", "id", "source", "type", "subject", "time"],
}


def _problem(code: str, when: str, detail: str) -> dict[str, Any]:
    example = {"type": f"urn:steerco:problem:{code}", "title": code.replace("-", " ").capitalize(), "detail": detail}
    return {"description": when, "content": {MEDIA_TYPE: {"example": example}}}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page.",
        "headers": {
            "Link": {"description": "Where the next page is.", "schema": {"type": "string"}},
            COMPLETE_TO: {
                "description": "Up to when the log was given, if it ends here.",
                "schema": {"type": "string"},
            },
        },
        "content": {BATCH: {"schema": {"type": "array", "items": _EVENT}, "example": _EXAMPLE}},
    },
    400: _problem("malformed-cursor", "The cursor is none of this service for this scope.", "after: it is none …"),
    404: _problem("unknown-scope", "There is no such unit for the caller.", "no unit has the id or the code 'LIC'"),
    409: _problem("log-rewound", "The log was restored to before this cursor.", "begin anew"),
    503: _problem("access-unknown", "It is not known now what is inside.", "streams of units … are parked"),
}
