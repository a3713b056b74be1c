"""Finding the project that a command names."""

from uuid import UUID

from steerco_finance.domain.project import KnownProject
from steerco_service.call import Call
from steerco_service.reference.projects import project_concerned


async def known_project(project_id: UUID, call: Call) -> KnownProject | None:
    """The project as finance's own view has it."""
    seen = await project_concerned(call, project_id)
    if seen is None:
        return None
    return KnownProject(seen.project_id, seen.code, seen.currency, seen.state, seen.project_version)
