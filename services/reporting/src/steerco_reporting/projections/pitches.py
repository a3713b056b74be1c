"""The pitches, as the pipeline counts them: row and fold."""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from steerco_events.contracts import intake
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection

type PitchState = Literal["submitted", "screened", "approved", "rejected", "deferred", "returned", "withdrawn"]


@dataclass(frozen=True, slots=True)
class PitchRow:
    """One pitch, at the unit that it was put forward for."""

    pitch_id: UUID
    unit_id: UUID
    state: PitchState


_STATES: dict[type[object], PitchState] = {
    intake.PitchScreened: "screened",
    intake.PitchApproved: "approved",
    intake.PitchRejected: "rejected",
    intake.PitchDeferred: "deferred",
    intake.PitchReturned: "returned",
    intake.PitchWithdrawn: "withdrawn",
}


def pitch_key(event: Recorded) -> str | None:
    """The pitch whose stream an event belongs to."""
    if event.stream.startswith("pitch-"):
        return event.stream.removeprefix("pitch-")
    return None


def evolve_pitch(row: PitchRow | None, event: Recorded) -> PitchRow | None:
    """The row after an event."""
    match event.payload, row:
        case intake.PitchSubmitted() as pitch, _:
            return PitchRow(pitch.pitch_id, pitch.unit_id, "submitted")
        case payload, PitchRow():
            return replace(row, state=_STATES.get(type(payload), row.state))
        case _:
            return row


pitches = Projection("pitches", PitchRow, pitch_key, evolve_pitch, indexes=(("unit_id",),), of=intake.INTAKE)
