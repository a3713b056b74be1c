"""The risks: row and fold."""

from dataclasses import dataclass, replace
from uuid import UUID

from steerco_events.contracts.risk import RISK, Band, RiskClosed, RiskRaised, RiskRated
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection


@dataclass(frozen=True, slots=True)
class RiskRow:
    """One risk; one that nobody rated yet has no band."""

    risk_id: UUID
    project_id: UUID
    event: str
    band: Band | None = None
    is_open: bool = True


def risk_key(event: Recorded) -> str | None:
    """The risk that an event is about."""
    match event.payload:
        case RiskRaised(risk_id=risk_id) | RiskRated(risk_id=risk_id) | RiskClosed(risk_id=risk_id):
            return str(risk_id)
        case _:
            return None


def evolve_risk(row: RiskRow | None, event: Recorded) -> RiskRow | None:
    """The row after an event."""
    match event.payload, row:
        case RiskRaised() as raised, _:
            return RiskRow(raised.risk_id, raised.project_id, raised.event)
        case RiskRated(band=band), RiskRow():
            return replace(row, band=band)
        case RiskClosed(), RiskRow():
            return replace(row, is_open=False)
        case _:
            return row


risks = Projection("risks", RiskRow, risk_key, evolve_risk, indexes=(("project_id",),), of=RISK)
