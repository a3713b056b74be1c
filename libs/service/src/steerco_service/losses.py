"""A reaction that stopped for a restore, as operations see it: what another's log lost is accepted, and it goes on."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, Field

from steerco_events.consuming.reactions import Reaction
from steerco_events.postgres.losses import NothingLost, accept_loss, accepted_losses
from steerco_service.asking import Asker, runtime_of
from steerco_service.bodies import Body, Name
from steerco_service.parked import Line
from steerco_service.problems import Problem
from steerco_service.routing import router
from steerco_service.runtime import Runtime

routes = router("log")

_EXAMPLE: dict[str, Any] = {
    "reaction": "charter_project_on_pitch_approved",
    "service": "intake",
    "from_generation": 1,
    "from_positions": [2612, 2598, 2612, 2607, 2611, 2612, 2590, 2612, 2612, 2601, 2612, 2612],
    "generation": 2,
    "kept": 2400,
    "accepted_at": "2026-03-31T12:00:00Z",
    "accepted_by": "0198c1de-7c5b-7b0e-9a59-3d0f6b8f6a10",
    "reason": "The disk of intake's database was lost; the pitches of that hour were handed in again",
}


class AcceptLoss(Body):
    """Why what the other log lost may stay lost."""

    reason: Name = Field(description="Kept with where the reaction stood.", examples=["The disk was lost"])


class LossState(BaseModel):
    """Where a reaction was taken back to in another's log, and from where; who wanted it so, when and why."""

    model_config = {"json_schema_extra": {"examples": [_EXAMPLE]}, "from_attributes": True}

    reaction: str = Field(validation_alias="consumer")
    service: str = Field(description="Whose log was restored.")
    from_generation: int
    from_positions: list[int] = Field(description="How far it had come, by partition.")
    generation: int = Field(description="The generation in which it goes on.")
    kept: int = Field(description="The position after which it goes on.")
    accepted_at: datetime
    accepted_by: UUID
    reason: str


@routes.post("/log/reactions/{name}/accept-loss", summary="Let a reaction go on that a restored log has stopped")
async def accept(name: Line, body: AcceptLoss, request: Request, asker: Asker) -> LossState:
    """It goes on with the first event that the restored log has after what both have.

    What it did because of events that are lost stays done. Asked again, the answer is what was accepted first.
    """
    runtime = runtime_of(request)
    reaction = _reaction(runtime, name)
    async with runtime.engine.begin() as tx:
        by, at = asker.principal.actor.id, runtime.clock.now()
        try:
            loss = await accept_loss(tx, reaction.name, reaction.service, by, body.reason, at)
        except NothingLost as error:
            raise Problem(409, "nothing-lost", str(error)) from error
    return LossState.model_validate(loss)


@routes.get("/log/reactions/{name}/accepted-losses", summary="List what was accepted as lost for a reaction")
async def list_accepted(name: Line, request: Request, _: Asker) -> list[LossState]:
    """The last first."""
    runtime = runtime_of(request)
    reaction = _reaction(runtime, name)
    async with runtime.engine.connect() as connection:
        found = await accepted_losses(connection, reaction.name, reaction.service)
    return [LossState.model_validate(each) for each in found]


def _reaction(runtime: Runtime, name: str) -> Reaction:
    found = {each.name: each for each in runtime.service.reactions}
    if name not in found:
        has = f"it has {', '.join(found)}" if found else "it has none"
        raise Problem(404, "unknown-reaction", f"{runtime.service.name} has no reaction {name!r}; {has}")
    return found[name]
