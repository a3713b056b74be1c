"""Whether the services would take a row, all of it, decided by their own rules before its first command. Pure."""

from collections.abc import Iterator, Mapping

from pydantic import TypeAdapter

from steerco.register_import.entries import Entry, Json, RowRefused
from steerco.register_import.organization import Units
from steerco.register_import.present import Present, PresentProject
from steerco.register_import.register_map import RegisterMap
from steerco_events.contracts.portfolio import ProjectRegistered, ProjectState
from steerco_events.decider import Refusal
from steerco_finance.domain.budget import BaselineBudget, Budget, BudgetCommand, MakeForecast, budget_decider
from steerco_finance.domain.project import KnownProject
from steerco_finance.http.figures import StatedFigure
from steerco_portfolio.domain.project import MoveProject, Project, ProjectCommand
from steerco_portfolio.domain.project_rules import open_unit, project_decider
from steerco_portfolio.http.projects import TRANSITIONS

_STATE: TypeAdapter[ProjectState] = TypeAdapter(ProjectState)


def refusal_of(
    entry: Entry, differing: Mapping[str, Json], there: Present, units: Units, register: RegisterMap
) -> RowRefused | None:
    """Why the services would refuse what is different in a row, or `None`."""
    unit_code = entry.place.code
    project = there.projects.get(entry.project_id)
    column = entry.facts["unit"].column
    if unit_code in units.refused:
        return RowRefused(entry.row, column, units.refused[unit_code])
    if project is None and entry.code.upper() in there.codes:
        return RowRefused(entry.row, register.columns.reference, f"another project has the code {entry.code!r}")
    try:
        situation = _situation(entry, project, units, register)
        known = _known(entry, project, register)
        for name, body in differing.items():
            column = entry.facts[name].column
            for command in _project_commands(entry, name, body, project, units):
                situation = project_decider.fold(project_decider.decide(command, situation), situation)
            for figure in _figure_commands(name, body, known):
                budget_decider.decide(figure, Budget())
    except Refusal as refusal:
        return RowRefused(entry.row, column, refusal.detail)
    return None


def registered_state(entry: Entry, register: RegisterMap) -> ProjectState:
    """The state in which a new project is registered."""
    stated = entry.facts.get("state")
    return _STATE.validate_python(stated.body["state"]) if stated else register.state.default


def transition_to(state: str, present_state: str) -> str:
    """The `to` of the state change that leads from one state to another."""
    return "resumed" if present_state == "on_hold" and state not in ("on_hold", "terminated") else state


def _situation(entry: Entry, project: PresentProject | None, units: Units, register: RegisterMap) -> Project:
    """The project as far as it decides what else is taken; a new one needs an open unit."""
    code = project.facts["unit"]["code"] if project else entry.place.code
    unit = units.known(code)
    begun = ProjectRegistered(
        project_id=entry.project_id,
        code=entry.code,
        title=entry.facts["title"].body["title"],
        unit_id=(unit if project and unit else open_unit(unit)).unit_id,
        currency=register.currency,
        state=_STATE.validate_python(project.state) if project else registered_state(entry, register),
        source=register.source,
        reference=entry.reference,
    )
    return project_decider.fold([begun])


def _known(entry: Entry, project: PresentProject | None, register: RegisterMap) -> KnownProject:
    if project:
        return KnownProject(project.project_id, project.code, project.currency, project.state, 1)
    return KnownProject(entry.project_id, entry.code, register.currency, registered_state(entry, register), 1)


def _project_commands(
    entry: Entry, name: str, body: Json, project: PresentProject | None, units: Units
) -> Iterator[ProjectCommand]:
    """The commands on an existing project that portfolio may refuse in its present situation."""
    if project is None:
        return
    if name == "unit":
        yield MoveProject(entry.project_id, units.known(body["code"]))
    elif name == "state":
        yield TRANSITIONS[transition_to(body["state"], project.state)](entry.project_id)


def _figure_commands(name: str, body: Json, project: KnownProject) -> Iterator[BudgetCommand]:
    if "figure" not in body:
        return
    stated = StatedFigure.model_validate(body)
    make = BaselineBudget if name.split()[1] == "budget" else MakeForecast
    yield make(project, stated.measure, stated.period, stated.figure.figure())
