"""The instant that a question is asked for."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query

from steerco_reporting.projections.scope import NEWEST
from steerco_service.bodies import INSTANT
from steerco_service.printing import printable
from steerco_service.problems import Problem
from steerco_service.reading import Read


@dataclass(frozen=True, slots=True)
class Cut:
    """What was known at an instant, or all that is known.

    `at` is what queries ask the rows for, `as_of` what the answer says: the instant asked for, or the time of
    reading if none was.
    """

    at: datetime
    as_of: datetime


def instant_of(text: str) -> datetime:
    """The instant of a text, in UTC. Raises a 422 `Problem`."""
    if INSTANT.fullmatch(text):
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise Problem(
        422,
        "malformed-instant",
        f"as_of is an instant with its zone, such as 2026-03-31T23:59:59Z, not {printable(text)}",
        errors=[{"in": "query", "pointer": "/as_of", "detail": "not an instant with its zone"}],
    )


async def cut_of(
    reading: Read,
    as_of: Annotated[
        str | None,
        Query(
            description="What was known at this instant, which has a zone and is not in the future; all, if absent.",
            examples=["2026-03-31T23:59:59Z"],
        ),
    ] = None,
) -> Cut:
    """The dependency of every endpoint that answers as of an instant."""
    now = reading.runtime.clock.now().astimezone(UTC)
    if as_of is None:
        return Cut(NEWEST, now)
    at = instant_of(as_of)
    if at > now:
        detail = f"{at.isoformat()} is in the future; it is {now.isoformat()} now"
        raise Problem(422, "instant-in-the-future", detail)
    return Cut(at, at)


type AsOf = Annotated[Cut, Depends(cut_of)]
