"""What a budget's decider says: baselines, forecasts, and what is never one."""

from dataclasses import replace

import pytest

from steerco_events.contracts.finance import BudgetBaselined, ForecastMade
from steerco_events.contracts.values import WHOLE_LIFE, Figure, Measure, Money
from steerco_events.decider import Refusal
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_events.testkit.spec import spec
from steerco_finance.domain.budget import BaselineBudget, BudgetOfEndedProject, MakeForecast, budget_decider
from steerco_finance.domain.project import AnotherCurrency, KnownProject, NegativeCost, UnknownProject

budget = spec(budget_decider)

PROJECT = KnownProject(derived_id("project", "LIC-1"), "LIC-1", "EUR", "executing", 7)
OVER = [replace(PROJECT, state="closed"), replace(PROJECT, state="terminated")]
YEAR = "fiscal_year 2026"
UNDISCLOSED = Figure.undisclosed("Exempt under the law")


def euros(text: str) -> Figure:
    return Figure.disclosed(Money.parse(text, "EUR"))


def baselined(
    figure: Figure, baseline: int = 1, measure: Measure = "cost", period: str = WHOLE_LIFE, version: int = 7
) -> BudgetBaselined:
    return BudgetBaselined(
        project_id=PROJECT.project_id,
        measure=measure,
        period=period,
        figure=figure,
        baseline=baseline,
        project_version=version,
    )


def forecast(figure: Figure, measure: Measure = "cost", period: str = WHOLE_LIFE, version: int = 7) -> ForecastMade:
    return ForecastMade(
        project_id=PROJECT.project_id, measure=measure, period=period, figure=figure, project_version=version
    )


def test_a_first_budget_is_baseline_1_and_names_the_version_of_the_project_that_was_read() -> None:
    budget.given().when(BaselineBudget(PROJECT, "cost", WHOLE_LIFE, euros("1000"))).then(baselined(euros("1000.00")))


def test_a_changed_budget_is_the_next_baseline() -> None:
    past = (baselined(euros("1000")), baselined(euros("1200"), 2))
    budget.given(*past).when(BaselineBudget(PROJECT, "cost", WHOLE_LIFE, euros("900"))).then(
        baselined(euros("900.00"), 3)
    )


def test_a_return_to_an_earlier_figure_is_a_new_baseline() -> None:
    past = (baselined(euros("1000")), baselined(euros("1200"), 2))
    command = BaselineBudget(PROJECT, "cost", WHOLE_LIFE, euros("1000"))
    budget.given(*past).when(command).then(baselined(euros("1000"), 3))


def test_the_figure_that_is_in_force_says_nothing_new_even_of_another_version_of_the_project() -> None:
    command = BaselineBudget(replace(PROJECT, project_version=9), "cost", WHOLE_LIFE, euros("1000"))
    budget.given(baselined(euros("1000"))).when(command).then_nothing()


@pytest.mark.parametrize(("measure", "period"), [("benefit", WHOLE_LIFE), ("cost", YEAR), ("cost", "fiscal_year 2027")])
def test_each_measure_and_period_counts_its_own_baselines(measure: Measure, period: str) -> None:
    past = (baselined(euros("1000")), baselined(euros("1200"), 2))
    command = BaselineBudget(PROJECT, measure, period, euros("1200"))
    budget.given(*past).when(command).then(baselined(euros("1200"), 1, measure, period))


def test_a_forecast_leaves_the_budget_of_its_line_alone() -> None:
    command = BaselineBudget(PROJECT, "cost", WHOLE_LIFE, euros("1000"))
    budget.given(forecast(euros("1000"))).when(command).then(baselined(euros("1000")))


def test_a_budget_leaves_the_forecast_of_its_line_alone() -> None:
    command = MakeForecast(PROJECT, "cost", WHOLE_LIFE, euros("1000"))
    budget.given(baselined(euros("1000"))).when(command).then(forecast(euros("1000")))


def test_a_forecast_is_made_as_often_as_it_changes() -> None:
    past = (forecast(euros("1000")), forecast(euros("1100")))
    command = MakeForecast(PROJECT, "cost", WHOLE_LIFE, euros("1000"))
    budget.given(*past).when(command).then(forecast(euros("1000")))


def test_the_forecast_that_holds_says_nothing_new() -> None:
    command = MakeForecast(replace(PROJECT, project_version=9), "cost", YEAR, euros("1000"))
    budget.given(forecast(euros("1000"), period=YEAR)).when(command).then_nothing()


def test_undisclosed_words_are_kept_as_they_were_said() -> None:
    budget.given().when(BaselineBudget(PROJECT, "cost", WHOLE_LIFE, UNDISCLOSED)).then(baselined(UNDISCLOSED))


def test_a_withheld_figure_can_be_disclosed_later_and_withheld_again() -> None:
    disclose = BaselineBudget(PROJECT, "cost", WHOLE_LIFE, euros("5"))
    budget.given(baselined(UNDISCLOSED)).when(disclose).then(baselined(euros("5"), 2))
    withhold = BaselineBudget(PROJECT, "cost", WHOLE_LIFE, UNDISCLOSED)
    budget.given(baselined(UNDISCLOSED), baselined(euros("5"), 2)).when(withhold).then(baselined(UNDISCLOSED, 3))


def test_a_figure_that_is_not_stated_is_another_than_zero() -> None:
    command = BaselineBudget(PROJECT, "cost", WHOLE_LIFE, Figure.not_stated())
    budget.given(baselined(euros("0"))).when(command).then(baselined(Figure.not_stated(), 2))


def test_a_cost_of_zero_is_a_cost() -> None:
    budget.given().when(BaselineBudget(PROJECT, "cost", WHOLE_LIFE, euros("0"))).then(baselined(euros("0.00")))


def test_a_benefit_may_be_negative() -> None:
    loss = euros("-0.01")
    budget.given().when(BaselineBudget(PROJECT, "benefit", WHOLE_LIFE, loss)).then(baselined(loss, measure="benefit"))
    budget.given().when(MakeForecast(PROJECT, "benefit", WHOLE_LIFE, loss)).then(forecast(loss, "benefit"))


@pytest.mark.parametrize("command", [BaselineBudget, MakeForecast])
@pytest.mark.parametrize(
    ("project", "figure", "refusal", "pointer"),
    [
        (None, euros("1"), UnknownProject, None),
        (PROJECT, euros("-0.01"), NegativeCost, "/figure/money/amount"),
        (PROJECT, Figure.disclosed(Money.parse("1", "USD")), AnotherCurrency, "/figure/money/currency"),
        (PROJECT, Figure.disclosed(Money.parse("-1", "USD")), AnotherCurrency, "/figure/money/currency"),
    ],
)
def test_a_figure_of_cost_is_of_a_known_project_in_its_currency_and_not_negative(
    command: type[BaselineBudget | MakeForecast],
    project: KnownProject | None,
    figure: Figure,
    refusal: type[Refusal],
    pointer: str | None,
) -> None:
    budget.given().when(command(project, "cost", WHOLE_LIFE, figure)).then_refused(refusal, pointer=pointer)


@pytest.mark.parametrize("command", [BaselineBudget, MakeForecast])
def test_a_benefit_is_in_the_currency_of_the_project_too(command: type[BaselineBudget | MakeForecast]) -> None:
    dollars = Figure.disclosed(Money.parse("1", "USD"))
    budget.given().when(command(PROJECT, "benefit", YEAR, dollars)).then_refused(
        AnotherCurrency, pointer="/figure/money/currency"
    )


@pytest.mark.parametrize("project", OVER)
@pytest.mark.parametrize("figure", [euros("2"), UNDISCLOSED, Figure.not_stated()])
def test_a_budget_of_a_project_that_is_over_is_not_changed(project: KnownProject, figure: Figure) -> None:
    command = BaselineBudget(project, "cost", WHOLE_LIFE, figure)
    budget.given(baselined(euros("1"))).when(command).then_refused(BudgetOfEndedProject)


@pytest.mark.parametrize("project", OVER)
def test_the_budget_that_a_project_that_is_over_has_can_be_sent_again(project: KnownProject) -> None:
    command = BaselineBudget(project, "cost", WHOLE_LIFE, euros("1"))
    budget.given(baselined(euros("1"))).when(command).then_nothing()


@pytest.mark.parametrize("project", OVER)
@pytest.mark.parametrize("past", [(), (baselined(euros("1")), forecast(euros("2"), period=YEAR))])
def test_a_project_that_is_over_gets_the_first_budget_of_a_line(
    project: KnownProject, past: tuple[Payload, ...]
) -> None:
    command = BaselineBudget(project, "cost", YEAR, euros("2"))
    budget.given(*past).when(command).then(baselined(euros("2"), period=YEAR))


@pytest.mark.parametrize("project", OVER)
@pytest.mark.parametrize("past", [(), (forecast(euros("1")),)])
def test_a_project_that_is_over_is_still_forecast(project: KnownProject, past: tuple[Payload, ...]) -> None:
    budget.given(*past).when(MakeForecast(project, "cost", WHOLE_LIFE, euros("2"))).then(forecast(euros("2")))


@pytest.mark.parametrize("state", ["chartered", "planning", "executing", "closing", "on_hold"])
def test_in_any_other_state_a_budget_is_changed(state: str) -> None:
    command = BaselineBudget(replace(PROJECT, state=state), "cost", WHOLE_LIFE, euros("2"))
    budget.given(baselined(euros("1"))).when(command).then(baselined(euros("2"), 2))
