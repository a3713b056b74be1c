"""Commands on learners."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import Field

from steerco_service.actions import Probe
from steerco_service.bodies import Body, Day, Name
from steerco_service.call import Calling
from steerco_service.routing import router
from steerco_training.domain.learner import RecordCompletion, WaiveObligation
from steerco_training.domain.learner_rules import learner_decider

routes = router("training")


class NewCompletion(Body):
    """A person completed a course; an id of the caller's own makes sending it twice harmless."""

    completion_id: UUID | None = None
    person_id: UUID
    course: Annotated[Name, Field(examples=["project-management-essentials"])]
    completed_on: Annotated[Day, Field(examples=["2026-06-12"])]


class Waiver(Body):
    """Why a person need not take the course."""

    reason: Annotated[Name, Field(examples=["Teaches the course"])]


@routes.post("/completions", status_code=201, summary="Record a completed course")
async def record_completion(body: NewCompletion, call: Calling) -> Response:
    """It fulfills what the person owes of that course, also when it is overdue."""
    stream = f"learner-{body.person_id}"
    owed = (await call.fold(learner_decider, stream)).owing(body.course)
    await call.about_person(body.person_id, *(each.raised.project_id for each in owed))
    completion_id = body.completion_id or call.new_id()
    command = RecordCompletion(completion_id, body.person_id, body.course, body.completed_on, call.now.date())
    return await call.handle(learner_decider, stream, command, created=completion_id)


@routes.post("/learners/{person_id}/obligations/{obligation_id}/waiver", status_code=204, summary="Waive an obligation")
async def waive_obligation(person_id: UUID, obligation_id: UUID, body: Waiver, call: Calling) -> Response:
    """While it is owed, with a reason: by who may where the project is that it comes from."""
    stream = f"learner-{person_id}"
    owed = (await call.fold(learner_decider, stream)).obligations.get(obligation_id)
    if owed:
        await call.about_person_at(owed.raised.project_id, person_id)
    else:
        await call.about_person(person_id)
    return await call.handle(learner_decider, stream, WaiveObligation(obligation_id), reason=body.reason)


OBLIGATION_PROBES = (Probe(waive_obligation, Waiver.model_construct(reason="")),)
"""What may be done with an obligation, to be asked in advance."""


def learner_probes(person_id: UUID) -> Sequence[Probe]:
    """What may be done with what a person owes and has completed, to be asked in advance."""
    completion = NewCompletion.model_construct(person_id=person_id, course="", completed_on=date.max)
    return (Probe(record_completion, completion, chosen=("person_id",)),)
