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
    """One pitch; `until_on` while it is deferred."""

    pitch_id: UUID
    title: str
    unit_id: UUID
    project_code: str
    currency: str
    template: str
    template_version: int
    fields: dict[str, str]
    estimated_cost: Money | None
    state: str
    submitted_at: datetime
    note: str | None = None
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
                template=pitch.template,
                template_version=pitch.template_version,
                fields=pitch.fields,
                estimated_cost=pitch.estimated_cost,
                state="submitted",
                submitted_at=event.recorded_at,
            )
        case _, None:
            return None
        case intake.PitchScreened(note=note), PitchRow():
            return replace(row, state="screened", note=note, reason=event.reason)
        case intake.PitchApproved(), PitchRow():
            return replace(row, state="approved", until_on=None, reason=event.reason)
        case intake.PitchRejected(), PitchRow():
            return replace(row, state="rejected", until_on=None, reason=event.reason)
        case intake.PitchDeferred(until_on=until_on), PitchRow():
            return replace(row, state="deferred", until_on=until_on, reason=event.reason)
        case intake.PitchReturned(), PitchRow():
            return replace(row, state="returned", until_on=None, reason=event.reason)
        case intake.PitchWithdrawn(), PitchRow():
            return replace(row, state="withdrawn", until_on=None, reason=event.reason)
        case _:
            return row


pitches = Projection("pitches", PitchRow, pitch_key, evolve_pitch, indexes=(("unit_id", "key"),))


async def pitches_listed(
    reading: Reading, page: Page, unit_id: UUID | None, state: str | None, until_on: date | None
) -> Sequence[PitchRow]:
    """The pitches in the order of their ids, filtered by unit and state, and by the day that a deferral ends by."""
    table = reading.table("pitches")
    query = select(table).where(reading.known_at(table), reading.in_units(table.c.unit_id))
    if unit_id:
        query = query.where(table.c.unit_id == unit_id)
    if state:
        query = query.where(table.c.state == state)
    if until_on:
        query = query.where(table.c.until_on <= until_on)
    rows = await reading.rows(pitches, page.select(query, table.c.key))
    return page.cut(rows, "pitch_id")
