"""The log as operations see it: how far it is sealed, signed and published; publish it again; write an archive."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.archive.lines import Line, encoded
from steerco_events.archive.writing import NotSealed, ReactionNamed, Slice, archive
from steerco_events.consuming.reactions import Reaction
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.generations import open_generation
from steerco_events.postgres.schema import AS_WHO_LOGGED_IN, HOLDS_LOG_LOCK
from steerco_events.relay import CONSUMER
from steerco_service.asking import Asker, runtime_of
from steerco_service.bodies import Name
from steerco_service.events.asked import LAST_POSITION
from steerco_service.problems import Problem
from steerco_service.routing import router
from steerco_service.runtime import Runtime

ARCHIVE_TYPE = "application/x-ndjson"
LINES_AT_ONCE = 200

routes = router("log")

_STATE = text(
    "SELECT h.*, CASE WHEN s.is_called THEN s.last_value ELSE 0 END - h.position AS unsealed,"  # noqa: S608 of constants
    f" (SELECT min(xact_start) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE {HOLDS_LOG_LOCK}) AS open_since"
    " FROM log.sealed_head h, log.positions s"
)
_HOLD_HEAD = text("SELECT position FROM log.head FOR UPDATE")


class Generation(BaseModel):
    """A generation of positions, and after which position it began."""

    generation: int
    from_position: int


class SignedState(BaseModel):
    """The newest head that was signed."""

    position: int
    watermark: datetime
    key_id: str


class RelayState(BaseModel):
    """How far the log is published, and how many positions are still to come."""

    position: int
    behind: int


class ReactionState(BaseModel):
    """How far a reaction of this service has come in another's log, in each partition."""

    reaction: str
    service: str
    generation: int
    positions: list[int]


class LogState(BaseModel):
    """How far a log has come. `unsealed`: positions that were drawn and are not sealed yet."""

    service: str
    position: int
    positions: Annotated[list[int], Field(description="The highest position of each partition.")]
    generations: list[Generation]
    watermark: datetime
    hash: Annotated[str, Field(description="The hash of the last seal (SHA-256, hexadecimal).")]
    unsealed: int
    open_since: Annotated[
        datetime | None, Field(description="Since when the oldest append is open; nothing after it is sealed.")
    ]
    signed: SignedState | None
    public_key: Annotated[dict[str, Any] | None, Field(description="Of the key that signs heads (JWK).")]
    reactions: list[ReactionState]
    relay: Annotated[RelayState | None, Field(description="Absent where the log is read from its store.")]


@routes.get("/log", summary="How far the log is sealed, signed and published")
async def log_state(request: Request, _: Asker) -> LogState:
    """Positions, generations, the watermark, the hash of everything so far."""
    runtime = runtime_of(request)
    async with runtime.engine.connect() as connection:
        return await _state(connection, runtime)


async def _state(connection: AsyncConnection, runtime: Runtime) -> LogState:
    service = runtime.service.name
    await connection.execute(text(AS_WHO_LOGGED_IN))
    row = (await connection.execute(_STATE)).one()
    relay = None
    if runtime.relays:
        published = min((await Checkpoints(CONSUMER).load(connection, service)).positions)
        relay = RelayState(position=published, behind=max(0, row.position - published))
    return LogState(
        service=service,
        position=row.position,
        positions=list(row.positions),
        generations=[Generation(generation=n, from_position=began) for n, began in enumerate(row.began, 1)],
        watermark=row.watermark,
        hash=row.hash.hex(),
        unsealed=row.unsealed,
        open_since=row.open_since,
        signed=_signed(row),
        public_key=runtime.signing.key.public() if runtime.signing else None,
        reactions=[await _reaction(connection, each) for each in runtime.service.reactions],
        relay=relay,
    )


async def _reaction(connection: AsyncConnection, reaction: Reaction) -> ReactionState:
    cursor = await Checkpoints(reaction.name).load(connection, reaction.service)
    return ReactionState(
        reaction=reaction.name,
        service=reaction.service,
        generation=cursor.generation,
        positions=list(cursor.positions),
    )


def _signed(row: Row[Any]) -> SignedState | None:
    if row.key_id is None:
        return None
    return SignedState(position=row.signed_position, watermark=row.signed_watermark, key_id=row.key_id)


@routes.post("/log/republish", summary="Publish the whole log again", status_code=202)
async def republish(request: Request, _: Asker) -> LogState:
    """For a topic that was lost, emptied or cut. Readers pass over what they have; nothing waits for it."""
    runtime = runtime_of(request)
    if not runtime.relays:
        raise Problem(409, "no-topic", f"the log of {runtime.service.name} is read from its store, not from a topic")
    async with runtime.engine.begin() as tx:
        await Checkpoints(CONSUMER).forget(tx)
        return await _state(tx, runtime)


@routes.post("/log/restored", summary="Say that the database was restored from a copy")
async def restored(request: Request, _: Asker) -> LogState:
    """Begins a new generation of positions, so that whoever read further learns it.

    Needed only where nothing else tells: not after point-in-time recovery or failover, nor where the signed heads
    are kept outside of the database.
    """
    runtime = runtime_of(request)
    async with runtime.engine.begin() as tx:
        position = (await tx.execute(_HOLD_HEAD)).scalar_one()
        state = await _state(tx, runtime)
        await open_generation(tx, len(state.generations) + 1, position)
        state = await _state(tx, runtime)
    runtime.signals.sealed.notify()
    return state


@routes.get(
    "/log/archive",
    summary="An archive of the log, to be verified or taken over elsewhere",
    response_class=StreamingResponse,
    responses={200: {"description": "Lines of JSON.", "content": {ARCHIVE_TYPE: {"schema": {"type": "string"}}}}},
)
async def log_archive(
    request: Request,
    _: Asker,
    after: Annotated[
        int, Query(ge=0, le=LAST_POSITION, description="Begin after this position (with a whole seal).")
    ] = 0,
    until: Annotated[
        int | None, Query(ge=1, le=LAST_POSITION, description="End at this position (with a whole seal).")
    ] = None,
    subject: Annotated[Sequence[Name], Query(description="Only events of these streams.")] = (),
) -> StreamingResponse:
    """JSON lines: seals, their events as CloudEvents, signed heads."""
    runtime = runtime_of(request)
    reactions = [ReactionNamed(each.name, each.service) for each in runtime.service.reactions]
    part = Slice(after, until, tuple(subject))
    lines = archive(runtime.engine, runtime.service.name, runtime.registry, reactions, part)
    try:
        first = await anext(lines)
    except NotSealed as error:
        raise Problem(503, "not-sealed", str(error), headers={"Retry-After": "1"}) from error
    return StreamingResponse(_bytes(first, lines), media_type=ARCHIVE_TYPE)


async def _bytes(first: Line, rest: AsyncIterator[Line]) -> AsyncIterator[bytes]:
    piece = [encoded(first)]
    async for line in rest:
        piece.append(encoded(line))
        if len(piece) >= LINES_AT_ONCE:
            yield b"".join(piece)
            piece = []
    yield b"".join(piece)
