"""What an answer says, but for the trace of its request: every request has another."""

from typing import Any

import httpx

from steerco_service.traced_requests import TRACERESPONSE

type Said = tuple[int, Any, dict[str, str]]
"""Status, body and headers."""


def said(answer: httpx.Response) -> Said:
    """What it says."""
    body = answer.json() if answer.content else None
    if isinstance(body, dict):
        body.pop("trace_id", None)
    apart = TRACERESPONSE.decode().lower()
    headers = {name: value for name, value in answer.headers.items() if name.lower() != apart}
    return answer.status_code, body, headers
