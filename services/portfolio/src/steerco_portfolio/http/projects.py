"""Commands on projects."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Response
from pydantic import Field, model_validator

from steerco_events.contracts.portfolio import ProjectState, Rating
from steerco_portfolio.domain.organization import ORGANIZATION
from steerco_portfolio.domain.organization_rules import organization_decider
from steerco_portfolio.domain.placement import unit_for_delivery
from steerco_portfolio.domain.project import (
    AppointManager,
    AssessDeliveryConfidence,
    CloseProject,
    KnownUnit,
    MoveProject,
    ProjectCommand,
    PutOnHold,
    RegisterProject,
    RenameProject,
    Resume,
    StartClosing,
    StartExecution,
    StartPlanning,
    StateDates,
    Terminate,
    Transition,
)
from steerco_portfolio.domain.project_rules import project_decider
from steerco_portfolio.http.appointments import check_is_not_ones_own
from steerco_service.actions import NOBODY, Probe
from steerco_service.bodies import Body, Code, Currency, Day, Name, Prose, StatedDateBody
from steerco_service.call import Call, Calling
from steerco_service.routing import router

routes = router("projects")


class Dates(Body):
    """When a project starts and ends: days, or the words of the source, or nothing."""

    start: Annotated[StatedDateBody, Field(examples=[{"on": "2026-04-01"}])] = StatedDateBody()
    end: Annotated[StatedDateBody, Field(examples=[{"said": "After the election"}])] = StatedDateBody()


class NewProject(Dates):
    """A project that ran elsewhere; an id of the caller's own makes sending it twice harmless."""

    project_id: UUID | None = None
    code: Annotated[Code, Field(examples=["LIC-07"])]
    title: Annotated[Name, Field(examples=["Renewal of the call center"])]
    unit_id: UUID
    currency: Annotated[Currency, Field(examples=["EUR"])]
    source: Annotated[Name, Field(examples=["project register 2026"])]
    reference: Annotated[Name, Field(examples=["7"])]
    state: ProjectState = "executing"


class Title(Body):
    """Another title."""

    title: Annotated[Name, Field(examples=["Renewal of the contact center"])]


type GivenRating = Literal["green", "amber_green", "amber", "amber_red", "red"]
"""The ratings that an assessor can give."""


class Assessment(Body):
    """How likely the project delivers, in an assessor's view; or the words `said` in a rating's place; or neither."""

    assessor: Annotated[Name, Field(examples=["independent review"])]
    rating: Annotated[GivenRating | None, Field(examples=["amber"])] = None
    said: Annotated[Name | None, Field(examples=["Exempt under the law"])] = None
    assessed_on: Day | None = None
    evidence: Prose | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.rating and self.said:
            raise ValueError("an assessment is a rating or words, not both")
        return self

    def given(self) -> Rating:
        """The rating; `undisclosed` if there are words in its place, `not_rated` if there is nothing."""
        return self.rating or ("undisclosed" if self.said else "not_rated")


class Manager(Body):
    """Who manages the project: a person's id and a job title, no name."""

    person_id: UUID
    job_title: Annotated[Name, Field(examples=["Senior project manager"])]
    from_on: Annotated[Day, Field(examples=["2026-05-01"])]


class ProjectMove(Body):
    """Another unit, and why."""

    unit_id: UUID
    reason: Annotated[Name, Field(examples=["The unit that will run it takes it over"])]


type NextState = Literal["planning", "executing", "closing", "closed", "on_hold", "resumed", "terminated"]


class StateChange(Body):
    """The next state, or `resumed` to go back to the one before a hold."""

    to: Annotated[NextState, Field(examples=["executing"])]
    reason: Name | None = None


TRANSITIONS: dict[NextState, type[Transition]] = {
    "planning": StartPlanning,
    "executing": StartExecution,
    "closing": StartClosing,
    "closed": CloseProject,
    "on_hold": PutOnHold,
    "resumed": Resume,
    "terminated": Terminate,
}
"""The command behind each `to` of a state change."""


async def _unit(unit_id: UUID, call: Call) -> KnownUnit | None:
    if not call.asking.has_unit(unit_id):
        return None
    return unit_for_delivery(await call.fold(organization_decider, ORGANIZATION), unit_id)


async def _handle(
    call: Call,
    project_id: UUID,
    command: ProjectCommand,
    *,
    created: UUID | None = None,
    reason: str | None = None,
) -> Response:
    stream = f"project-{project_id}"
    call.of_project(project_id)
    return await call.handle(project_decider, stream, command, created=created, reason=reason)


@routes.post("/projects", status_code=201, summary="Register a project that ran elsewhere")
async def register_project(body: NewProject, call: Calling) -> Response:
    """With its source and its reference there, in the state that it was in."""
    project_id = body.project_id or call.new_id()
    command = RegisterProject(
        project_id=project_id,
        code=body.code,
        title=body.title,
        unit=await _unit(body.unit_id, call),
        currency=body.currency,
        state=body.state,
        source=body.source,
        reference=body.reference,
        start=body.start.stated_date(),
        end=body.end.stated_date(),
    )
    return await _handle(call, project_id, command, created=project_id)


@routes.put("/projects/{project_id}/title", status_code=204, summary="Rename a project")
async def rename_project(project_id: UUID, body: Title, call: Calling) -> Response:
    """Its code stays."""
    return await _handle(call, project_id, RenameProject(project_id, body.title))


@routes.put("/projects/{project_id}/dates", status_code=204, summary="State a project's dates")
async def state_dates(project_id: UUID, body: Dates, call: Calling) -> Response:
    """As said; an end before the start is kept, flagged, and not planned on."""
    command = StateDates(project_id, body.start.stated_date(), body.end.stated_date())
    return await _handle(call, project_id, command)


@routes.post("/projects/{project_id}/assessments", status_code=204, summary="Assess delivery confidence")
async def assess_project(project_id: UUID, body: Assessment, call: Calling) -> Response:
    """By a named assessor; each assessor's newest rating counts. Neither rating nor words takes it back."""
    command = AssessDeliveryConfidence(
        project_id, body.assessor, body.given(), body.assessed_on, body.evidence, body.said
    )
    return await _handle(call, project_id, command)


@routes.post("/projects/{project_id}/manager", status_code=204, summary="Appoint the manager")
async def appoint_manager(project_id: UUID, body: Manager, call: Calling) -> Response:
    """Training follows: an appointed manager owes the course that managing asks for. Nobody appoints themselves."""
    check_is_not_ones_own(call, body.person_id)
    command = AppointManager(project_id, body.person_id, body.job_title, body.from_on)
    return await _handle(call, project_id, command)


@routes.post("/projects/{project_id}/move", status_code=204, summary="Move a project to another unit")
async def move_project(project_id: UUID, body: ProjectMove, call: Calling) -> Response:
    """With all its facts; what was known before stays as it was."""
    command = MoveProject(project_id, await _unit(body.unit_id, call))
    return await _handle(call, project_id, command, reason=body.reason)


@routes.post("/projects/{project_id}/transition", status_code=204, summary="Move a project to another state")
async def change_state(project_id: UUID, body: StateChange, call: Calling) -> Response:
    """Chartered → planning → executing → closing → closed; on hold and resumed; terminated."""
    return await _handle(call, project_id, TRANSITIONS[body.to](project_id), reason=body.reason)


_UNHEARD_OF = StatedDateBody.model_construct(on=None, said=" ")


def project_probes(elsewhere: UUID) -> Sequence[Probe]:
    """What may be done with a project, to be asked in advance; moved to where the caller may move it."""
    return (
        Probe(rename_project, Title.model_construct(title="")),
        Probe(state_dates, Dates(start=_UNHEARD_OF, end=_UNHEARD_OF)),
        Probe(assess_project, Assessment.model_construct(assessor="", rating="green")),
        Probe(appoint_manager, Manager.model_construct(person_id=NOBODY, job_title="", from_on=date.min)),
        Probe(move_project, ProjectMove.model_construct(unit_id=elsewhere, reason="")),
        *(Probe(change_state, StateChange.model_construct(to=to), chosen=("to",)) for to in TRANSITIONS),
    )
