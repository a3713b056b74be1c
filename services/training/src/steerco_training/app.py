"""Training as a whole: what it serves, projects and reacts to, and what keeps time in it."""

from steerco_events.projections.model import View
from steerco_events.timing.timetable import TimedDecider
from steerco_service.access.placed import ACCESS
from steerco_service.runtime import Service
from steerco_training.domain.learner_rules import learner_decider, project_of
from steerco_training.http import learners as learner_commands
from steerco_training.http import queries
from steerco_training.projections.completions import completions
from steerco_training.projections.obligations import obligations
from steerco_training.reactions.raise_obligation_on_manager_appointed import raise_obligation_on_manager_appointed

TRAINING_VIEW = View("training", 5, ("training", "portfolio"), (obligations, completions, *ACCESS))

SERVICE = Service(
    name="training",
    title="Steerco training",
    description="Who owes which course, because of what, until when.",
    migrations="steerco_training.migrations",
    routers=(learner_commands.routes, queries.routes),
    view=TRAINING_VIEW,
    reactions=(raise_obligation_on_manager_appointed,),
    timed=(TimedDecider("learner", learner_decider, about=project_of),),
)
