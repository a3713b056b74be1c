"""The traces that a local edition keeps, for whoever runs it."""

from typing import Annotated, Any

from fastapi import FastAPI, Header

from steerco.traces.keeping import KeptTraces
from steerco.traces.spans import TRACE_ID
from steerco_service.identity.authenticator import Authenticator
from steerco_service.problems import Problem


def serve_traces(front: FastAPI, kept: KeptTraces, authenticator: Authenticator, operators: str) -> None:
    """Answer `GET /traces/{trace_id}` in OTLP's JSON, to who is in the group of the operators."""

    @front.get("/traces/{trace_id}")
    async def trace(trace_id: str, authorization: Annotated[str | None, Header()] = None) -> dict[str, Any]:
        principal = await authenticator.principal(authorization)
        if operators not in principal.groups:
            raise Problem(403, "forbidden", "traces are for who operates the edition")
        found = kept.trace(trace_id) if TRACE_ID.fullmatch(trace_id) else None
        if found is None:
            raise Problem(404, "unknown-trace", f"no span of the trace {trace_id} is kept, or not any more")
        return found
