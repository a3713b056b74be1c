"""The pitches, newest state of each: row, fold and query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from steerco_events.contracts import intake
from steerco_events.contracts.values import Money
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading


@dataclass(frozen=True, slots=True)
class PitchRow:
    """One pitch."""

    pitch_id: UUID
    title: str
    unit_id: UUID
    project_code: str
    currency: str
    estimated_cost: Money | None
    state: str
    submitted_at: datetime
    until_on: date | None = None
    reason: str | None = None


def pitch_key(event: Recorded) -> str | None:
    """The pitch that an event is about."""
    if event.stream.startswith("pitch-"):
        return event.stream.removeprefix("pitch-")
    return None


def evolve_pitch(row: PitchRow | None, event: Recorded) -> PitchRow | None:
    """The row after an event."""
    match event.payload, row:
        case intake.PitchSubmitted() as pitch, _:
            return PitchRow(
                pitch_id=pitch.pitch_id,
                title=pitch.title,
                unit_id=pitch.unit_id,
                project_code=pitch.project_code,
                currency=pitch.currency,
                estimated_cost=pitch.estimated_cost,
                state="submitted",
                submitted_at=event.recorded_at,
            )
        case _, None:
            return None
        case intake.PitchScreened(), PitchRow():
            return replace(row, state="screened", reason=event.reason)
        case intake.PitchApproved(), PitchRow():
            return replace(row, state="approved", reason=event.reason)
        case intake.PitchRejected(), PitchRow():
            return replace(row, state="rejected", reason=event.reason)
        case intake.PitchDeferred(until_on=until_on), PitchRow():
            return replace(row, state="deferred", until_on=until_on, reason=event.reason)
        case intake.PitchReturned(), PitchRow():
            return replace(row, state="returned", reason=event.reason)
        case intake.PitchWithdrawn(), PitchRow():
            return replace(row, state="withdrawn", reason=event.reason)
        case _:
            return row


pitches = Projection("pitches", PitchRow, pitch_key, evolve_pitch, indexes=(("unit_id", "key"),))


async def pitches_listed(reading: Reading, page: Page, unit_id: UUID | None, state: str | None) -> Sequence[PitchRow]:
    """The pitches in the order of their ids (the order of submission), filtered by unit and state."""
    table = reading.table("pitches")
    query = select(table).where(reading.known_at(table))
    if unit_id:
        query = query.where(table.c.unit_id == unit_id)
    if state:
        query = query.where(table.c.state == state)
    rows = await reading.rows(pitches, page.select(query, table.c.key))
    return page.cut(rows, "pitch_id")
