"""What is asked of the feed: in which form, from which place, which events, and how long to wait for one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Header, Query, Request
from pydantic import AfterValidator, StringConstraints

from steerco_events.postgres.event_pages import Filter
from steerco_service.accepting import best_form
from steerco_service.access.scope import Scope
from steerco_service.asking import runtime_of
from steerco_service.bodies import one_line
from steerco_service.http_terms import EVENT_STREAM
from steerco_service.printing import printable
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime

BATCH = "application/cloudevents-batch+json"
STREAM = EVENT_STREAM

PAGE = 100
LARGEST_PAGE = 1000
LONGEST_WAIT = 30
MOST_VALUES = 1000
LAST_POSITION = 2**63 - 1

CURSOR_RULE = (
    "a cursor is a generation and a position such as 1.2500, a position of the present generation such as 2500,"
    " an instant with its zone such as 2026-03-31T12:00:00Z, or end"
)

_PLACE = re.compile(r"(?:([0-9]{1,9})\.)?([0-9]{1,20})", re.ASCII)
_RANGE_FORMS = {
    BATCH: BATCH,
    "application/json": BATCH,
    "application/*": BATCH,
    "*/*": BATCH,
    STREAM: STREAM,
    "text/*": STREAM,
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """From where, as it was written, and the parameter that said so."""

    text: str
    said_in: Literal["query", "header"]

    @property
    def name(self) -> str:
        """The parameter's name."""
        return "after" if self.said_in == "query" else "Last-Event-ID"

    def parsed(self) -> tuple[int | None, int] | datetime | Literal["end"]:
        """Generation (`None`: the present one) and position, or an instant, or the end. Raises a 400 `Problem`."""
        if self.text == "end":
            return "end"
        if found := _PLACE.fullmatch(self.text):
            generation, position = found.groups()
            if int(position) <= LAST_POSITION:
                return int(generation) if generation else None, int(position)
        try:
            at = datetime.fromisoformat(self.text)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            raise self.problem(400, "malformed-cursor", f"{CURSOR_RULE} (got {printable(self.text)})")
        return at

    def problem(self, status: int, code: str, detail: str) -> Problem:
        """What is wrong with it."""
        error = {"in": self.said_in, "pointer": f"/{self.name}", "detail": detail}
        return Problem(status, code, f"{self.name}: {detail}", errors=[error])


START = Cursor("0", "query")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to the feed."""

    form: str
    cursor: Cursor
    limit: int
    wait: int
    sought: Filter

    def within(self, scope: Scope, known_at: datetime | None) -> "Asked":
        """The same question, of what is stamped with units of a scope only, which is as it was at an instant."""
        if scope.is_whole:
            return self
        return replace(self, sought=replace(self.sought, scope=tuple(scope.units), known_at=known_at))


type Line = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(one_line)]


async def asked_of(
    request: Request,
    after: Annotated[
        str | None,
        Query(description=f"From where: {CURSOR_RULE}. Left out: from the first event.", examples=["1.2500"]),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="How many events a page has at most.")] = PAGE,
    wait: Annotated[
        int, Query(ge=0, le=LONGEST_WAIT, description="Seconds that a page without an event waits for one.")
    ] = 0,
    types: Annotated[
        Sequence[Line],
        Query(
            alias="type", max_length=MOST_VALUES, description="Events of this type only, by its full name; repeatable."
        ),
    ] = (),
    subjects: Annotated[
        Sequence[Line],
        Query(alias="subject", max_length=MOST_VALUES, description="Events of this stream only; repeatable."),
    ] = (),
    units: Annotated[
        Sequence[UUID],
        Query(
            alias="unit",
            max_length=MOST_VALUES,
            description="Events stamped with this unit's id only, not with those below it; repeatable.",
        ),
    ] = (),
    last_event_id: Annotated[
        str | None, Header(description="Of a stream: from where, before `after`; what the last `id` said.")
    ] = None,
) -> Asked:
    """The dependency of the feed. Raises a `Problem`: 400 for the cursor, 406, 422 for what nobody knows."""
    check_types(runtime_of(request), types)
    form = _form_of(",".join(request.headers.getlist("accept")) or "*/*")
    cursor = START if after is None else Cursor(after, "query")
    if form == STREAM and last_event_id:
        cursor = Cursor(last_event_id, "header")
    cursor.parsed()
    return Asked(form, cursor, limit, wait, Filter(types, subjects, units))


type Question = Annotated[Asked, Depends(asked_of)]


def check_types(runtime: Runtime, types: Sequence[str]) -> None:
    """Raise a 422 `Problem` for a type that the service has not."""
    owner = f"steerco.{runtime.service.name}."
    known = {each.name for each in runtime.registry if each.name.startswith(owner)}
    for name in types:
        if name not in known:
            close = get_close_matches(name, known, n=3)
            hint = f"; there is {', '.join(close)}" if close else ""
            detail = f"{runtime.service.name} has no event type {printable(name)}{hint}"
            raise Problem(
                422, "unknown-event-type", detail, errors=[{"in": "query", "pointer": "/type", "detail": detail}]
            )


def _form_of(accept: str) -> str:
    """The form that is liked best, of equals the first. Raises a 406 `Problem` when it is none of ours."""
    form = best_form(accept, _RANGE_FORMS)
    if form is None:
        detail = f"Accept is {BATCH}, application/json or {STREAM} (got {printable(accept)})"
        raise Problem(406, "not-acceptable", detail)
    return form
