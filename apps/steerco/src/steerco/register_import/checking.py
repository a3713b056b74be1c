"""Whether the services would take a row, all of it, decided by their own rules before its first command. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import TypeAdapter

from steerco.register_import.entries import Entry, Json, RowRefused
from steerco.register_import.organization import Units
from steerco.register_import.present import Present, PresentProject
from steerco.register_import.register_map import RegisterMap
from steerco_events.contracts.portfolio import ProjectPutOnHold, ProjectRegistered, ProjectState
from steerco_events.decider import Refusal
from steerco_finance.domain.budget import BaselineBudget, Budget, BudgetCommand, MakeForecast, budget_decider
from steerco_finance.domain.project import KnownProject
from steerco_finance.http.figures import StatedFigure
from steerco_portfolio.domain.project import MoveProject, Project, ProjectCommand, ProjectInAnotherState
from steerco_portfolio.domain.project_lifecycle import said
from steerco_portfolio.domain.project_rules import known, open_unit, project_decider
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
        state = _state_before(differing, project) if project else registered_state(entry, register)
        situation = _situation(entry, project, state, units, register)
        for name, body in differing.items():
            column = entry.facts[name].column
            for command in _project_commands(entry, name, body, project, units):
                situation = project_decider.fold(project_decider.decide(command, situation), situation)
                state = known(situation).state
        for name, body in differing.items():
            column = entry.facts[name].column
            for figure in _figure_commands(name, body, _known(entry, project, state, register)):
                budget_decider.decide(figure, _budget(name, project))
    except Refusal as refusal:
        return RowRefused(entry.row, column, refusal.detail)
    return None


def registered_state(entry: Entry, register: RegisterMap) -> ProjectState:
    """The state in which a new project is registered."""
    stated = entry.facts.get("state")
    return _STATE.validate_python(stated.body["state"]) if stated else register.state.default


_FORWARD = ("chartered", "planning", "executing", "closing", "closed")


def transitions_to(state: str, present_state: str) -> Sequence[str]:
    """The `to` of each state change on the way from one state to another; a way back is one that is refused.

    Portfolio does not tell where a hold goes back to: taken to be executing, and the last change makes sure.
    """
    if state not in _FORWARD or present_state not in (*_FORWARD, "on_hold"):
        return [state]
    resumed = ["resumed"] if present_state == "on_hold" else []
    start = _FORWARD.index("executing" if resumed else present_state)
    return [*resumed, *(_FORWARD[start + 1 : _FORWARD.index(state) + 1] or [state])]


def _state_before(differing: Mapping[str, Json], project: PresentProject) -> ProjectState:
    """The state that is there; of a hold the one that it goes back to, to planning if that is what the row says."""
    if project.state != "on_hold":
        return _STATE.validate_python(project.state)
    return "planning" if differing.get("state") == {"state": "planning"} else "executing"


def _situation(
    entry: Entry, project: PresentProject | None, state: ProjectState, units: Units, register: RegisterMap
) -> Project:
    """The project as far as it decides what else is taken; a new one needs an open unit."""
    code = project.facts["unit"]["code"] if project else entry.place.code
    unit = units.known(code)
    begun = ProjectRegistered(
        project_id=entry.project_id,
        code=entry.code,
        title=entry.facts["title"].body["title"],
        unit_id=(unit if project and unit else open_unit(unit)).unit_id,
        currency=register.currency,
        state=state,
        source=register.source,
        reference=entry.reference,
    )
    on_hold = project is not None and project.state == "on_hold"
    return project_decider.fold([begun, ProjectPutOnHold(project_id=entry.project_id)] if on_hold else [begun])


def _known(entry: Entry, project: PresentProject | None, state: str, register: RegisterMap) -> KnownProject:
    if project:
        return KnownProject(project.project_id, project.code, project.currency, state, 1)
    return KnownProject(entry.project_id, entry.code, register.currency, state, 1)


def _budget(name: str, project: PresentProject | None) -> Budget:
    """The figure of the name that is there."""
    if project is None or name not in project.facts:
        return Budget()
    running = KnownProject(project.project_id, project.code, project.currency, "executing", 1)
    commands = _figure_commands(name, project.facts[name], running)
    return budget_decider.fold(event for command in commands for event in budget_decider.decide(command, Budget()))


def _project_commands(
    entry: Entry, name: str, body: Json, project: PresentProject | None, units: Units
) -> Iterator[ProjectCommand]:
    """The commands on an existing project that portfolio may refuse in its present situation."""
    if project is None:
        return
    if name == "unit":
        yield MoveProject(entry.project_id, units.known(body["code"]))
    elif name == "state":
        for to in transitions_to(body["state"], project.state):
            if to not in TRANSITIONS:
                raise ProjectInAnotherState(
                    f"the project is {said(_STATE.validate_python(project.state))}, so it can't be {to} again"
                )
            yield TRANSITIONS[to](entry.project_id)


def _figure_commands(name: str, body: Json, project: KnownProject) -> Iterator[BudgetCommand]:
    if "figure" not in body:
        return
    stated = StatedFigure.model_validate(body)
    make = BaselineBudget if name.split()[1] == "budget" else MakeForecast
    yield make(project, stated.measure, stated.period, stated.figure.figure())
