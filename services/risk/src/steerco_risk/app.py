"""Risk as a whole: what it serves and projects."""

from steerco_events.projections.model import View
from steerco_risk.http import queries
from steerco_risk.http import risks as risk_commands
from steerco_risk.projections.risks import risks
from steerco_service.access.placed import ACCESS
from steerco_service.reference.projects import projects_seen
from steerco_service.runtime import Service

RISK_VIEW = View("risk", 3, ("risk", "portfolio"), (risks, projects_seen, *ACCESS))

SERVICE = Service(
    name="risk",
    title="Steerco risk",
    description="What may occur, how probable it is, and how much it would matter.",
    migrations="steerco_risk.migrations",
    routers=(risk_commands.routes, queries.routes),
    view=RISK_VIEW,
)
