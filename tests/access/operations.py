"""Every operation of every service as a call on a thing of a world."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from fastapi.routing import APIRoute

from steerco.edition.services import SERVICES
from steerco_events.ids import derived_id
from steerco_service.factory import routers_of
from tests.access.worlds import PITCH_FIELDS, World

type Body = Callable[[World], dict[str, Any]]


class Operation(NamedTuple):
    """One operation: the service, its name there, how it is called."""

    service: str
    name: str
    method: str
    path: str


def operations() -> Iterator[Operation]:
    """All that are served."""
    for service in SERVICES:
        for route in (route for router in routers_of(service) for route in router.routes):
            if isinstance(route, APIRoute):
                for method in sorted(route.methods or ()):
                    yield Operation(service.name, route.name, method, route.path)


def path_of(operation: Operation, world: World) -> str:
    """The path with the ids of a world's things."""
    ids = {
        "unit_id": world.department if operation.name == "move_unit" else world.unit,
        "unit": world.unit,
        "project_id": world.project,
        "project": world.project,
        "project:path": world.project,
        "pitch_id": world.pitch,
        "risk_id": world.risk,
        "posting_id": world.posting,
        "completion_id": world.completion,
        "person_id": str(world.manager),
        "obligation_id": world.obligation,
        "appointment_id": world.appointment,
        "view": "portfolio_register" if operation.service == "reporting" else operation.service,
        "name": "nothing",
        "consumer": "nothing",
        "service": "portfolio",
        "stream:path": "nothing",
    }
    path = operation.path
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"{path}: a world has no such thing"
    return path


def _pitch(world: World) -> dict[str, Any]:
    return {
        "title": "t",
        "unit_id": world.department,
        "project_code": "X-09",
        "currency": "EUR",
        "fields": PITCH_FIELDS,
    }


def _term(_: World) -> dict[str, Any]:
    return {"from_on": "2026-01-01"}


def _appointment(world: World) -> dict[str, Any]:
    return {"person_id": str(derived_id("x")), "role": "contributor", "unit_id": world.unit, "from_on": "2026-01-01"}


def _project(world: World) -> dict[str, Any]:
    return {
        "project_id": str(derived_id("project of", world.code)),
        "code": f"{world.code}-77",
        "title": "t",
        "unit_id": world.department,
        "currency": "EUR",
        "source": "s",
        "reference": world.code,
    }


def _figure(_: World) -> dict[str, Any]:
    return {"measure": "cost", "period": "whole_life", "figure": {"money": {"amount": "2.00", "currency": "EUR"}}}


def _posting(world: World) -> dict[str, Any]:
    return {
        "project_id": world.project,
        "source": f"{world.code}-ledger",
        "reference": "1",
        "cost": {"amount": "10.00", "currency": "EUR"},
        "incurred_on": "2026-01-02",
        "period": "fiscal_year 2026",
    }


def _risk(world: World) -> dict[str, Any]:
    return {"project_id": world.project, "cause": "c", "event": "e", "effect": "e", "category": "c"}


def _completion(world: World) -> dict[str, Any]:
    return {"person_id": str(world.manager), "course": "project-management-essentials", "completed_on": "2026-01-02"}


def _reason(_: World) -> dict[str, Any]:
    return {"reason": "r"}


BODIES: Mapping[str, Body] = {
    "submit_pitch": _pitch,
    "resubmit_pitch": _pitch,
    "screen_pitch": lambda _: {"note": "n"},
    "decide_pitch": lambda _: {"outcome": "returned", "reason": "r"},
    "withdraw_pitch": _reason,
    "open_unit": lambda w: {"code": f"{w.code}-new", "name": "n", "kind": "department", "parent_id": w.unit},
    "rename_unit": lambda w: {"name": f"{w.code}-unit"},
    "move_unit": lambda w: {"parent_id": w.unit, "reason": "r"},
    "close_unit": _reason,
    "adopt_pmo_model": lambda _: {"pmo_model": "coach", "effective_on": "2027-01-01"},
    "separate_duties": lambda _: {
        "duties": "pitch_submission_and_decision",
        "is_required": True,
        "effective_on": "2027-01-01",
    },
    "register_person": lambda w: {"name": f"{w.code}-name", "unit_id": w.unit},
    "correct_person": lambda w: {"name": f"{w.code}-name"},
    "move_person": lambda w: {"unit_id": w.department},
    "erase_person": _reason,
    "make_appointment": _appointment,
    "change_appointment_term": _term,
    "end_appointment": _reason,
    "delegate_appointment": lambda _: {
        "person_id": str(derived_id("y")),
        "from_on": "2026-01-01",
        "until_on": "2027-01-01",
    },
    "register_project": _project,
    "rename_project": lambda w: {"title": f"{w.code}-project"},
    "state_dates": lambda _: {},
    "assess_project": lambda _: {"assessor": "a", "rating": "green"},
    "appoint_manager": lambda w: {"person_id": str(w.manager), "job_title": "m", "from_on": "2026-01-01"},
    "move_project": lambda w: {"unit_id": w.department, "reason": "r"},
    "change_state": lambda _: {"to": "closing", "reason": "r"},
    "keep_register_row": lambda w: {"source": f"{w.code}-register", "reference": "1", "said": {}},
    "baseline_budget": _figure,
    "make_forecast": _figure,
    "post_actual_cost": _posting,
    "reverse_actual_cost": _reason,
    "raise_risk": _risk,
    "rate_risk": lambda _: {"probability": 1, "impact": 1},
    "close_risk": _reason,
    "record_completion": _completion,
    "waive_obligation": _reason,
    "accept": lambda _: {"reason": "r"},
    "skip_parked": lambda _: {"reason": "r"},
    "send_batch": lambda _: {"commands": [{"path": "/nothing"}]},
}
"""What is sent; what is in no line is sent nothing."""
