"""intake approved a pitch: charter its project, or record why that can't be."""

from collections.abc import Sequence

from steerco_events.consuming.reactions import Order, Reaction, Sight
from steerco_events.contracts.intake import PitchApproved
from steerco_events.decider import Refusal
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_portfolio.domain.organization import ORGANIZATION
from steerco_portfolio.domain.organization_rules import organization_decider
from steerco_portfolio.domain.placement import unit_for_delivery
from steerco_portfolio.domain.project import CharterProject, RefuseCharter
from steerco_portfolio.domain.project_rules import project_decider


async def react(sight: Sight, event: Recorded) -> Sequence[Order]:
    """The project's id derives from the pitch's, so that a client can ask for it at once."""
    approved = event.payload
    if not isinstance(approved, PitchApproved):
        return []
    organization = await sight.fold(organization_decider, ORGANIZATION)
    project_id = derived_id("project", approved.pitch_id)
    command = CharterProject(
        project_id=project_id,
        code=approved.project_code,
        title=approved.title,
        unit=unit_for_delivery(organization, approved.unit_id),
        currency=approved.currency,
        pitch_id=approved.pitch_id,
    )

    def refused(refusal: Refusal) -> RefuseCharter:
        return RefuseCharter(project_id, approved.pitch_id, type(refusal).__name__, refusal.detail)

    return [Order(project_decider, f"project-{project_id}", command, refused)]


charter_project_on_pitch_approved = Reaction("charter_project_on_pitch_approved", "intake", react)
