"""Commands on risks."""

from typing import Annotated, Self
from uuid import UUID

from fastapi import Response
from pydantic import Field, model_validator

from steerco_risk.domain.risk import Closed, CloseRisk, KnownProject, Open, RaiseRisk, RateRisk, Rating, risk_decider
from steerco_service.actions import Probe
from steerco_service.bodies import Body, Name, Prose
from steerco_service.call import Call, Calling
from steerco_service.reference.projects import project_concerned, project_is_there
from steerco_service.routing import router

routes = router("risks")

type Level = Annotated[int, Field(strict=True, ge=1, le=5)]
"""1 (least) to 5 (most)."""


type Clause = Annotated[Prose, Field(min_length=1, pattern=r"\S")]
"""A part of the sentence that a risk is; not blank."""


class NewRisk(Body):
    """Because of the cause, the event may occur, with the effect; an id of the caller's own is safe to send twice."""

    risk_id: UUID | None = None
    project_id: UUID
    cause: Annotated[Clause, Field(examples=["The supplier has one certified engineer"])]
    event: Annotated[Clause, Field(examples=["The engineer leaves"])]
    effect: Annotated[Clause, Field(examples=["Acceptance slips by a quarter"])]
    category: Annotated[Name, Field(examples=["supplier"])]
    probability: Annotated[Level | None, Field(examples=[3])] = None
    impact: Annotated[Level | None, Field(examples=[4])] = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.probability is None) != (self.impact is None):
            raise ValueError("a rating is probability and impact, both or neither")
        return self

    def rating(self) -> Rating | None:
        """The rating, if there is one."""
        if self.probability is None or self.impact is None:
            return None
        return Rating(self.probability, self.impact)


class RatingBody(Body):
    """How probable, and how much it would matter."""

    probability: Annotated[Level, Field(examples=[3])]
    impact: Annotated[Level, Field(examples=[4])]


class Closure(Body):
    """Why a risk is followed no more."""

    reason: Annotated[Name, Field(examples=["A second engineer is certified"])]


async def _project(project_id: UUID, call: Call) -> KnownProject | None:
    seen = await project_concerned(call, project_id)
    return KnownProject(seen.project_id, seen.project_version) if seen else None


async def _is_there_if_raised(risk_id: UUID, call: Call) -> None:
    """Raises `IdTaken` for a risk of that id which is none for who asks."""
    match await call.fold(risk_decider, f"risk-{risk_id}"):
        case Open(raised) | Closed(raised):
            await project_is_there(call, raised.project_id)


@routes.post("/risks", status_code=201, summary="Raise a risk")
async def raise_risk(body: NewRisk, call: Calling) -> Response:
    """And rate it at once, if probability and impact are known."""
    risk_id = body.risk_id or call.new_id()
    project = await _project(body.project_id, call)
    if body.risk_id and project:
        await _is_there_if_raised(risk_id, call)
    command = RaiseRisk(
        risk_id=risk_id,
        project=project,
        cause=body.cause,
        event=body.event,
        effect=body.effect,
        category=body.category,
        rating=body.rating(),
    )
    return await call.handle(risk_decider, f"risk-{risk_id}", command, created=risk_id)


@routes.post("/risks/{risk_id}/rating", status_code=204, summary="Rate a risk")
async def rate_risk(risk_id: UUID, body: RatingBody, call: Calling) -> Response:
    """The matrix in force gives the band."""
    return await _handle(call, risk_id, RateRisk(risk_id, Rating(body.probability, body.impact)))


@routes.post("/risks/{risk_id}/closure", status_code=204, summary="Close a risk")
async def close_risk(risk_id: UUID, body: Closure, call: Calling) -> Response:
    """It counts no more in any total from now on."""
    return await _handle(call, risk_id, CloseRisk(risk_id), reason=body.reason)


async def _handle(call: Call, risk_id: UUID, command: RateRisk | CloseRisk, *, reason: str | None = None) -> Response:
    """Concerns the unit that has the risk's project now, wherever it was when the risk was raised."""
    stream = f"risk-{risk_id}"
    match await call.fold(risk_decider, stream):
        case Open(raised) | Closed(raised):
            await project_concerned(call, raised.project_id)
    return await call.handle(risk_decider, stream, command, reason=reason)


RISK_PROBES = (
    Probe(rate_risk, RatingBody.model_construct(probability=0, impact=0)),
    Probe(close_risk, Closure.model_construct(reason="")),
)
"""What may be done with a risk, to be asked in advance."""
