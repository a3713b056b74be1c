"""Events of risk. Stream: `risk-<id>`."""

from typing import Literal
from uuid import UUID

from steerco_events.registry import Registry, event

RISK = Registry("risk")

type Band = Literal["low", "medium", "high", "extreme"]


@event(RISK, "risk-raised")
class RiskRaised:
    """Because of a cause, an event may occur, with an effect on the project."""

    risk_id: UUID
    project_id: UUID
    cause: str
    event: str
    effect: str
    category: str
    project_version: int


@event(RISK, "risk-rated")
class RiskRated:
    """Probability and impact, 1 to 5 each, and the band that the matrix version gives that cell."""

    risk_id: UUID
    project_id: UUID
    probability: int
    impact: int
    band: Band
    matrix_version: int


@event(RISK, "risk-closed")
class RiskClosed:
    """The risk can't occur any more, or is not followed any more."""

    risk_id: UUID
    project_id: UUID
