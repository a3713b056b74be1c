"""The states of a project: chartered → planning → executing → closing → closed, or on hold, or terminated. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from steerco_events.contracts.portfolio import (
    ProjectClosed,
    ProjectClosingStarted,
    ProjectExecutionStarted,
    ProjectPlanningStarted,
    ProjectPutOnHold,
    ProjectResumed,
    ProjectState,
    ProjectTerminated,
)
from steerco_events.registry import Payload
from steerco_portfolio.domain.project import (
    CloseProject,
    OnHold,
    Over,
    Project,
    ProjectInAnotherState,
    PutOnHold,
    Resume,
    Running,
    StartClosing,
    StartExecution,
    StartPlanning,
    Terminate,
    Transition,
)

_NEXT: Mapping[type[Transition], tuple[ProjectState, ProjectState, type[Payload]]] = {
    StartPlanning: ("chartered", "planning", ProjectPlanningStarted),
    StartExecution: ("planning", "executing", ProjectExecutionStarted),
    StartClosing: ("executing", "closing", ProjectClosingStarted),
    CloseProject: ("closing", "closed", ProjectClosed),
}
"""Each step forward: from, to, and the event that says so."""


def move_through(command: Transition, state: Project) -> Sequence[Payload]:
    """One step at a time; a hold goes back to where it stood; an end is an end."""
    match command, state:
        case PutOnHold(project_id), Running():
            return [ProjectPutOnHold(project_id=project_id)]
        case PutOnHold(), OnHold():
            return []
        case Resume(project_id), OnHold(_, before):
            return [ProjectResumed(project_id=project_id, state=before)]
        case Resume(), Running():
            return []
        case Terminate(project_id), Running() | OnHold():
            return [ProjectTerminated(project_id=project_id)]
        case Terminate(), Over(facts) if facts.state == "terminated":
            return []
        case ((StartPlanning() | StartExecution() | StartClosing() | CloseProject()), (Running(facts) | Over(facts))):
            return step(command, command.project_id, facts.state)
        case _, _:
            raise in_another_state(command, state)


def step(command: Transition, project_id: UUID, state: ProjectState) -> Sequence[Payload]:
    """Forward, from the state before to the next."""
    before, after, event = _NEXT[type(command)]
    if state == after:
        return []
    if state != before:
        raise ProjectInAnotherState(f"the project is {said(state)}; it becomes {said(after)} from {said(before)} only")
    return [event(project_id=project_id)]


def in_another_state(command: Transition, state: Project) -> ProjectInAnotherState:
    """The refusal that says what the project is instead."""
    wanted = {PutOnHold: "put on hold", Resume: "resumed", Terminate: "terminated"}.get(type(command), "moved on")
    is_now = said(state.facts.state) if isinstance(state, Running | OnHold | Over) else "unknown"
    return ProjectInAnotherState(f"the project is {is_now}, so it can't be {wanted}")


def said(state: ProjectState) -> str:
    """A state in words."""
    return state.replace("_", " ")


def evolve_state(state: Running | OnHold | Over, event: Payload) -> Project:
    """The situation after an event, as far as it changes the project's state."""
    facts = state.facts
    match event:
        case ProjectPlanningStarted():
            return Running(replace(facts, state="planning"))
        case ProjectExecutionStarted():
            return Running(replace(facts, state="executing"))
        case ProjectClosingStarted():
            return Running(replace(facts, state="closing"))
        case ProjectClosed():
            return Over(replace(facts, state="closed"))
        case ProjectPutOnHold():
            return OnHold(replace(facts, state="on_hold"), facts.state)
        case ProjectResumed(state=resumed):
            return Running(replace(facts, state=resumed))
        case ProjectTerminated():
            return Over(replace(facts, state="terminated"))
        case _:
            return state
