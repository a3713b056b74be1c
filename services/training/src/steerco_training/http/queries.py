"""Questions about obligations, learners and courses."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel

from steerco_service.actions import Acted, Acting, Actions, in_full
from steerco_service.asking import Asker
from steerco_service.bodies import Name
from steerco_service.reading import Paged, Read
from steerco_service.routing import router
from steerco_training.domain.course import COURSES
from steerco_training.domain.learner import UnknownCompletion
from steerco_training.http.learners import OBLIGATION_PROBES, learner_probes
from steerco_training.projections.completions import completion_of, completions, completions_listed
from steerco_training.projections.obligations import ObligationRow, obligations, obligations_listed

routes = router("training")

type ObligationState = Literal["open", "overdue", "fulfilled", "waived"]


class ObligationAnswer(BaseModel):
    """A course that a person owes or owed; `overdue` once its day is over and it is owed still."""

    obligation_id: UUID
    person_id: UUID
    job_title: str
    project_id: UUID
    course: str
    due_on: date
    cause_id: UUID
    cause_type: str
    state: ObligationState
    reason: str | None


class CompletionAnswer(BaseModel):
    """A completed course."""

    completion_id: UUID
    person_id: UUID
    course: str
    completed_on: date


class ObligationInFull(ObligationAnswer, Acted):
    """A course that a person owes or owed, and what may be done with that."""


class CompletionInFull(CompletionAnswer, Acted):
    """A completed course, with which nothing may be done."""


class LearnerAnswer(Acted):
    """What a person owes and has completed, and what may be done with it."""

    person_id: UUID
    obligations: list[ObligationInFull]
    completions: list[CompletionAnswer]


class CourseAnswer(BaseModel):
    """One course; who owes it has so many days."""

    name: str
    title: str
    due_within_days: int


@routes.get("/obligations", summary="List obligations")
async def list_obligations(
    reading: Read,
    page: Paged,
    person_id: Annotated[UUID | None, Query(description="Of this person only.")] = None,
    project_id: Annotated[UUID | None, Query(description="Because of this project only.")] = None,
    course: Annotated[Name | None, Query(description="Of this course only.")] = None,
    state: Annotated[ObligationState | None, Query(description="In this state only.")] = None,
) -> list[ObligationAnswer]:
    """In the order of their ids; the next page is in the `Link` header."""
    rows = await obligations_listed(reading, page, person_id, project_id, course, state)
    return [ObligationAnswer.model_validate(row, from_attributes=True) for row in rows]


@routes.get("/learners/{person_id}", summary="What a person owes and has completed")
async def one_learner(person_id: UUID, acting: Acting, reading: Read, response: Response) -> LearnerAnswer:
    """Folded from the person's stream, whose version is the ETag; empty for a person that training never met."""
    if not await reading.has_person(person_id):
        return LearnerAnswer(person_id=person_id, obligations=[], completions=[], actions=[])
    stream = f"learner-{person_id}"
    owed = await reading.fold_all(obligations, stream, response)
    done = await reading.fold_all(completions, stream, response)
    return LearnerAnswer(
        person_id=person_id,
        obligations=[await _obligation(row, acting) for row in owed.values()],
        completions=[CompletionAnswer.model_validate(row, from_attributes=True) for row in done.values()],
        actions=await acting.of({"person_id": person_id}, learner_probes(person_id)),
    )


async def _obligation(row: ObligationRow, acting: Actions) -> ObligationInFull:
    ids = {"person_id": row.person_id, "obligation_id": row.obligation_id}
    answer = ObligationAnswer.model_validate(row, from_attributes=True)
    return in_full(ObligationInFull, answer, await acting.of(ids, OBLIGATION_PROBES))


@routes.get("/completions", summary="List completions")
async def list_completions(
    reading: Read,
    page: Paged,
    person_id: Annotated[UUID | None, Query(description="Of this person only.")] = None,
    course: Annotated[Name | None, Query(description="Of this course only.")] = None,
) -> list[CompletionAnswer]:
    """In the order of their ids; the next page is in the `Link` header."""
    rows = await completions_listed(reading, page, person_id, course)
    return [CompletionAnswer.model_validate(row, from_attributes=True) for row in rows]


@routes.get("/completions/{completion_id}", summary="One completion")
async def one_completion(completion_id: UUID, reading: Read) -> CompletionInFull:
    """From the view: one that was just recorded is there for its consistency token."""
    row = await completion_of(reading, completion_id)
    if row is None:
        raise UnknownCompletion("no completion has this id")
    return in_full(CompletionInFull, CompletionAnswer.model_validate(row, from_attributes=True), [])


@routes.get("/courses", summary="The courses of the office")
async def list_courses(_: Asker) -> list[CourseAnswer]:
    """All of them."""
    return [CourseAnswer(name=c.name, title=c.title, due_within_days=c.due_within.days) for c in COURSES]
