"""Reporting as a whole: one view, built from the logs of all services, and the questions that it answers."""

from steerco_events.projections.model import View
from steerco_reporting.http import appointments as appointment_routes
from steerco_reporting.http import logs, portfolio, register, stories
from steerco_reporting.projections.actual_costs import actual_costs
from steerco_reporting.projections.appointments import appointments
from steerco_reporting.projections.assessments import assessments
from steerco_reporting.projections.figures import figures
from steerco_reporting.projections.obligations import obligations
from steerco_reporting.projections.pitches import pitches
from steerco_reporting.projections.projects import projects
from steerco_reporting.projections.risks import risks
from steerco_reporting.projections.story import events
from steerco_reporting.projections.units import units
from steerco_service.access.placed import ACCESS
from steerco_service.runtime import Service

PORTFOLIO_REGISTER = View(
    "portfolio_register",
    6,
    ("intake", "portfolio", "finance", "risk", "training"),
    (units, projects, appointments, assessments, figures, actual_costs, risks, obligations, pitches, events, *ACCESS),
)

SERVICE = Service(
    name="reporting",
    title="Steerco reporting",
    description="The portfolio at every scope and as of any instant, built from the logs alone.",
    migrations="steerco_reporting.migrations",
    routers=(portfolio.routes, register.routes, appointment_routes.routes, stories.routes, logs.routes),
    view=PORTFOLIO_REGISTER,
    owns_log=False,
)
