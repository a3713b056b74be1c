"""The units of the organization: row, fold and query; what is inherited is computed in the query."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import select

from steerco_events.contracts import portfolio
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.access.duties import DutiesAdopted, Requirement, requirements
from steerco_service.reading import Reading


@dataclass(frozen=True, slots=True)
class ModelAdopted:
    """A PMO model and the day from which it holds."""

    effective_on: date
    pmo_model: portfolio.PmoModel


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One unit; `models` and `duties` in the order in which they were adopted."""

    unit_id: UUID
    code: str
    name: str
    kind: portfolio.UnitKind
    parent_id: UUID | None
    is_open: bool
    models: tuple[ModelAdopted, ...]
    duties: tuple[DutiesAdopted, ...] = ()


def unit_key(event: Recorded) -> str | None:
    """The unit that an event of the organization is about."""
    if event.stream != "organization":
        return None
    unit_id = getattr(event.payload, "unit_id", None)
    return str(unit_id) if unit_id else None


def evolve_unit(row: UnitRow | None, event: Recorded) -> UnitRow | None:
    """The row after an event."""
    match event.payload, row:
        case portfolio.UnitOpened() as unit, _:
            opened_on = event.recorded_at.date()
            models = (ModelAdopted(opened_on, unit.pmo_model),) if unit.pmo_model else ()
            return UnitRow(unit.unit_id, unit.code, unit.name, unit.kind, unit.parent_id, True, models)
        case portfolio.UnitRenamed(name=name), UnitRow():
            return replace(row, name=name)
        case portfolio.UnitMoved(to_parent_id=parent_id), UnitRow():
            return replace(row, parent_id=parent_id)
        case portfolio.UnitClosed(), UnitRow():
            return replace(row, is_open=False)
        case portfolio.PmoModelAdopted(effective_on=day, pmo_model=model), UnitRow():
            return replace(row, models=(*row.models, ModelAdopted(day, model)))
        case portfolio.SeparationOfDutiesAdopted() as adopted, UnitRow():
            return replace(row, duties=(*row.duties, DutiesAdopted.of(adopted)))
        case _:
            return row


units = Projection("units", UnitRow, unit_key, evolve_unit)


async def all_units(reading: Reading) -> Sequence[UnitRow]:
    """Every unit, by code."""
    table = reading.table("units")
    return await reading.rows(units, select(table).where(reading.known_at(table)).order_by(table.c.code))


def model_in_force(unit: UnitRow, by_id: Mapping[UUID, UnitRow], today: date) -> portfolio.PmoModel:
    """The unit's own model on a day, else that of the nearest unit above; supportive where nobody chose.

    Of two models from the same day on, the one adopted later.
    """
    for each in above(unit, by_id):
        in_force = [model for model in each.models if model.effective_on <= today]
        if in_force:
            return max(reversed(in_force), key=lambda model: model.effective_on).pmo_model
    return "repository"


def duties_separated(unit: UnitRow, by_id: Mapping[UUID, UnitRow], today: date) -> Sequence[Requirement]:
    """Which duties are kept apart at the unit on a day, by a policy of its own or of a unit above."""
    return requirements(((each.unit_id, each.duties) for each in above(unit, by_id)), today)


def above(unit: UnitRow, by_id: Mapping[UUID, UnitRow]) -> Iterator[UnitRow]:
    """The unit, its parent, and so on up to the enterprise."""
    at: UnitRow | None = unit
    while at:
        yield at
        at = by_id.get(at.parent_id) if at.parent_id else None
