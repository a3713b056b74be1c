"""portfolio appointed a project manager: the person owes the course that managing asks for."""

from collections.abc import Sequence

from steerco_events.consuming.reactions import Order, Reaction, Sight
from steerco_events.contracts.portfolio import ProjectManagerAppointed
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_training.domain.course import MANAGING_PROJECTS
from steerco_training.domain.learner import RaiseObligation
from steerco_training.domain.learner_rules import learner_decider


async def react(_: Sight, event: Recorded) -> Sequence[Order]:
    """The obligation names the appointment as its cause."""
    appointed = event.payload
    if not isinstance(appointed, ProjectManagerAppointed):
        return []
    command = RaiseObligation(
        obligation_id=derived_id("obligation", event.id),
        person_id=appointed.person_id,
        job_title=appointed.job_title,
        project_id=appointed.project_id,
        course=MANAGING_PROJECTS.name,
        from_on=appointed.from_on,
        cause_id=event.id,
        cause_type=event.type,
    )
    return [Order(learner_decider, f"learner-{appointed.person_id}", command, refused=None)]


raise_obligation_on_manager_appointed = Reaction("raise_obligation_on_manager_appointed", "portfolio", react)
