"""Events of risk. Stream: `risk-<id>`."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec

from steerco_events.contracts.values import PROJECT_SEEN
from steerco_events.registry import Registry, event

RISK = Registry("risk")

ONE_TO_FIVE = msgspec.Meta(extra_json_schema={"minimum": 1, "maximum": 5})

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
    project_version: Annotated[int, PROJECT_SEEN]


@event(RISK, "risk-rated")
class RiskRated:
    """Probability and impact, 1 to 5 each, and the band that the matrix gives that cell."""

    risk_id: UUID
    project_id: UUID
    probability: Annotated[int, ONE_TO_FIVE]
    impact: Annotated[int, ONE_TO_FIVE]
    band: Band
    matrix_version: int
    """Which matrix that was; they are numbered from 1."""


@event(RISK, "risk-closed")
class RiskClosed:
    """The risk can't occur any more, or is not followed any more."""

    risk_id: UUID
    project_id: UUID
