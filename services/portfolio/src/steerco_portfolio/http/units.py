"""Commands on the organization."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, get_args
from uuid import UUID

from fastapi import Response
from pydantic import Field

from steerco_events.commands.judging import Forbidden
from steerco_events.contracts.portfolio import Duties, PmoModel, UnitKind
from steerco_portfolio.domain.organization import (
    ORGANIZATION,
    AdoptPmoModel,
    CloseUnit,
    MoveUnit,
    OpenUnit,
    OrganizationCommand,
    RenameUnit,
    SeparateDuties,
    Unit,
    UnitWouldHangUnderItself,
)
from steerco_portfolio.domain.organization_rules import organization_decider
from steerco_service.access.permissions import ROLES
from steerco_service.actions import Probe
from steerco_service.asking import Asking
from steerco_service.bodies import Body, Code, Day, Name
from steerco_service.call import Call, Calling
from steerco_service.routing import router

routes = router("organization")


class NewUnit(Body):
    """A unit to open; an id of the caller's own makes sending it twice harmless."""

    unit_id: UUID | None = None
    code: Annotated[Code, Field(examples=["LIC-operations"])]
    name: Annotated[Name, Field(examples=["Licensing operations"])]
    kind: Annotated[UnitKind, Field(examples=["department"])]
    parent_id: UUID | None = None
    pmo_model: PmoModel | None = None


class UnitName(Body):
    """Another name."""

    name: Annotated[Name, Field(examples=["Licensing and registration"])]


class UnitMove(Body):
    """A new parent, and why."""

    parent_id: UUID
    reason: Annotated[Name, Field(examples=["Inspections join the supervision of markets"])]


class UnitClosure(Body):
    """Why a unit is closed."""

    reason: Annotated[Name, Field(examples=["Merged into licensing operations"])]


class PmoModelChoice(Body):
    """A PMO model, and the day from which it holds."""

    pmo_model: Annotated[PmoModel, Field(examples=["coach"])]
    effective_on: Annotated[Day, Field(examples=["2027-01-01"])]
    reason: Name | None = None


class SeparationOfDuties(Body):
    """Whether one person may do both, and the day from which that holds."""

    duties: Annotated[Duties, Field(examples=["pitch_submission_and_decision"])]
    is_required: Annotated[bool, Field(strict=True, description="That they are kept apart.", examples=[True])]
    effective_on: Annotated[Day, Field(examples=["2027-01-01"])]
    reason: Name | None = None


@routes.post("/units", status_code=201, summary="Open a unit")
async def open_unit(body: NewUnit, call: Calling) -> Response:
    """One enterprise without a parent; business units below it; departments below those."""
    unit_id = body.unit_id or call.new_id()
    command = OpenUnit(
        unit_id=unit_id,
        code=body.code,
        name=body.name,
        kind=body.kind,
        parent_id=body.parent_id,
        pmo_model=body.pmo_model,
    )
    return await _handle(call, command, unit_id, created=unit_id)


@routes.put("/units/{unit_id}/name", status_code=204, summary="Rename a unit")
async def rename_unit(unit_id: UUID, body: UnitName, call: Calling) -> Response:
    """Its code stays."""
    return await _handle(call, RenameUnit(unit_id, body.name), unit_id)


@routes.post("/units/{unit_id}/move", status_code=204, summary="Move a unit under another parent")
async def move_unit(unit_id: UUID, body: UnitMove, call: Calling) -> Response:
    """With all that is below it; no project is rewritten. It takes a role for it at the present parent, too."""
    unit = await _unit(call, unit_id)
    if unit:
        call.concerns(*filter(None, [unit.parent_id]))
        if not _may_above(call.asking, unit):
            raise Forbidden("a unit is moved by who has a role for it at the unit above, too")
    return await _handle(call, MoveUnit(unit_id, body.parent_id), unit_id, reason=body.reason)


@routes.post("/units/{unit_id}/closure", status_code=204, summary="Close a unit")
async def close_unit(unit_id: UUID, body: UnitClosure, call: Calling) -> Response:
    """It takes no new projects; those that it has stay until they are moved."""
    return await _handle(call, CloseUnit(unit_id), unit_id, reason=body.reason)


@routes.post("/units/{unit_id}/pmo-model", status_code=204, summary="Adopt a PMO model")
async def adopt_pmo_model(unit_id: UUID, body: PmoModelChoice, call: Calling) -> Response:
    """From that day the office of the unit is that strong; units below inherit it."""
    command = AdoptPmoModel(unit_id, body.pmo_model, body.effective_on)
    return await _handle(call, command, unit_id, reason=body.reason)


@routes.put("/units/{unit_id}/separation-of-duties", status_code=204, summary="Keep two duties apart, or no more")
async def separate_duties(unit_id: UUID, body: SeparationOfDuties, call: Calling) -> Response:
    """From that day, here and in the units below: what a unit above requires is required here whatever is said here.

    Whoever it binds does not lift it: that takes a role for it at the unit above or, where none is above, in the
    whole enterprise, and not as a deputy.
    """
    unit = None if body.is_required else await _unit(call, unit_id)
    if unit and not _may_above(call.asking.as_one_of(ROLES, in_person=True), unit):
        raise Forbidden("what a unit requires is lifted by who has a role for it at the unit above, and by no deputy")
    command = SeparateDuties(unit_id, body.duties, body.is_required, body.effective_on)
    return await _handle(call, command, unit_id, reason=body.reason)


async def _unit(call: Call, unit_id: UUID) -> Unit | None:
    """The unit of an id, if there is one for who asks. Raises `Forbidden` where they see it only."""
    organization = await call.fold(organization_decider, ORGANIZATION)
    return organization.units.get(unit_id) if call.asking.has_unit(unit_id) else None


def _may_above(asking: Asking, unit: Unit) -> bool:
    """Whether who asks may do it above a unit: at its parent or, where it has none, in the whole enterprise."""
    return asking.scope.has_unit(unit.parent_id)


async def _handle(
    call: Call,
    command: OrganizationCommand,
    unit_id: UUID,
    *,
    created: UUID | None = None,
    reason: str | None = None,
) -> Response:
    call.concerns(unit_id)
    match command:
        case OpenUnit(parent_id=parent_id):
            call.concerns(*filter(None, [parent_id]))
            call.within(parent_id)
        case MoveUnit(parent_id=parent_id):
            call.concerns(parent_id)
            call.within(unit_id, parent_id)
        case _:
            call.within(unit_id)
    return await call.handle(organization_decider, ORGANIZATION, command, created=created, reason=reason)


def unit_probes(unit_id: UUID, new_parent_id: UUID | None) -> Sequence[Probe]:
    """What may be done with a unit, to be asked in advance; moved to where the caller may move it, if to anywhere."""
    return (
        Probe(rename_unit, UnitName.model_construct(name="")),
        Probe(
            move_unit,
            UnitMove.model_construct(parent_id=new_parent_id or unit_id, reason=""),
            means={UnitWouldHangUnderItself: "there is no other unit that it could hang under"},
        ),
        Probe(close_unit, UnitClosure.model_construct(reason="")),
        Probe(adopt_pmo_model, PmoModelChoice.model_construct(pmo_model="coach", effective_on=date.min)),
        *(_separating(duties, is_required) for duties in get_args(Duties.__value__) for is_required in (True, False)),
    )


def _separating(duties: Duties, is_required: bool) -> Probe:
    body = SeparationOfDuties.model_construct(duties=duties, is_required=is_required, effective_on=date.min)
    return Probe(separate_duties, body, chosen=("duties", "is_required"))
