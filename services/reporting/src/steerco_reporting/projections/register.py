"""The portfolio register: what the services say of each of a page of projects."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, Table, Uuid, any_, func, literal, select

from steerco_reporting.projections.assessments import AssessmentRow, assessments
from steerco_reporting.projections.counts import NOT_RATED
from steerco_reporting.projections.figures import FigureRow, figures
from steerco_reporting.projections.obligations import OWED
from steerco_reporting.projections.projects import ProjectRow
from steerco_service.reading import Reading


@dataclass(frozen=True, slots=True)
class Record:
    """One project, with its figures and ratings, its open risks by band, its obligations that are open or overdue."""

    project: ProjectRow
    figures: Sequence[FigureRow]
    assessments: Sequence[AssessmentRow]
    open_risks: Mapping[str, int]
    obligations: Mapping[str, int]


async def records(reading: Reading, rows: Sequence[ProjectRow], at: datetime) -> Sequence[Record]:
    """The records of these projects at an instant, in their order."""
    project_ids = literal([row.project_id for row in rows], ARRAY(Uuid()))

    def of_them(table: Table, query: Select[Any]) -> Select[Any]:
        return query.where(table.c.project_id == any_(project_ids), reading.known_at(table, at))

    stated: dict[UUID, list[FigureRow]] = defaultdict(list)
    table = reading.table("figures")
    for figure in await reading.rows(figures, of_them(table, select(table)).order_by(table.c.key)):
        stated[figure.project_id].append(figure)
    rated: dict[UUID, list[AssessmentRow]] = defaultdict(list)
    table = reading.table("assessments")
    for assessment in await reading.rows(assessments, of_them(table, select(table)).order_by(table.c.key)):
        rated[assessment.project_id].append(assessment)
    risks: dict[UUID, dict[str, int]] = defaultdict(dict)
    table = reading.table("risks")
    counted = select(table.c.project_id, table.c.band, func.count()).where(table.c.is_open)
    counted = of_them(table, counted).group_by(table.c.project_id, table.c.band)
    for project_id, band, count in await reading.connection.execute(counted):
        risks[project_id][band or NOT_RATED] = count
    table = reading.table("obligations")
    counted = select(table.c.project_id, table.c.state, func.count()).where(table.c.state.in_(OWED))
    counted = of_them(table, counted).group_by(table.c.project_id, table.c.state)
    owed: dict[UUID, dict[str, int]] = defaultdict(dict)
    for project_id, state, count in await reading.connection.execute(counted):
        owed[project_id][state] = count
    return [
        Record(
            project=row,
            figures=stated[row.project_id],
            assessments=rated[row.project_id],
            open_risks=risks[row.project_id],
            obligations=owed[row.project_id],
        )
        for row in rows
    ]
