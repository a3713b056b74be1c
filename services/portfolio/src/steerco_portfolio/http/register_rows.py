"""What registers said of projects: kept by imports, read by the next."""

from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from steerco_events.contracts.portfolio import RegisterRowKept
from steerco_events.contracts.values import classed_fields
from steerco_portfolio.domain.project_rules import concerns, project_decider
from steerco_portfolio.domain.register_row import KeepRegisterRow, register_row_decider
from steerco_portfolio.projections.register_rows import RegisterRowRow, register_rows_listed
from steerco_service.actions import Probe
from steerco_service.bodies import Body, Name, Prose
from steerco_service.call import Calling
from steerco_service.reading import Paged, Read
from steerco_service.routing import router

routes = router("register rows")


class RegisterRow(Body):
    """A row as it was loaded: each fact by its name, its words as JSON text."""

    source: Annotated[Name, Field(examples=["project register 2026"])]
    reference: Annotated[Name, Field(examples=["7"])]
    said: Annotated[dict[Name, Prose], Field(max_length=100, examples=[{"title": '{"title": "Call center"}'}])]


class RegisterRowAnswer(BaseModel):
    """What a register last said of a project: shown to who may see commercial fields, as it says budgets, too."""

    project_id: UUID
    source: str
    reference: str
    said: dict[str, str] | None
    withheld: Literal["not permitted"] | None

    @classmethod
    def of(cls, row: RegisterRowRow, *, is_seen: bool) -> Self:
        """The answer for a row, with its commercial field or without."""
        told = {name: getattr(row, name, None) for name in cls.model_fields}
        if not is_seen:
            told |= dict.fromkeys(classed_fields(RegisterRowKept, "commercial")) | {"withheld": "not permitted"}
        return cls.model_validate(told)


@routes.put("/projects/{project_id}/register-row", status_code=204, summary="Keep what a register says of a project")
async def keep_register_row(project_id: UUID, body: RegisterRow, call: Calling) -> Response:
    """Once all of the row is loaded: the next import takes over only what the register changed since."""
    units = concerns(await call.fold(project_decider, f"project-{project_id}"))
    is_known = bool(units) and call.asking.has(units, (project_id,))
    if is_known:
        call.concerns(*units)
        call.of_project(project_id)
    command = KeepRegisterRow(
        project_id=project_id, is_known=is_known, source=body.source, reference=body.reference, said=body.said
    )
    return await call.handle(register_row_decider, f"register-row-{project_id}", command)


@routes.get("/register-rows", summary="What registers last said")
async def list_register_rows(
    reading: Read,
    page: Paged,
    source: Annotated[Name | None, Query(description="Of this source only.")] = None,
) -> list[RegisterRowAnswer]:
    """In the order of the projects' ids; the next page is in the `Link` header."""
    rows = await register_rows_listed(reading, page, source)
    seen = await reading.seeing("commercial").projects_among({row.project_id for row in rows})
    return [RegisterRowAnswer.of(row, is_seen=row.project_id in seen) for row in rows]


ROW_PROBES = (Probe(keep_register_row, RegisterRow.model_construct(source="", reference="", said={})),)
"""What may be done with the row that a register has of a project, to be asked in advance."""
