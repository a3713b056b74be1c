"""What several answers of reporting are made of."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel

from steerco_events.contracts.portfolio import Duties, PmoModel, ProjectState, UnitKind
from steerco_events.contracts.values import Measure, StatedDate, amount_text
from steerco_reporting.http.cut import Cut
from steerco_reporting.projections.figures import FigureKind
from steerco_reporting.projections.projects import ProjectRow
from steerco_reporting.projections.rollup import Rollup
from steerco_reporting.projections.sources import Source, complete
from steerco_reporting.projections.units import Organization, UnitRow


class UnitAnswer(BaseModel):
    """A unit, and the PMO model in force there: its own or inherited."""

    unit_id: UUID
    code: str
    name: str
    kind: UnitKind
    pmo_model: PmoModel
    separated_duties: list[Duties]

    @classmethod
    def of(cls, unit: UnitRow, organization: Organization, day: date) -> Self:
        """The answer for a unit on a day."""
        model = organization.pmo_model(unit.unit_id, day)
        duties = [each.duties for each in organization.separated_duties(unit.unit_id, day)]
        return cls(
            unit_id=unit.unit_id,
            code=unit.code,
            name=unit.name,
            kind=unit.kind,
            pmo_model=model,
            separated_duties=duties,
        )


class SourceAnswer(BaseModel):
    """The last event of a log that the answer stands on; the log is whole up to the watermark."""

    generation: int
    position: int
    watermark: datetime | None


class CutAnswer(BaseModel):
    """What an answer stands on; `complete` says whether every log's watermark has passed `as_of`.

    Without an instant asked for, `as_of` is the time of reading: what happened just before may still come.
    """

    as_of: datetime
    complete: bool
    sources: dict[str, SourceAnswer]


def cut_fields(cut: Cut, logs: Mapping[str, Source]) -> dict[str, Any]:
    """What a `CutAnswer` is made of."""
    sources = {
        service: SourceAnswer(generation=each.generation, position=each.position, watermark=each.watermark)
        for service, each in logs.items()
    }
    return {"as_of": cut.as_of, "complete": complete(logs, cut.as_of), "sources": sources}


class StatedDateAnswer(BaseModel):
    """A day, or the words in its place, or neither, as `kind` says."""

    kind: Literal["stated", "undisclosed", "not_stated"]
    on: date | None = None
    said: str | None = None

    @classmethod
    def of(cls, stated: StatedDate | None) -> Self:
        """The answer for a date; one that was never mentioned is not stated."""
        return cls(kind=stated.kind, on=stated.on, said=stated.said) if stated else cls(kind="not_stated")


class ManagerAnswer(BaseModel):
    """Who manages a project, and from which day."""

    person_id: UUID
    job_title: str
    from_on: date


class ProjectAnswer(BaseModel):
    """A project. Dates that contradict each other are kept as said, and flagged."""

    project_id: UUID
    code: str
    title: str
    unit_code: str | None
    currency: str
    state: ProjectState
    source: str | None
    reference: str | None
    start: StatedDateAnswer
    end: StatedDateAnswer
    contradictory: bool
    manager: ManagerAnswer | None


def project_fields(row: ProjectRow, organization: Organization) -> dict[str, Any]:
    """What a `ProjectAnswer` is made of; the unit has no code while its opening is not known yet."""
    unit = organization.units.get(row.unit_id)
    return {name: getattr(row, name) for name in ProjectAnswer.model_fields if hasattr(row, name)} | {
        "unit_code": unit.code if unit else None,
        "start": StatedDateAnswer.of(row.start),
        "end": StatedDateAnswer.of(row.end),
        "manager": ManagerAnswer.model_validate(row.manager, from_attributes=True) if row.manager else None,
    }


class AmountAnswer(BaseModel):
    """A sum in one currency, as decimal text, of so many disclosed figures."""

    currency: str
    amount: str
    disclosed: int


class FigureTotalAnswer(BaseModel):
    """Sums per currency, never added to each other; how many projects disclose, withhold or don't state it."""

    measure: Measure
    kind: FigureKind
    period: str
    amounts: list[AmountAnswer]
    disclosed: int
    undisclosed: int
    not_stated: int


class VarianceAnswer(BaseModel):
    """Forecast less budget of the projects that disclose both; `over`: how many forecasts exceed their budget."""

    measure: Measure
    period: str
    currency: str
    budget: str
    forecast: str
    variance: str
    compared: int
    over: int


def figure_answers(rollup: Rollup) -> list[FigureTotalAnswer]:
    """The figures of a roll-up."""
    return [
        FigureTotalAnswer(
            measure=measure,
            kind=kind,
            period=period,
            amounts=[
                AmountAnswer(currency=currency, amount=amount_text(sum_.amount, currency), disclosed=sum_.disclosed)
                for currency, sum_ in sorted(total.amounts.items())
            ],
            disclosed=total.disclosed,
            undisclosed=total.undisclosed,
            not_stated=total.not_stated,
        )
        for (measure, kind, period), total in rollup.figures.items()
    ]


def variance_answers(rollup: Rollup) -> list[VarianceAnswer]:
    """The variances of a roll-up."""
    return [
        VarianceAnswer(
            measure=measure,
            period=period,
            currency=currency,
            budget=amount_text(total.budget, currency),
            forecast=amount_text(total.forecast, currency),
            variance=amount_text(total.variance, currency),
            compared=total.compared,
            over=total.over,
        )
        for (measure, period, currency), total in rollup.variances.items()
    ]
