"""The projects as portfolio's log tells them: what a service checks a project against, in its own view."""

from dataclasses import dataclass, replace
from uuid import UUID

from steerco_events.contracts import portfolio
from steerco_events.contracts.portfolio import ProjectState
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_events.registry import Payload
from steerco_service.call import Call
from steerco_service.lookups import Finder


@dataclass(frozen=True, slots=True)
class ProjectSeen:
    """A project, its one currency, and the version of its stream that was seen."""

    project_id: UUID
    code: str
    unit_id: UUID
    currency: str
    state: ProjectState
    project_version: int


_STATES: dict[type[object], ProjectState] = {
    portfolio.ProjectPlanningStarted: "planning",
    portfolio.ProjectExecutionStarted: "executing",
    portfolio.ProjectClosingStarted: "closing",
    portfolio.ProjectClosed: "closed",
    portfolio.ProjectPutOnHold: "on_hold",
    portfolio.ProjectTerminated: "terminated",
}


def state_after(payload: Payload, state: ProjectState) -> ProjectState:
    """The state of a project after an event of its stream."""
    match payload:
        case portfolio.ProjectResumed(state=resumed):
            return resumed
        case _:
            return _STATES.get(type(payload), state)


def project_key(event: Recorded) -> str | None:
    """The project whose stream an event belongs to."""
    if event.stream.startswith("project-") and not event.stream.startswith("project-code-"):
        return event.stream.removeprefix("project-")
    return None


def evolve_project(row: ProjectSeen | None, event: Recorded) -> ProjectSeen | None:
    """The row after an event."""
    payload, version = event.payload, event.stream_version
    match payload, row:
        case portfolio.ProjectChartered(), _:
            return ProjectSeen(
                payload.project_id, payload.code, payload.unit_id, payload.currency, "chartered", version
            )
        case portfolio.ProjectRegistered(), _:
            return ProjectSeen(
                payload.project_id, payload.code, payload.unit_id, payload.currency, payload.state, version
            )
        case _, None:
            return None
        case portfolio.ProjectMoved(to_unit_id=unit_id), ProjectSeen():
            return replace(row, unit_id=unit_id, project_version=version)
        case _:
            return replace(row, state=state_after(payload, row.state), project_version=version)


projects_seen = Projection("projects_seen", ProjectSeen, project_key, evolve_project)


async def project_concerned(call: Call, project_id: UUID) -> ProjectSeen | None:
    """The project that a command names, whose unit its events concern; `None` if there is none for who asks.

    The unit judges also then: what is about a project is there where the project is, not where it was.
    """
    seen = await call.look_up(project_seen, project_id)
    if seen is None:
        return None
    call.concerns(seen.unit_id)
    call.of_project(project_id)
    return seen if call.asking.has_project(project_id, seen.unit_id) else None


async def project_is_there(call: Call, project_id: UUID) -> None:
    """Raise `IdTaken` if the project of what has the id that is to be given is none for who asks, or `Forbidden`."""
    seen = await call.look_up(project_seen, project_id)
    call.must_be_there(seen is not None and call.asking.has_project(project_id, seen.unit_id))


async def project_seen(finder: Finder, project_id: UUID) -> ProjectSeen | None:
    """The project as the service knows it; `None` if it does not."""
    return await finder.one(projects_seen, str(project_id))
