"""Commands on actual costs."""

from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import Field

from steerco_events.ids import derived_id
from steerco_finance.domain.posting import (
    PostActualCost,
    Posted,
    ReverseActualCost,
    Reversed,
    posting_decider,
)
from steerco_finance.http.projects import known_project
from steerco_service.actions import Probe
from steerco_service.bodies import Body, Day, MoneyBody, Name, Period
from steerco_service.call import Calling
from steerco_service.reference.projects import project_concerned, project_is_there
from steerco_service.routing import router

routes = router("postings")


class NewPosting(Body):
    """What a document says was spent; source and reference name the document."""

    project_id: UUID
    source: Annotated[Name, Field(examples=["ledger"])]
    reference: Annotated[Name, Field(examples=["INV-2026-0815"])]
    cost: MoneyBody
    incurred_on: Annotated[Day, Field(examples=["2026-09-20"])]
    period: Annotated[Period, Field(examples=["fiscal_year 2026"])]


class Reversal(Body):
    """Why a posting counts no more."""

    reason: Annotated[Name, Field(examples=["Posted to the wrong project"])]


@routes.post("/postings", status_code=201, summary="Post an actual cost")
async def post_actual_cost(body: NewPosting, call: Calling) -> Response:
    """Once per document: the same again changes nothing, other content is refused."""
    posting_id = derived_id("posting", body.source, body.reference)
    project = await known_project(body.project_id, call)
    match await call.fold(posting_decider, f"posting-{posting_id}"):
        case Posted(posting) | Reversed(posting) if project:
            await project_is_there(call, posting.project_id)
    command = PostActualCost(
        posting_id=posting_id,
        project=project,
        source=body.source,
        reference=body.reference,
        cost=body.cost.money(),
        incurred_on=body.incurred_on,
        period=body.period,
        today=call.now.date(),
    )
    return await call.handle(posting_decider, f"posting-{posting_id}", command, created=posting_id)


@routes.post("/postings/{posting_id}/reversal", status_code=204, summary="Reverse an actual cost")
async def reverse_actual_cost(posting_id: UUID, body: Reversal, call: Calling) -> Response:
    """It counts no more; both stay in the log."""
    stream = f"posting-{posting_id}"
    match await call.fold(posting_decider, stream):
        case Posted(posting) | Reversed(posting):
            await project_concerned(call, posting.project_id)
    return await call.handle(posting_decider, stream, ReverseActualCost(posting_id), reason=body.reason)


POSTING_PROBES = (Probe(reverse_actual_cost, Reversal.model_construct(reason="")),)
"""What may be done with a posting, to be asked in advance."""
