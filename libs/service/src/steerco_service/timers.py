"""The timers of a service as operations see them: what is due when, what fails, and making them anew from the log."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import DateTime, column, func, select, table

from steerco_events.timing.timetable import rebuild_timers
from steerco_service.asking import Asker, runtime_of
from steerco_service.reading import Paged
from steerco_service.routing import router

routes = router("log")

_TIMERS = table(
    "timers",
    *(column(name) for name in ("stream", "name", "attempts", "error")),
    *(column(name, DateTime(timezone=True)) for name in ("due_at", "fire_at")),
    schema="log",
)
_DUE = func.to_char(func.timezone("UTC", _TIMERS.c.due_at), 'YYYY-MM-DD"T"HH24:MI:SS.US')


class TimerState(BaseModel):
    """What is due on a stream. One whose firing failed is `fire_at` an instant tried again; `error` says why."""

    stream: str
    name: str
    due_at: datetime
    fire_at: datetime
    attempts: Annotated[int, Field(description="How often firing it failed.")]
    error: str | None


class TimersRebuilt(BaseModel):
    """How many timers the log says that there are; those that were missing or other, and those too many."""

    timers: int
    added: int
    removed: int


@routes.get("/log/timers", summary="List what is due, and when")
async def list_timers(
    request: Request,
    _: Asker,
    page: Paged,
    failing: Annotated[bool | None, Query(description="Only those whose firing failed, or only the rest.")] = None,
) -> list[TimerState]:
    """In the order in which it is due; the next page is in the `Link` header."""
    query = select(_TIMERS, _DUE.label("due"))
    if failing is not None:
        query = query.where(_TIMERS.c.attempts > 0 if failing else _TIMERS.c.attempts == 0)
    async with runtime_of(request).engine.connect() as connection:
        rows = await connection.execute(page.select(query, _DUE, _TIMERS.c.stream, _TIMERS.c.name))
        found = page.cut(rows.all(), "due", "stream", "name")
    return [TimerState.model_validate(row, from_attributes=True) for row in found]


@routes.post("/log/timers/rebuild", summary="Make the timers anew from the log")
async def rebuild(request: Request, _: Asker) -> TimersRebuilt:
    """After a restore, or when in doubt: what was fired already is not doubled. Commands go on meanwhile."""
    runtime = runtime_of(request)
    async with runtime.engine.begin() as tx:
        rebuilt = await rebuild_timers(tx, runtime.store, runtime.timetable)
    runtime.signals.appended.notify()
    return TimersRebuilt.model_validate(asdict(rebuilt))
