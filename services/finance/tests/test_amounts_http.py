"""What an amount, a period and a text may be, at the edge of finance."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

type NewProject = Callable[..., Awaitable[UUID]]
type Json = dict[str, Any]

LARGEST = "9" * 15


def stated(**changes: object) -> Json:
    return {"measure": "benefit", "period": "whole_life", "figure": {"said": "Withheld"}} | changes


def money(amount: object, currency: object = "EUR") -> Json:
    return {"money": {"amount": amount, "currency": currency}}


@pytest.fixture(scope="module")
async def projects(project: NewProject) -> dict[str, UUID]:
    """A project in each of three currencies: of 2, 0 and 3 decimals."""
    return {currency: await project(currency) for currency in ("EUR", "JPY", "KWD")}


@pytest.fixture(scope="module")
async def euros(projects: dict[str, UUID]) -> str:
    """Where a figure in euros goes."""
    return f"/projects/{projects['EUR']}/forecast"


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("0", "EUR", "0.00"),
        ("-0", "JPY", "0"),
        ("+1", "EUR", "1.00"),
        ("007.5", "EUR", "7.50"),
        ("0.01", "EUR", "0.01"),
        ("1.000", "EUR", "1.00"),
        (f"{LARGEST}.99", "EUR", f"{LARGEST}.99"),
        (f"-{LARGEST}.99", "EUR", f"-{LARGEST}.99"),
        ("1", "JPY", "1"),
        ("1.0", "JPY", "1"),
        (LARGEST, "JPY", LARGEST),
        ("0.001", "KWD", "0.001"),
        (f"{LARGEST}.999", "KWD", f"{LARGEST}.999"),
    ],
)
async def test_an_amount_is_kept_exactly_at_the_decimals_of_its_currency(
    finance: httpx.AsyncClient, projects: dict[str, UUID], amount: str, currency: str, shown: str
) -> None:
    project_id = projects[currency]
    answer = await finance.put(f"/projects/{project_id}/forecast", json=stated(figure=money(amount, currency)))
    assert answer.status_code == 204, answer.text
    (found,) = (await finance.get(f"/projects/{project_id}/figures")).json()
    assert found["figure"]["money"] == {"amount": shown, "currency": currency}


@pytest.mark.parametrize(
    ("amount", "currency", "detail"),
    [
        ("0.001", "EUR", "EUR has 2 decimals"),
        ("0.5", "JPY", "JPY has 0 decimals"),
        ("0.0001", "KWD", "KWD has 3 decimals"),
        ("1000000000000000", "EUR", "smaller than 10^15"),
        ("-1000000000000000", "JPY", "smaller than 10^15"),
        ("9" * 30, "EUR", "smaller than 10^15"),
    ],
)
async def test_an_amount_has_not_more_decimals_than_its_currency_and_is_smaller_than_10_to_the_15(
    finance: httpx.AsyncClient, projects: dict[str, UUID], amount: str, currency: str, detail: str
) -> None:
    body = stated(figure=money(amount, currency))
    answer = await finance.put(f"/projects/{projects[currency]}/forecast", json=body)
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"].startswith("/figure/money")


@pytest.mark.parametrize(
    "amount",
    [
        *("NaN", "Infinity", "-Infinity", "inf", "sNaN", "1_000", " 1 ", "1 ", "\t1", "1\n", "1,5", "1.000,00"),
        *("", "-", "+", ".", "1.", ".5", "1e3", "1E3", "0x10", "--1", "1.2.3", "€1", "1 EUR", "1\u00a0000"),
        *("١٢", "\uff11\uff12", "१", "1\u0000", "−1", "½", "9" * 31, "1." + "0" * 31, "1" * 10_000),
    ],
)
async def test_an_amount_is_plain_decimal_text_in_ascii(finance: httpx.AsyncClient, euros: str, amount: str) -> None:
    answer = await finance.put(euros, json=stated(figure=money(amount)))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:invalid-request")
    assert answer.json()["errors"][0]["pointer"].startswith("/figure/money")
    assert len(answer.text) < 1000


@pytest.mark.parametrize("amount", [1, 1.5, True, None, [], {}, ["1"]])
async def test_an_amount_is_text_and_no_number_of_json(finance: httpx.AsyncClient, euros: str, amount: object) -> None:
    answer = await finance.put(euros, json=stated(figure=money(amount)))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/figure/money/amount")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "01", "+1", "1_000"])
async def test_what_is_no_json_is_refused_as_such(finance: httpx.AsyncClient, euros: str, number: str) -> None:
    content = json.dumps(stated(figure=money("AMOUNT"))).replace('"AMOUNT"', number)
    answer = await finance.put(euros, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:steerco:problem:malformed-json")


@pytest.mark.parametrize("currency", ["EURO", "eur", "ZZZ", "", "€", "ＥＵＲ", 978, None])
async def test_a_currency_is_an_iso_code(finance: httpx.AsyncClient, euros: str, currency: object) -> None:
    answer = await finance.put(euros, json=stated(figure=money("1", currency)))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/figure/money/currency")


@pytest.mark.parametrize("period", ["whole_life", "fiscal_year 2026", "fiscal_year 2026-27", "fiscal_year 1999-00"])
async def test_a_period_is_the_whole_life_or_a_fiscal_year(
    finance: httpx.AsyncClient, project: NewProject, period: str
) -> None:
    project_id = await project()
    assert (await finance.put(f"/projects/{project_id}/budget", json=stated(period=period))).status_code == 204
    (found,) = (await finance.get(f"/projects/{project_id}/figures")).json()
    assert found["period"] == period


@pytest.mark.parametrize(
    "period",
    [
        *(
            "",
            "2026",
            "fiscal_year",
            "fiscal_year  2026",
            "fiscal_year 26",
            "fiscal_year 2026-28",
            "fiscal_year 2026-26",
        ),
        *("fiscal_year 2026-2027", "fiscal_year 2026\n", " whole_life", "Whole_life", "fiscal_year ٢٠٢٦", "2026-Q1"),
        *("x" * 10_000, "whole_life\u0000", 2026, None, {}),
    ],
)
async def test_a_period_is_nothing_else(finance: httpx.AsyncClient, euros: str, period: object) -> None:
    answer = await finance.put(euros, json=stated(period=period))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/period")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"measure": "profit"}, "/measure"),
        ({"measure": None}, "/measure"),
        ({"figure": None}, "/figure"),
        ({"figure": "1"}, "/figure"),
        ({"figure": 1}, "/figure"),
        ({"figure": {"said": "Withheld"} | money("1")}, "/figure"),
        ({"figure": {"amount": "1"}}, "/figure/amount"),
        ({"figure": {"money": "1 EUR"}}, "/figure/money"),
        ({"figure": {"money": {"amount": "1"}}}, "/figure/money/currency"),
        ({"figure": {"said": "x" * 201}}, "/figure/said"),
        ({"figure": {"said": ""}}, "/figure/said"),
        ({"figure": {"said": "a\u0000b"}}, "/figure/said"),
        ({"figure": {"said": 0}}, "/figure/said"),
        ({"currency": "EUR"}, "/currency"),
    ],
)
async def test_a_field_that_is_wrong_is_named(
    finance: httpx.AsyncClient, euros: str, changes: Json, pointer: str
) -> None:
    answer = await finance.put(euros, json=stated(**changes))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:steerco:problem:invalid-request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
