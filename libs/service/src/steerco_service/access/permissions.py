"""What each role may do: the one table of permissions, by service and name of the operation.

An operation without an entry can't be served. `any` stands for what every service has.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import get_args

from steerco_events.contracts.portfolio import Role
from steerco_events.contracts.values import FieldClass

ROLES: frozenset[Role] = frozenset(get_args(Role.__value__))


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may call an operation: whoever has one of these roles where the thing is.

    `is_whole`: it is about the service as a whole, so the role is needed in the whole enterprise. `needs_role` is
    false for what everybody with a valid token may call, `needs_token` for what everybody may. `is_for_services`: only
    the other services may, by their own clients. `is_sensitive`: the answer is given only once it is recorded who
    asked. `heals`: it mends a service that does not know any more who may do what, so what was last known will do.
    """

    roles: frozenset[Role] = frozenset()
    is_whole: bool = False
    needs_role: bool = True
    needs_token: bool = True
    is_for_services: bool = False
    is_sensitive: bool = False
    heals: bool = False


def _of(*roles: Role | frozenset[Role]) -> Permission:
    return Permission(_all(roles))


def _healing(*roles: Role) -> Permission:
    return replace(_in_the_whole(*roles), heals=True)


def _sensitive(permission: Permission) -> Permission:
    return replace(permission, is_sensitive=True)


def _in_the_whole(*roles: Role) -> Permission:
    return Permission(frozenset(roles), is_whole=True)


def _all(roles: Iterable[Role | frozenset[Role]]) -> frozenset[Role]:
    found: set[Role] = set()
    for each in roles:
        found |= each if isinstance(each, frozenset) else {each}
    return frozenset(found)


_PUBLIC = Permission(needs_role=False, needs_token=False)
_SIGNED_IN = Permission(needs_role=False)
_SERVICES = Permission(needs_role=False, is_for_services=True)

OFFICE: frozenset[Role] = frozenset({"pmo_admin", "pmo_officer"})
"""Who runs the office at a scope."""

STEERING: frozenset[Role] = OFFICE | {"portfolio_manager"}
"""Who decides which projects a scope has."""

SUPPORT: frozenset[Role] = frozenset({"project_support"})
"""Who enters facts on behalf of a project's manager."""

DELIVERY: frozenset[Role] = STEERING | SUPPORT | {"program_manager", "project_manager"}
"""Who tells how projects fare; support does so on a manager's behalf."""

_READERS = _of(ROLES)
_OFFICE, _STEERING, _DELIVERY = _of(OFFICE), _of(STEERING), _of(DELIVERY)
_LOADING = _of(STEERING, "integration")
_PITCHING = _of(DELIVERY, "sponsor", "contributor")
_MONEY_READERS = _of(ROLES - {"contributor", "training_coordinator"})
_SHARING = _of(OFFICE, "auditor", "integration")
_OPERATING = _healing("pmo_admin")
_INSPECTING = _healing("pmo_admin", "auditor")
_FOLLOWING = _healing("pmo_admin", "pmo_officer", "auditor", "integration")
_ADMINISTERING = _in_the_whole("pmo_admin")
_AUDITING = _in_the_whole("pmo_admin", "auditor")

PERMISSIONS: dict[str, Permission] = {
    "any.livez": _PUBLIC,
    "any.readyz": _PUBLIC,
    "any.send_batch": _SIGNED_IN,
    "any.read_events": _READERS,
    "any.read_scope": _SHARING,
    "any.audit": _sensitive(_of(OFFICE, "auditor")),
    "any.list_accesses": _sensitive(_AUDITING),
    "any.log_state": _FOLLOWING,
    "any.log_archive": _sensitive(_AUDITING),
    "any.republish": _OPERATING,
    "any.restored": _OPERATING,
    "any.accept": _OPERATING,
    "any.list_accepted": _INSPECTING,
    "any.list_timers": _AUDITING,
    "any.rebuild": _OPERATING,
    "any.list_parked": _INSPECTING,
    "any.list_skipped": _INSPECTING,
    "any.show_parked": _sensitive(_INSPECTING),
    "any.retry_parked": _OPERATING,
    "any.skip_parked": _OPERATING,
    "any.view_state": _FOLLOWING,
    "any.rebuild_view": _OPERATING,
    "any.cancel_rebuild": _OPERATING,
    "any.accept_parked": _OPERATING,
    "any.roll_back_view": _OPERATING,
    "intake.submit_pitch": _PITCHING,
    "intake.resubmit_pitch": _PITCHING,
    "intake.screen_pitch": _OFFICE,
    "intake.decide_pitch": _of(STEERING, "board_member"),
    "intake.withdraw_pitch": _PITCHING,
    "intake.list_pitches": _READERS,
    "intake.one_pitch": _READERS,
    "intake.list_templates": _SIGNED_IN,
    "portfolio.open_unit": _OFFICE,
    "portfolio.rename_unit": _OFFICE,
    "portfolio.move_unit": _OFFICE,
    "portfolio.close_unit": _OFFICE,
    "portfolio.adopt_pmo_model": _OFFICE,
    "portfolio.separate_duties": _OFFICE,
    "portfolio.list_units": _READERS,
    "portfolio.one_unit": _READERS,
    "portfolio.register_person": _of(OFFICE, "integration"),
    "portfolio.correct_person": _of(OFFICE, "integration"),
    "portfolio.move_person": _of(OFFICE, "integration"),
    "portfolio.erase_person": _ADMINISTERING,
    "portfolio.list_people": _sensitive(_READERS),
    "portfolio.one_person": _sensitive(_READERS),
    "portfolio.read_keys": _sensitive(_SERVICES),
    "portfolio.make_appointment": _OFFICE,
    "portfolio.change_appointment_term": _OFFICE,
    "portfolio.end_appointment": _OFFICE,
    "portfolio.delegate_appointment": _READERS,
    "portfolio.list_appointments": _READERS,
    "portfolio.one_appointment": _READERS,
    "portfolio.register_project": _LOADING,
    "portfolio.rename_project": _of(DELIVERY, "integration"),
    "portfolio.state_dates": _of(DELIVERY, "integration"),
    "portfolio.assess_project": _of(DELIVERY, "sponsor", "board_member", "auditor", "integration"),
    "portfolio.appoint_manager": _of(STEERING, "program_manager", "integration"),
    "portfolio.move_project": _LOADING,
    "portfolio.change_state": _of(DELIVERY, "integration"),
    "portfolio.keep_register_row": _LOADING,
    "portfolio.list_register_rows": _sensitive(_READERS),
    "portfolio.list_projects": _READERS,
    "portfolio.one_project": _READERS,
    "finance.read_events": _MONEY_READERS,
    "finance.baseline_budget": _of(STEERING, "finance_controller", "integration"),
    "finance.make_forecast": _of(DELIVERY, "finance_controller", "integration"),
    "finance.post_actual_cost": _of(OFFICE, "finance_controller", "project_support", "integration"),
    "finance.reverse_actual_cost": _of(OFFICE, "finance_controller", "integration"),
    "finance.project_figures": _MONEY_READERS,
    "finance.figure_actions": _MONEY_READERS,
    "finance.list_figures": _MONEY_READERS,
    "finance.list_postings": _sensitive(_MONEY_READERS),
    "finance.one_posting": _sensitive(_MONEY_READERS),
    "risk.raise_risk": _of(DELIVERY, "risk_manager", "contributor", "integration"),
    "risk.rate_risk": _of(DELIVERY, "risk_manager", "integration"),
    "risk.close_risk": _of(DELIVERY, "risk_manager", "integration"),
    "risk.list_risks": _READERS,
    "risk.one_risk": _READERS,
    "training.record_completion": _of(OFFICE, "training_coordinator", "integration"),
    "training.waive_obligation": _of(OFFICE, "training_coordinator"),
    "training.list_obligations": _READERS,
    "training.one_learner": _sensitive(_READERS),
    "training.list_completions": _sensitive(_READERS),
    "training.one_completion": _sensitive(_READERS),
    "training.list_courses": _SIGNED_IN,
    "reporting.portfolio": _MONEY_READERS,
    "reporting.register": _MONEY_READERS,
    "reporting.project_story": _sensitive(_MONEY_READERS),
    "reporting.known_sources": _READERS,
    "reporting.appointments": _sensitive(_READERS),
    "reporting.people": _sensitive(_READERS),
}


APPOINTED_BY_ADMINS: frozenset[Role] = frozenset({"pmo_admin", "auditor", "integration"})
"""Roles that reach beyond what an office may do: only an administrator gives and takes them."""


HANDED_ON_IN_PERSON: frozenset[Role] = OFFICE | APPOINTED_BY_ADMINS
"""Roles by which others are appointed, or that reach beyond: who stands in for somebody does not give or take them."""


SHOWN_TO: dict[FieldClass, frozenset[Role]] = {
    "personal": ROLES - {"viewer", "contributor", "integration"},
    "commercial": ROLES
    - {"project_support", "resource_manager", "risk_manager", "training_coordinator", "contributor", "viewer"},
}
"""Who sees the fields of a class, where the record is: who somebody is and how to reach them; what somebody is paid.

Commercial is also what a register says in its own words: they say budgets, too.
"""


def appointed_by(role: Role) -> frozenset[Role]:
    """Who appoints to a role, where it is held."""
    return frozenset({"pmo_admin"}) if role in APPOINTED_BY_ADMINS else OFFICE


class NoPermission(LookupError):
    """An operation stands in no line of the table."""


def permission_of(service: str, operation: str) -> Permission:
    """Who may call an operation of a service. Raises `NoPermission`."""
    for name in (f"{service}.{operation}", f"any.{operation}"):
        if name in PERMISSIONS:
            return PERMISSIONS[name]
    raise NoPermission(f"{service}.{operation} has no line in the table of permissions")
