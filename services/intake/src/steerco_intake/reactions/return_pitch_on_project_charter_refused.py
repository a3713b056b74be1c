"""portfolio could not charter an approved pitch: it goes back to be mended, with portfolio's words as the reason."""

from collections.abc import Sequence

from steerco_events.consuming.reactions import Order, Reaction, Sight
from steerco_events.contracts.portfolio import ProjectCharterRefused
from steerco_events.envelope import Recorded
from steerco_intake.domain.pitch import ReturnUnchartered
from steerco_intake.domain.pitch_rules import pitch_decider


async def react(_: Sight, event: Recorded) -> Sequence[Order]:
    """The pitch is there: its approval is what portfolio reacted to."""
    refused = event.payload
    if not isinstance(refused, ProjectCharterRefused):
        return []
    command = ReturnUnchartered(refused.pitch_id)
    return [Order(pitch_decider, f"pitch-{refused.pitch_id}", command, None, reason=refused.detail)]


return_pitch_on_project_charter_refused = Reaction("return_pitch_on_project_charter_refused", "portfolio", react)
