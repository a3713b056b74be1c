"""Chartered → planning → executing → closing → closed; a hold that goes back to where it was; an end that stays one."""

from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as some

from steerco_events.contracts.portfolio import (
    ProjectChartered,
    ProjectClosed,
    ProjectClosingStarted,
    ProjectExecutionStarted,
    ProjectPlanningStarted,
    ProjectPutOnHold,
    ProjectRegistered,
    ProjectResumed,
    ProjectState,
    ProjectTerminated,
)
from steerco_events.decider import Refusal
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.testkit.spec import spec
from steerco_portfolio.domain.project import (
    CloseProject,
    OnHold,
    Over,
    ProjectInAnotherState,
    PutOnHold,
    Resume,
    Running,
    StartClosing,
    StartExecution,
    StartPlanning,
    Terminate,
    Transition,
    UnknownProject,
)
from steerco_portfolio.domain.project_rules import project_decider

project = spec(project_decider)

ID, UNIT = derived_id("project"), derived_id("unit")
CHARTERED = ProjectChartered(
    project_id=ID, code="LIC-1", title="On line", unit_id=UNIT, currency="EUR", pitch_id=derived_id("pitch")
)
PLANNING, EXECUTING, CLOSING, CLOSED = (
    ProjectPlanningStarted(project_id=ID),
    ProjectExecutionStarted(project_id=ID),
    ProjectClosingStarted(project_id=ID),
    ProjectClosed(project_id=ID),
)
HELD, TERMINATED = ProjectPutOnHold(project_id=ID), ProjectTerminated(project_id=ID)

PASTS: dict[ProjectState, tuple[Payload, ...]] = {
    "chartered": (CHARTERED,),
    "planning": (CHARTERED, PLANNING),
    "executing": (CHARTERED, PLANNING, EXECUTING),
    "closing": (CHARTERED, PLANNING, EXECUTING, CLOSING),
    "closed": (CHARTERED, PLANNING, EXECUTING, CLOSING, CLOSED),
    "on_hold": (CHARTERED, PLANNING, HELD),
    "terminated": (CHARTERED, PLANNING, TERMINATED),
}
"""A way into each state."""
GOING_ON: tuple[ProjectState, ...] = ("chartered", "planning", "executing", "closing")
COMMANDS: dict[str, Transition] = {
    "plan": StartPlanning(ID),
    "execute": StartExecution(ID),
    "finish": StartClosing(ID),
    "close": CloseProject(ID),
    "hold": PutOnHold(ID),
    "resume": Resume(ID),
    "terminate": Terminate(ID),
}
LEADS_TO: dict[str, dict[ProjectState, Payload]] = {
    "plan": {"chartered": PLANNING},
    "execute": {"planning": EXECUTING},
    "finish": {"executing": CLOSING},
    "close": {"closing": CLOSED},
    "hold": dict.fromkeys(GOING_ON, HELD),
    "resume": {"on_hold": ProjectResumed(project_id=ID, state="planning")},
    "terminate": dict.fromkeys((*GOING_ON, "on_hold"), TERMINATED),
}
"""Which commands change something, by the state that they find."""
ALREADY: dict[str, tuple[ProjectState, ...]] = {
    "plan": ("planning",),
    "execute": ("executing",),
    "finish": ("closing",),
    "close": ("closed",),
    "hold": ("on_hold",),
    "resume": GOING_ON,
    "terminate": ("terminated",),
}
"""In which states a command finds that it is already so."""


def registered(state: ProjectState) -> ProjectRegistered:
    return ProjectRegistered(
        project_id=ID,
        code="LIC-1",
        title="On line",
        unit_id=UNIT,
        currency="EUR",
        state=state,
        source="register",
        reference="7",
    )


def wrong() -> Iterator[tuple[str, ProjectState]]:
    for name in COMMANDS:
        for state in PASTS:
            if state not in LEADS_TO[name] and state not in ALREADY[name]:
                yield name, state


@pytest.mark.parametrize(("name", "state"), [(name, state) for name, states in LEADS_TO.items() for state in states])
def test_a_project_moves_on_from_the_state_before(name: str, state: ProjectState) -> None:
    project.given(*PASTS[state]).when(COMMANDS[name]).then(LEADS_TO[name][state])


@pytest.mark.parametrize(("name", "state"), [(name, state) for name, states in ALREADY.items() for state in states])
def test_a_project_that_is_in_the_state_already_stays_in_it(name: str, state: ProjectState) -> None:
    project.given(*PASTS[state]).when(COMMANDS[name]).then_nothing()


@pytest.mark.parametrize(("name", "state"), list(wrong()))
def test_a_project_does_not_move_on_from_any_other_state(name: str, state: ProjectState) -> None:
    project.given(*PASTS[state]).when(COMMANDS[name]).then_refused(ProjectInAnotherState)


def test_there_are_7_states_and_7_commands_of_which_14_steps_change_something_and_25_are_wrong() -> None:
    assert set(PASTS) == set(get_args(ProjectState.__value__))
    assert sum(len(states) for states in LEADS_TO.values()) == 14
    assert len(list(wrong())) == 25


@pytest.mark.parametrize("name", COMMANDS)
def test_a_project_that_is_not_there_does_not_move_on(name: str) -> None:
    project.given().when(COMMANDS[name]).then_refused(UnknownProject)


@pytest.mark.parametrize("state", GOING_ON)
def test_a_hold_goes_back_to_where_the_project_stood(state: ProjectState) -> None:
    resumed = ProjectResumed(project_id=ID, state=state)
    project.given(*PASTS[state], HELD).when(Resume(ID)).then(resumed)
    assert _state((*PASTS[state], HELD, resumed)) == state


def test_a_project_can_be_put_on_hold_again_in_another_state() -> None:
    past = (*PASTS["planning"], HELD, ProjectResumed(project_id=ID, state="planning"), EXECUTING, HELD)
    project.given(*past).when(Resume(ID)).then(ProjectResumed(project_id=ID, state="executing"))


def test_a_project_that_was_registered_on_hold_goes_on_executing() -> None:
    project.given(registered("on_hold")).when(Resume(ID)).then(ProjectResumed(project_id=ID, state="executing"))


@pytest.mark.parametrize(("name", "state"), [(name, state) for name in COMMANDS for state in PASTS])
def test_a_registered_project_moves_on_as_one_that_was_chartered(name: str, state: ProjectState) -> None:
    chartered, taken_over = (project_decider.fold(past) for past in (PASTS[state], (registered(state),)))
    try:
        events = project_decider.decide(COMMANDS[name], chartered)
    except Refusal as refusal:
        with pytest.raises(type(refusal)):
            project_decider.decide(COMMANDS[name], taken_over)
    else:
        assert [type(event) for event in project_decider.decide(COMMANDS[name], taken_over)] == [
            type(event) for event in events
        ]


@pytest.mark.parametrize(
    ("name", "state", "said"),
    [
        ("close", "executing", "the project is executing; it becomes closed from closing only"),
        ("plan", "terminated", "the project is terminated; it becomes planning from chartered only"),
        ("execute", "on_hold", "the project is on hold, so it can't be moved on"),
        ("terminate", "closed", "the project is closed, so it can't be terminated"),
        ("hold", "closed", "the project is closed, so it can't be put on hold"),
        ("resume", "terminated", "the project is terminated, so it can't be resumed"),
    ],
)
def test_the_refusal_says_what_the_project_is_instead(name: str, state: ProjectState, said: str) -> None:
    with pytest.raises(ProjectInAnotherState) as refused:
        project_decider.decide(COMMANDS[name], project_decider.fold(PASTS[state]))
    assert refused.value.detail == said


@given(some.lists(some.sampled_from(list(COMMANDS.values())), max_size=30))
def test_whatever_comes_a_project_is_over_for_good_or_goes_on_where_it_stood(commands: list[Transition]) -> None:
    events: tuple[Payload, ...] = (CHARTERED,)
    for command in commands:
        before = project_decider.fold(events)
        try:
            new = project_decider.decide(command, before)
        except ProjectInAnotherState:
            continue
        assert not (new and isinstance(before, Over))
        after = project_decider.fold(new, before)
        if isinstance(before, OnHold) and isinstance(after, Running):
            assert after.facts.state == before.before
        assert list(project_decider.decide(command, after)) == []
        events = (*events, *new)


def _state(past: tuple[Payload, ...]) -> str:
    state = project_decider.fold(past)
    assert isinstance(state, Running | OnHold | Over)
    return state.facts.state
