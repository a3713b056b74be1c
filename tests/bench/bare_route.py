"""A bare FastAPI route, as a process: it checks a token, makes a span and inserts one row."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
import uvicorn
from fastapi import FastAPI, Header, Request, Response
from joserfc import jwt
from joserfc.jwk import OKPKey
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from steerco_events.clock import SystemClock
from steerco_events.ids import new_id
from steerco_service.identity.issuer import ALGORITHM, AUDIENCE, ISSUER

TABLE = (
    "CREATE TABLE bench_bare (id uuid PRIMARY KEY, actor text NOT NULL, recorded_at timestamptz NOT NULL,"
    " data bytea NOT NULL)"
)
_INSERT = "INSERT INTO bench_bare (id, actor, recorded_at, data) VALUES ($1, $2, $3, $4)"

_clock = SystemClock()
_tracer = trace.get_tracer("bench")
_claims = jwt.JWTClaimsRegistry(
    leeway=30,
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    exp={"essential": True},
)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.key = OKPKey.import_key(json.loads(os.environ["BENCH_ISSUER_KEY"]))
    async with asyncpg.create_pool(os.environ["BENCH_DSN"], min_size=32, max_size=32) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan, telemetry={"tracing": False, "metrics": False, "logs": False})


@app.post("/rows", status_code=201)
async def insert_row(request: Request, authorization: Annotated[str, Header()]) -> Response:
    """One row of the body."""
    with _tracer.start_as_current_span("POST /rows"):
        token = jwt.decode(authorization.removeprefix("Bearer "), request.app.state.key, algorithms=[ALGORITHM])
        _claims.validate(token.claims)
        body = await request.body()
        await request.app.state.pool.execute(_INSERT, new_id(), token.claims["sub"], _clock.now(), body)
    return Response(status_code=201)


if __name__ == "__main__":
    trace.set_tracer_provider(TracerProvider())
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), log_level="warning")
