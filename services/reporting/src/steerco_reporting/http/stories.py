"""Stories: all that happened to a project, across the services."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel

from steerco_reporting.http.answers import CutAnswer, ProjectAnswer, cut_fields, project_fields
from steerco_reporting.http.cut import AsOf
from steerco_reporting.projections.projects import project_named
from steerco_reporting.projections.sources import sources
from steerco_reporting.projections.story import Line, story
from steerco_reporting.projections.units import organizations
from steerco_service.bodies import Code
from steerco_service.reading import Read
from steerco_service.routing import router

routes = router("stories")


class Who(BaseModel):
    """Who did it: a person or a reaction, by an id and a job title; and on whose behalf, if on somebody else's."""

    actor_id: UUID
    job_title: str
    on_behalf_of: UUID | None


class StoryLine(BaseModel):
    """One event: when it was sealed, who did it, why (if they said so), and what happened."""

    at: datetime
    who: Who
    why: str | None
    what: str
    type: str
    service: str
    event_id: UUID

    @classmethod
    def of(cls, line: Line) -> "StoryLine":
        """The answer for a line."""
        event = line.event
        return cls(
            at=line.at,
            who=Who(actor_id=event.actor_id, job_title=event.job_title, on_behalf_of=event.on_behalf_of),
            why=event.reason,
            what=line.what,
            type=event.type,
            service=event.service,
            event_id=event.event_id,
        )


class StoryAnswer(ProjectAnswer, CutAnswer):
    """A project and its story, the oldest line first."""

    lines: list[StoryLine]


@routes.get("/stories/{project:path}", summary="The story of a project")
async def project_story(
    project: Annotated[Code, Path(description="The project's id or code.", examples=["LIC-01"])],
    reading: Read,
    cut: AsOf,
) -> StoryAnswer:
    """From its pitch or import on: what happened in every service, who did it, and why."""
    (organization,) = await organizations(reading, [cut.at])
    row = await project_named(reading, cut.at, project, organization)
    return StoryAnswer(
        **project_fields(row, organization),
        **cut_fields(cut, await sources(reading, cut.at)),
        lines=[StoryLine.of(line) for line in await story(reading, row, organization, cut.at)],
    )
