"""Finance as a whole: what it serves and projects."""

from steerco_events.projections.model import View
from steerco_finance.http import figures as figure_commands
from steerco_finance.http import postings as posting_commands
from steerco_finance.http import queries
from steerco_finance.projections.figures import figures
from steerco_finance.projections.postings import postings
from steerco_service.access.placed import ACCESS
from steerco_service.reference.projects import projects_seen
from steerco_service.runtime import Service

FINANCE_VIEW = View("finance", 3, ("finance", "portfolio"), (figures, postings, projects_seen, *ACCESS))

SERVICE = Service(
    name="finance",
    title="Steerco finance",
    description="Budgets, forecasts and actual costs, by measure and period.",
    migrations="steerco_finance.migrations",
    routers=(figure_commands.routes, posting_commands.routes, queries.routes),
    view=FINANCE_VIEW,
)
