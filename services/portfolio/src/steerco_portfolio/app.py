"""Portfolio as a whole: what it serves, projects and reacts to."""

from steerco_events.projections.model import View
from steerco_portfolio.http import appointments as appointment_routes
from steerco_portfolio.http import people as people_routes
from steerco_portfolio.http import projects as project_commands
from steerco_portfolio.http import queries, register_rows
from steerco_portfolio.http import units as unit_commands
from steerco_portfolio.projections.appointments import appointments
from steerco_portfolio.projections.projects import projects
from steerco_portfolio.projections.register_rows import register_rows as rows_kept
from steerco_portfolio.projections.units import units
from steerco_portfolio.reactions.apply_erasures_on_start import apply_erasures_on_start
from steerco_portfolio.reactions.appoint_first_admin_on_first_start import appoint_first_admin_on_first_start
from steerco_portfolio.reactions.charter_project_on_pitch_approved import charter_project_on_pitch_approved
from steerco_service.access.placed import ACCESS
from steerco_service.reference.people import people
from steerco_service.runtime import Runtime, Service

PORTFOLIO_VIEW = View("portfolio", 5, ("portfolio",), (units, people, appointments, projects, rows_kept, *ACCESS))


async def begin(runtime: Runtime) -> None:
    """What portfolio does at each start."""
    await appoint_first_admin_on_first_start(runtime)
    await apply_erasures_on_start(runtime)


SERVICE = Service(
    name="portfolio",
    title="Steerco portfolio",
    description="The organization, who is appointed to what in it, and the projects of its units.",
    migrations="steerco_portfolio.migrations",
    routers=(
        unit_commands.routes,
        people_routes.routes,
        appointment_routes.routes,
        project_commands.routes,
        register_rows.routes,
        queries.routes,
    ),
    view=PORTFOLIO_VIEW,
    reactions=(charter_project_on_pitch_approved,),
    begins=begin,
    keeps_keys=True,
)
