"""Questions about risks."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel

from steerco_events.contracts.risk import Band
from steerco_risk.domain.risk import UnknownRisk
from steerco_risk.http.risks import RISK_PROBES
from steerco_risk.projections.risks import risks, risks_listed
from steerco_service.actions import Acted, Acting, in_full
from steerco_service.reading import Paged, Read
from steerco_service.routing import router

routes = router("risks")


class RiskAnswer(BaseModel):
    """One risk; `band` is null until it is rated."""

    risk_id: UUID
    project_id: UUID
    cause: str
    event: str
    effect: str
    category: str
    state: Literal["open", "closed"]
    raised_at: datetime
    probability: int | None
    impact: int | None
    band: Band | None
    reason: str | None


class RiskInFull(RiskAnswer, Acted):
    """One risk, and what may be done with it."""


@routes.get("/risks", summary="List risks")
async def list_risks(
    reading: Read,
    page: Paged,
    project_id: Annotated[UUID | None, Query(description="Of this project only.")] = None,
    state: Annotated[Literal["open", "closed"] | None, Query(description="In this state only.")] = None,
    band: Annotated[Band | None, Query(description="In this band only.")] = None,
) -> list[RiskAnswer]:
    """In the order of their ids; the next page is in the `Link` header."""
    rows = await risks_listed(reading, page, project_id, state, band)
    return [RiskAnswer.model_validate(row, from_attributes=True) for row in rows]


@routes.get("/risks/{risk_id}", summary="One risk")
async def one_risk(risk_id: UUID, acting: Acting, reading: Read, response: Response) -> RiskInFull:
    """Folded from its stream; its version is the ETag."""
    row = await reading.fold(risks, f"risk-{risk_id}", response)
    if row is None or not await reading.has_project(row.project_id):
        raise UnknownRisk("no risk has this id")
    answer = RiskAnswer.model_validate(row, from_attributes=True)
    return in_full(RiskInFull, answer, await acting.of({"risk_id": risk_id}, RISK_PROBES))
