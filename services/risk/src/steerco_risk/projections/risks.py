"""The risks, newest state of each: row, fold and query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from steerco_events.contracts import risk
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.reading import Page, Reading


@dataclass(frozen=True, slots=True)
class RiskRow:
    """One risk; without a rating it has no band."""

    risk_id: UUID
    project_id: UUID
    cause: str
    event: str
    effect: str
    category: str
    state: str
    raised_at: datetime
    probability: int | None = None
    impact: int | None = None
    band: str | None = None
    reason: str | None = None


def risk_key(event: Recorded) -> str | None:
    """The risk that an event is about."""
    return event.stream.removeprefix("risk-") if event.stream.startswith("risk-") else None


def evolve_risk(row: RiskRow | None, event: Recorded) -> RiskRow | None:
    """The row after an event."""
    match event.payload, row:
        case risk.RiskRaised() as r, _:
            return RiskRow(r.risk_id, r.project_id, r.cause, r.event, r.effect, r.category, "open", event.recorded_at)
        case risk.RiskRated(probability=probability, impact=impact, band=band), RiskRow():
            return replace(row, probability=probability, impact=impact, band=band)
        case risk.RiskClosed(), RiskRow():
            return replace(row, state="closed", reason=event.reason)
        case _:
            return row


risks = Projection("risks", RiskRow, risk_key, evolve_risk, indexes=(("project_id", "key"),))


async def risks_listed(
    reading: Reading, page: Page, project_id: UUID | None, state: str | None, band: str | None
) -> Sequence[RiskRow]:
    """The risks in the order of their ids (the order of raising), filtered."""
    table = reading.table("risks")
    query = select(table).where(reading.known_at(table), reading.in_projects(table.c.project_id))
    for column, value in {"project_id": project_id, "state": state, "band": band}.items():
        if value is not None:
            query = query.where(table.c[column] == value)
    return page.cut(await reading.rows(risks, page.select(query, table.c.key)), "risk_id")
