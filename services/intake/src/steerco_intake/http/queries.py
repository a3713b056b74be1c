"""Questions about pitches and templates."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel

from steerco_intake.domain.pitch import UnknownPitch
from steerco_intake.domain.template import TEMPLATES
from steerco_intake.http.pitches import pitch_probes
from steerco_intake.projections.pitches import PitchRow, pitches, pitches_listed
from steerco_service.actions import Acted, Acting
from steerco_service.asking import Asker
from steerco_service.bodies import Day, MoneyAnswer
from steerco_service.reading import Paged, Read
from steerco_service.routing import router

routes = router("pitches")

type PitchState = Literal["submitted", "screened", "approved", "rejected", "deferred", "returned", "withdrawn"]


class PitchAnswer(BaseModel):
    """One pitch; `until_on` while it is deferred, `reason` of what was last decided."""

    pitch_id: UUID
    title: str
    unit_id: UUID
    project_code: str
    currency: str
    estimated_cost: MoneyAnswer | None
    state: PitchState
    submitted_at: datetime
    until_on: date | None
    reason: str | None


class PitchInFull(PitchAnswer, Acted):
    """One pitch with all that it says, the note of its screening, and what may be done with it."""

    template: str
    template_version: int
    fields: dict[str, str]
    note: str | None


def _answer[Answer: PitchAnswer](answer: type[Answer], row: PitchRow, **more: object) -> Answer:
    cost = MoneyAnswer.of(row.estimated_cost) if row.estimated_cost else None
    of_row = {name: getattr(row, name) for name in answer.model_fields if name not in more}
    return answer.model_validate(of_row | {"estimated_cost": cost} | more)


class FieldAnswer(BaseModel):
    """A field of a template."""

    name: str
    label: str
    kind: str
    required: bool
    message: str


class TemplateAnswer(BaseModel):
    """A pitch template."""

    name: str
    version: int
    title: str
    fields: list[FieldAnswer]


@routes.get("/pitches", summary="List pitches")
async def list_pitches(
    reading: Read,
    page: Paged,
    unit_id: Annotated[UUID | None, Query(description="Of this unit only.")] = None,
    state: Annotated[PitchState | None, Query(description="In this state only.")] = None,
    until_on: Annotated[Day | None, Query(description="Deferred to this day or an earlier one only.")] = None,
) -> list[PitchAnswer]:
    """In the order of their ids; the next page is in the `Link` header."""
    return [_answer(PitchAnswer, row) for row in await pitches_listed(reading, page, unit_id, state, until_on)]


@routes.get("/pitches/{pitch_id}", summary="One pitch")
async def one_pitch(pitch_id: UUID, acting: Acting, reading: Read, response: Response) -> PitchInFull:
    """Folded from its stream: never behind what was last accepted. Its version is the ETag."""
    row = await reading.fold(pitches, f"pitch-{pitch_id}", response)
    if row is None or not reading.asking.has_unit(row.unit_id):
        raise UnknownPitch("no pitch has this id")
    return _answer(PitchInFull, row, actions=await acting.of({"pitch_id": pitch_id}, pitch_probes(row.unit_id)))


@routes.get("/templates", summary="The pitch templates")
async def list_templates(_: Asker) -> list[TemplateAnswer]:
    """Each published version, with its fields."""
    return [TemplateAnswer.model_validate(each, from_attributes=True) for each in TEMPLATES]
