"""Intake as a whole: what it serves, projects and reacts to."""

from steerco_events.projections.model import View
from steerco_intake.http import pitches as pitch_commands
from steerco_intake.http import queries
from steerco_intake.projections.pitches import pitches
from steerco_intake.reactions.return_pitch_on_project_charter_refused import return_pitch_on_project_charter_refused
from steerco_service.access.placed import ACCESS
from steerco_service.reference.units import units_seen
from steerco_service.runtime import Service

INTAKE_VIEW = View("intake", 4, ("intake", "portfolio"), (pitches, units_seen, *ACCESS))

SERVICE = Service(
    name="intake",
    title="Steerco intake",
    description="Ideas put forward in a standard form, screened and decided.",
    migrations="steerco_intake.migrations",
    routers=(pitch_commands.routes, queries.routes),
    view=INTAKE_VIEW,
    reactions=(return_pitch_on_project_charter_refused,),
)
