"""Portfolio as a whole: what it serves, projects and reacts to."""

from steerco_events.projections.model import View
from steerco_portfolio.http import projects as project_commands
from steerco_portfolio.http import queries, register_rows
from steerco_portfolio.http import units as unit_commands
from steerco_portfolio.projections.projects import projects
from steerco_portfolio.projections.register_rows import register_rows as rows_kept
from steerco_portfolio.projections.units import units
from steerco_portfolio.reactions.charter_project_on_pitch_approved import charter_project_on_pitch_approved
from steerco_service.runtime import Service

PORTFOLIO_VIEW = View("portfolio", 3, ("portfolio",), (units, projects, rows_kept))

SERVICE = Service(
    name="portfolio",
    title="Steerco portfolio",
    description="The organization, and the projects of its units.",
    migrations="steerco_portfolio.migrations",
    routers=(unit_commands.routes, project_commands.routes, register_rows.routes, queries.routes),
    view=PORTFOLIO_VIEW,
    reactions=(charter_project_on_pitch_approved,),
)
