"""What a scope adds up to: counts, figures per currency, variances of the like; children and direct make the total."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx
import pytest

type Answer = dict[str, Any]

INSTANTS = [
    "2025-01-10T12:00:00Z",
    "2025-01-31T00:00:00Z",
    "2025-02-05T00:00:00Z",
    "2025-03-21T00:00:00Z",
    "2025-04-15T11:59:59Z",
    "2025-04-15T12:00:00Z",
    "2025-05-10T12:00:00Z",
    None,
]


async def portfolio(reporting: httpx.AsyncClient, **asked: str | None) -> Answer:
    answer = await reporting.get("/portfolio", params={name: value for name, value in asked.items() if value})
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


async def totals(reporting: httpx.AsyncClient, scope: str = "enterprise") -> Answer:
    found: Answer = (await portfolio(reporting, scope=scope))["totals"]
    return found


def figure(answer: Answer, measure: str, kind: str, period: str = "whole_life") -> Answer:
    """One figure of an answer."""
    wanted = (measure, kind, period)
    (found,) = (each for each in answer["figures"] if (each["measure"], each["kind"], each["period"]) == wanted)
    return {name: value for name, value in found.items() if name not in ("measure", "kind", "period")}


def amounts(*said: tuple[str, str, int]) -> Sequence[Answer]:
    return [{"currency": currency, "amount": amount, "disclosed": disclosed} for currency, amount, disclosed in said]


def variance(answer: Answer, currency: str) -> Sequence[object]:
    """Budget, forecast and variance of whole-life cost; how many are compared, and how many of them are over."""
    (found,) = (each for each in answer["variances"] if each["currency"] == currency)
    assert (found["measure"], found["period"]) == ("cost", "whole_life")
    return [found[name] for name in ("budget", "forecast", "variance", "compared", "over")]


async def test_projects_are_counted_by_state_at_every_scope(reporting: httpx.AsyncClient) -> None:
    found = {scope: await totals(reporting, scope) for scope in ("enterprise", "LIC", "SUP", "SUP-insp", "LIC-web")}
    assert {scope: each["projects"] for scope, each in found.items()} == {
        "enterprise": 5,
        "LIC": 1,
        "SUP": 4,
        "SUP-insp": 2,
        "LIC-web": 1,
    }
    assert found["enterprise"]["by_state"] == {"chartered": 1, "executing": 4}
    assert found["SUP"]["by_state"] == {"chartered": 1, "executing": 3}
    assert found["LIC-web"]["by_state"] == {"chartered": 1}


async def test_each_assessors_newest_rating_counts_and_so_do_the_projects_that_it_did_not_rate(
    reporting: httpx.AsyncClient,
) -> None:
    whole = await totals(reporting)
    assert whole["assessments"] == {
        "IPA": {"amber_red": 1, "red": 1, "undisclosed": 1, "not_rated": 2},
        "SRO": {"green": 1, "not_rated": 4},
    }
    assert (await totals(reporting, "SUP"))["assessments"] == {
        "IPA": {"amber_red": 1, "undisclosed": 1, "not_rated": 2},
        "SRO": {"not_rated": 4},
    }
    assert (await totals(reporting, "LIC-web"))["assessments"] == {}


async def test_whole_life_budgets_are_summed_per_currency_and_never_over_currencies(
    reporting: httpx.AsyncClient,
) -> None:
    whole = await totals(reporting)
    assert figure(whole, "cost", "budget")["amounts"] == amounts(("EUR", "1300.00", 1), ("USD", "500.00", 1))
    assert figure(whole, "cost", "forecast")["amounts"] == amounts(("EUR", "1810.00", 2), ("USD", "550.00", 1))
    assert figure(whole, "benefit", "budget")["amounts"] == amounts(("EUR", "-50.00", 1))


async def test_what_is_withheld_and_what_is_not_stated_are_counted_apart_and_are_never_zero(
    reporting: httpx.AsyncClient,
) -> None:
    def counted(answer: Answer, measure: str, kind: str) -> Sequence[int]:
        found = figure(answer, measure, kind)
        return [found[name] for name in ("disclosed", "undisclosed", "not_stated")]

    whole, department = await totals(reporting), await totals(reporting, "SUP-insp")
    assert counted(whole, "cost", "budget") == [2, 1, 2]
    assert counted(whole, "cost", "forecast") == [3, 0, 2]
    assert counted(whole, "benefit", "budget") == [1, 0, 4]
    assert counted(department, "cost", "budget") == [1, 1, 0]
    assert figure(department, "benefit", "budget")["amounts"] == []


async def test_a_fiscal_years_figure_is_no_part_of_the_whole_life_figure(reporting: httpx.AsyncClient) -> None:
    department = await totals(reporting, "LIC-web")
    assert figure(department, "cost", "budget", "fiscal_year 2025")["amounts"] == amounts(("EUR", "300.00", 1))
    assert figure(department, "cost", "budget")["amounts"] == []
    assert figure(department, "cost", "budget")["not_stated"] == 1


async def test_a_variance_compares_only_the_same_measure_period_and_currency_of_the_same_project(
    reporting: httpx.AsyncClient,
) -> None:
    whole = await totals(reporting)
    assert [each["currency"] for each in whole["variances"]] == ["EUR", "USD"]
    assert variance(whole, "EUR") == ["1300.00", "1500.00", "200.00", 1, 1]
    assert variance(whole, "USD") == ["500.00", "550.00", "50.00", 1, 1]
    assert (await totals(reporting, "LIC-web"))["variances"] == [], "a year's budget, a whole life's forecast"


async def test_actual_costs_are_summed_by_period_and_currency_without_what_was_reversed(
    reporting: httpx.AsyncClient,
) -> None:
    euros = {"period": "fiscal_year 2025", "currency": "EUR", "amount": "120.50"}
    dollars = {"period": "fiscal_year 2025", "currency": "USD", "amount": "40.00"}
    assert (await totals(reporting))["actual_costs"] == [euros, dollars]
    assert (await totals(reporting, "LIC"))["actual_costs"] == [euros]
    assert (await totals(reporting, "SUP"))["actual_costs"] == [dollars]
    assert (await totals(reporting, "LIC-web"))["actual_costs"] == []


async def test_open_risks_are_counted_by_band_and_those_without_a_rating_apart(reporting: httpx.AsyncClient) -> None:
    none = {"extreme": 0, "high": 0, "medium": 0, "low": 0, "not_rated": 0}
    assert (await totals(reporting))["risks"] == none | {"high": 1, "not_rated": 1}
    assert (await totals(reporting, "LIC-reg"))["risks"] == none | {"high": 1}
    assert (await totals(reporting, "SUP"))["risks"] == none | {"not_rated": 1}


async def test_obligations_and_pitches_count_where_their_project_or_unit_is(reporting: httpx.AsyncClient) -> None:
    whole, licensing, support = [await totals(reporting, scope) for scope in ("COM", "LIC", "SUP")]
    owed = {"open": 1, "overdue": 1, "fulfilled": 1, "waived": 0}
    assert whole["obligations"] == licensing["obligations"] == owed
    assert support["obligations"] == dict.fromkeys(owed, 0)
    assert [each["pitches"] for each in (whole, licensing, support)] == [{"approved": 1}, {}, {"approved": 1}]


def lines_sum(lines: Sequence[Answer]) -> Mapping[object, Decimal]:
    """All that lines can be added by: projects, counts of figures, amounts and variances by name."""
    names = {name_of(each) for line in lines for each in line["figures"]}
    return sum_of(part for line in lines for part in parts(line, names))


def parts(line: Answer, names: Iterable[tuple[str, ...]]) -> Iterable[tuple[object, Decimal]]:
    yield "projects", Decimal(line["projects"])
    told = {name_of(each): each for each in line["figures"]}
    silent = {"amounts": [], "disclosed": 0, "undisclosed": 0, "not_stated": line["projects"]}
    for name in names:
        found = told.get(name, silent)
        for count in ("disclosed", "undisclosed", "not_stated"):
            yield (*name, count), Decimal(found[count])
        for each in found["amounts"]:
            yield (*name, each["currency"]), Decimal(each["amount"])
            yield (*name, each["currency"], "disclosed"), Decimal(each["disclosed"])
    yield from variance_parts(line["variances"])


def variance_parts(variances: Sequence[Answer]) -> Iterable[tuple[object, Decimal]]:
    for each in variances:
        for name in ("budget", "forecast", "variance", "compared", "over"):
            yield (each["measure"], each["period"], each["currency"], name), Decimal(each[name])


def name_of(figure: Mapping[str, str]) -> tuple[str, ...]:
    return figure["measure"], figure["kind"], figure["period"]


def sum_of(found: Iterable[tuple[object, Decimal]]) -> Mapping[object, Decimal]:
    added: dict[object, Decimal] = defaultdict(Decimal)
    for name, value in found:
        added[name] += value
    return {name: value for name, value in added.items() if value}


@pytest.mark.parametrize("as_of", INSTANTS)
async def test_children_and_direct_projects_add_up_to_the_total_at_every_instant(
    reporting: httpx.AsyncClient, as_of: str | None
) -> None:
    for scope in ("COM", "LIC", "SUP", "LIC-reg", "LIC-web", "SUP-insp"):
        answer = await portfolio(reporting, scope=scope, as_of=as_of)
        direct = [line["unit"]["code"] for line in answer["units"] if line.get("direct")]
        assert direct in ([], [scope])
        assert lines_sum(answer["units"]) == lines_sum([answer["totals"]])


async def test_at_every_months_end_the_units_variances_add_up_to_the_scopes(reporting: httpx.AsyncClient) -> None:
    for scope in ("COM", "LIC", "SUP"):
        for month in (await portfolio(reporting, scope=scope, by="month"))["months"]:
            of_units = sum_of(part for unit in month["units"] for part in variance_parts(unit["variances"]))
            assert of_units == sum_of(variance_parts(month["variances"]))


async def test_projects_that_hang_at_the_scope_itself_are_a_line_of_their_own(reporting: httpx.AsyncClient) -> None:
    answer = await portfolio(reporting, scope="SUP")
    lines = [(line["unit"]["code"], line["projects"], line.get("direct", False)) for line in answer["units"]]
    assert lines == [("LIC-web", 1, False), ("SUP-insp", 2, False), ("SUP", 1, True)]


async def test_a_scope_is_named_in_any_case_and_the_root_also_enterprise(reporting: httpx.AsyncClient) -> None:
    assert await portfolio(reporting, scope="lIc-REG") == await portfolio(reporting, scope="LIC-reg")
    whole = [await portfolio(reporting, scope=name) for name in ("enterprise", "Enterprise", "com", "COM")]
    assert whole[1:] == whole[:-1]
    assert await portfolio(reporting) == whole[0]


@pytest.mark.parametrize("path", ["/portfolio", "/register"])
async def test_an_unknown_scope_is_not_found(reporting: httpx.AsyncClient, path: str) -> None:
    answer = await reporting.get(path, params={"scope": "LIC-regs"})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:steerco:problem:unknown-scope")
    assert "LIC-regs" in answer.json()["detail"]


async def test_the_register_lists_the_projects_that_the_totals_count(reporting: httpx.AsyncClient) -> None:
    records = (await reporting.get("/register", params={"scope": "SUP"})).json()
    assert [(each["code"], each["unit_code"]) for each in records] == [
        ("D-1", "SUP"),
        ("R-2", "SUP-insp"),
        ("U-1", "SUP-insp"),
        ("WEB-1", "LIC-web"),
    ]
    (u1,) = (each for each in records if each["code"] == "U-1")
    assert (u1["ratings"]["IPA"]["rating"], u1["open_risks"]) == ("amber_red", {"not_rated": 1})
