"""A project's budget: the figures that it is held against, and what is expected instead. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from steerco_events.contracts.finance import BudgetBaselined, ForecastMade
from steerco_events.contracts.values import Figure, Measure
from steerco_events.decider import Decider, Refusal
from steerco_events.registry import Payload
from steerco_finance.domain.project import KnownProject, NegativeCost, in_its_currency, known_project

# Situation

type Line = tuple[Measure, str]
"""What a figure is about: a measure in a period. Only figures of the same line are ever compared."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The newest baseline and forecast of each line."""

    baselines: Mapping[Line, BudgetBaselined] = field(default_factory=dict)
    forecasts: Mapping[Line, ForecastMade] = field(default_factory=dict)


# Commands


@dataclass(frozen=True, slots=True)
class BaselineBudget:
    """Hold a measure of a project in a period against a figure."""

    project: KnownProject | None
    measure: Measure
    period: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class MakeForecast:
    """Say what a measure of a project in a period is expected to be."""

    project: KnownProject | None
    measure: Measure
    period: str
    figure: Figure


type BudgetCommand = BaselineBudget | MakeForecast

# Refusals


class BudgetOfEndedProject(Refusal):
    """What a closed or terminated project was held against stays; its forecasts and costs may still come."""


# Decisions


def decide(command: BudgetCommand, state: Budget) -> Sequence[Payload]:
    """The events that a command leads to, or a refusal."""
    match command:
        case BaselineBudget():
            return baseline(command, state)
        case MakeForecast():
            return forecast(command, state)
        case _:
            assert_never(command)


def baseline(command: BaselineBudget, state: Budget) -> Sequence[Payload]:
    """Each new baseline of a line is numbered; the figure that is there already says nothing new.

    A project that is over, such as one registered with its history, gets the first of a line but no other.
    """
    project = known_project(command.project)
    line = (command.measure, command.period)
    before = state.baselines.get(line)
    if before and before.figure == command.figure:
        return []
    check(command, project)
    if before and project.is_over:
        raise BudgetOfEndedProject(
            f"the project {project.code} is {project.state}: its {command.measure} budget of {command.period} stays"
        )
    return [
        BudgetBaselined(
            project_id=project.project_id,
            measure=command.measure,
            period=command.period,
            figure=command.figure,
            baseline=before.baseline + 1 if before else 1,
            project_version=project.project_version,
        )
    ]


def forecast(command: MakeForecast, state: Budget) -> Sequence[Payload]:
    """As often as it changes, also after the end."""
    project = known_project(command.project)
    before = state.forecasts.get((command.measure, command.period))
    if before and before.figure == command.figure:
        return []
    check(command, project)
    return [
        ForecastMade(
            project_id=project.project_id,
            measure=command.measure,
            period=command.period,
            figure=command.figure,
            project_version=project.project_version,
        )
    ]


def check(command: BudgetCommand, project: KnownProject) -> None:
    """In the project's currency; a cost not negative, a benefit of either sign."""
    money = command.figure.money
    if money is None:
        return
    in_its_currency(money, project, "/figure/money/currency")
    if command.measure == "cost" and money.amount < 0:
        raise NegativeCost(f"a cost is not negative, {money.amount} is", pointer="/figure/money/amount")


def evolve(state: Budget, event: Payload) -> Budget:
    """The situation after an event."""
    match event:
        case BudgetBaselined():
            return replace(state, baselines={**state.baselines, (event.measure, event.period): event})
        case ForecastMade():
            return replace(state, forecasts={**state.forecasts, (event.measure, event.period): event})
        case _:
            return state


budget_decider: Decider[Budget, BudgetCommand] = Decider(Budget(), evolve, decide)
