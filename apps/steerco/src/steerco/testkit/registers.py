"""Small registers for specs: a map, rows and what an edition has already."""

from collections.abc import Sequence
from uuid import UUID

from steerco.register_import.entries import Found, Json, entries_of
from steerco.register_import.organization import units_for
from steerco.register_import.plan import Memory, Plan, plan
from steerco.register_import.present import Present, PresentProject
from steerco.register_import.register_file import Row
from steerco.register_import.register_map import RegisterMap
from steerco_events.ids import derived_id

MAP = RegisterMap.model_validate(
    {
        "source": "Register",
        "currency": "EUR",
        "scale": 1000,
        "enterprise": {"code": "COM", "name": "Commission"},
        "columns": {
            "reference": "id",
            "title": "name",
            "business_unit": "unit",
            "department": "team",
            "start": "start",
            "end": "end",
        },
        "codes": {"project": "P-{cell}"},
        "assessments": [{"assessor": "Review", "column": "rating"}],
        "ratings": {"Red": "red", "Green": "green"},
        "figures": [
            {"column": "budget", "measure": "cost", "kind": "budget", "period": "whole_life"},
            {"column": "benefit", "measure": "benefit", "kind": "budget", "period": "whole_life"},
        ],
    }
)
PLAIN = {
    "id": "1",
    "name": "Register on line",
    "unit": "LIC",
    "team": "Public register",
    "start": "2026-01-01",
    "end": "2026-12-31",
    "rating": "Green",
    "budget": "12.5",
    "benefit": "-3",
}


def rows(*changed: dict[str, str]) -> Sequence[Row]:
    """A row for each, like the plain one but for what is given."""
    return [Row(n, PLAIN | {"id": str(n)} | cells, len(PLAIN)) for n, cells in enumerate(changed, start=1)]


def found(*changed: dict[str, str], register: RegisterMap = MAP) -> Found:
    """What these rows say."""
    return entries_of(rows(*changed), register)


NOTHING = Present((), {}, {})


def planned(said: Found, there: Present = NOTHING, memory: Memory | None = None, register: RegisterMap = MAP) -> Plan:
    """What the rows make different."""
    units = units_for(said.entries, there.units, register)
    return plan(said, there, units, register, memory or {})


def unit(code: str, kind: str, parent: str | None = None, is_open: bool = True) -> Json:
    """A unit as portfolio answers it."""
    return {
        "unit_id": str(derived_id("unit", code)),
        "code": code,
        "name": code,
        "kind": kind,
        "parent_id": str(derived_id("unit", parent)) if parent else None,
        "is_open": is_open,
    }


ORGANIZATION = (
    unit("COM", "enterprise"),
    unit("LIC", "business_unit", "COM"),
    unit("LIC-public-register", "department", "LIC"),
    unit("LIC-applications", "department", "LIC"),
)


def loaded(said: Found, **facts: Json) -> Present:
    """An edition that has what the rows say, but for some facts of the first."""
    projects: dict[UUID, PresentProject] = {}
    for entry in said.entries:
        same = {name: fact.body for name, fact in entry.facts.items()}
        changed = facts if not projects else {}
        projects[entry.project_id] = PresentProject(
            project_id=entry.project_id,
            code=entry.code,
            currency="EUR",
            state=str(changed.get("state", {}).get("state", "executing")),
            facts=same | changed,
        )
    return Present(ORGANIZATION, projects, {each.code.upper(): each.project_id for each in projects.values()})
