"""Money is exact and in its currency's decimals; what is not stated is never a number."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest
from babel.numbers import get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from steerco_events.contracts.values import (
    CURRENCIES,
    LIMIT,
    Figure,
    Money,
    StatedDate,
    ValueRefused,
    amount_text,
    parse_period,
)

currencies = st.sampled_from(["GBP", "EUR", "JPY", "KWD"])
in_minor_units = st.integers(-(10**15) + 1, 10**15 - 1)


@st.composite
def moneys(draw: st.DrawFn) -> Money:
    currency = draw(currencies)
    return Money.of(Decimal(draw(in_minor_units)).scaleb(-get_currency_precision(currency)), currency)


@pytest.mark.parametrize(
    ("text", "currency", "written"),
    [
        ("1200.50", "GBP", "1200.50"),
        ("1200.5", "GBP", "1200.50"),
        ("1200", "GBP", "1200.00"),
        ("+7.10", "EUR", "7.10"),
        ("-7.1000", "EUR", "-7.10"),
        ("007", "EUR", "7.00"),
        ("500", "JPY", "500"),
        ("500.0", "JPY", "500"),
        ("1.234", "KWD", "1.234"),
        ("0", "GBP", "0.00"),
        ("-0", "GBP", "0.00"),
        ("999999999999999.99", "GBP", "999999999999999.99"),
    ],
)
def test_money_is_read_from_decimal_text(text: str, currency: str, written: str) -> None:
    money = Money.parse(text, currency)
    assert (amount_text(money.amount, money.currency), money.currency) == (written, currency)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 200",
        " 1",
        "1\n",
        "1,200.00",
        "1.200,00",
        "£5",
        "5 GBP",
        "1e3",
        "0x10",
        "NaN",
        "Infinity",
        "-inf",
        "1.",
        ".5",
        "--1",
        "+-1",
        "1_000",
        "٣",
        "１",
        "1.2.3",
        "0" * 31,
        "0." + "0" * 31,
    ],
)
def test_a_text_that_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueRefused, match="decimal text"):
        Money.parse(text, "GBP")


@pytest.mark.parametrize(
    ("text", "currency"), [("1.005", "GBP"), ("0.5", "JPY"), ("1.2345", "KWD"), ("0.000000000000000000000001", "EUR")]
)
def test_more_decimals_than_the_currency_has_are_refused_and_never_rounded(text: str, currency: str) -> None:
    with pytest.raises(ValueRefused, match="decimals"):
        Money.parse(text, currency)


@pytest.mark.parametrize("text", ["1000000000000000", "-1000000000000000.00", "9" * 30])
def test_an_amount_of_ten_to_the_fifteenth_is_refused(text: str) -> None:
    with pytest.raises(ValueRefused, match="smaller than"):
        Money.parse(text, "GBP")


@pytest.mark.parametrize("currency", ["", "gbp", "GB", "POUND", "XQQ", "£", "DEM", "FRF"])
def test_what_is_no_currency_of_today_is_refused(currency: str) -> None:
    with pytest.raises(ValueRefused, match="ISO 4217"):
        Money.parse("1", currency)


def test_currencies_are_those_that_are_legal_tender_today() -> None:
    assert {"EUR", "USD", "GBP", "CHF", "JPY", "KWD", "XAF"} <= CURRENCIES
    assert not {"DEM", "FRF", "XXX", "XAU", "CHE"} & CURRENCIES


def test_money_of_a_currency_withdrawn_since_is_still_read_from_an_event() -> None:
    money = msgspec.json.decode(b'{"amount": "5.00", "currency": "DEM"}', type=Money)
    assert (money, amount_text(money.amount, money.currency)) == (Money(Decimal(5), "DEM"), "5.00")


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_no_money_is_made_of_what_is_not_a_finite_number(amount: str) -> None:
    with pytest.raises(ValueRefused):
        Money(Decimal(amount), "GBP")
    with pytest.raises(ValueRefused):
        Money.of(Decimal(amount), "GBP")
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"amount": amount, "currency": "GBP"}), type=Money)


@given(moneys())
def test_money_comes_back_from_its_text_and_from_json_exactly(money: Money) -> None:
    text = amount_text(money.amount, money.currency)
    assert Money.parse(text, money.currency) == money
    returned = msgspec.json.decode(msgspec.json.encode(money), type=Money)
    assert amount_text(returned.amount, returned.currency) == text


@given(moneys())
def test_an_amount_is_written_at_its_currencys_decimals_without_exponent(money: Money) -> None:
    _, _, decimals = amount_text(money.amount, money.currency).partition(".")
    assert len(decimals) == get_currency_precision(money.currency)
    assert "E" not in amount_text(money.amount, money.currency)


@given(st.lists(moneys().filter(lambda money: money.currency == "GBP"), min_size=1, max_size=20))
def test_a_sum_of_any_size_is_exact(moneys: list[Money]) -> None:
    pence = sum(int(money.amount * 100) for money in moneys)
    total = sum((money.amount for money in moneys), Decimal(0))
    assert amount_text(total, "GBP") == f"{'-' if pence < 0 else ''}{abs(pence) // 100}.{abs(pence) % 100:02}"


def test_every_currency_has_a_largest_amount() -> None:
    for currency in CURRENCIES:
        largest = LIMIT - Decimal(1).scaleb(-get_currency_precision(currency))
        assert Money.of(largest, currency).amount == largest


@pytest.mark.parametrize(
    "figure",
    [Figure.disclosed(Money.parse("0", "GBP")), Figure.undisclosed("Exempt under Section 43"), Figure.not_stated()],
)
def test_a_figure_comes_back_as_it_was_said(figure: Figure) -> None:
    assert msgspec.json.decode(msgspec.json.encode(figure), type=Figure) == figure


def test_no_amount_is_not_an_amount_of_zero() -> None:
    nothing = Figure.disclosed(Money.parse("0", "GBP"))
    assert len({nothing, Figure.not_stated(), Figure.undisclosed("0"), Figure.undisclosed("")}) == 4
    assert Figure.not_stated().money is Figure.undisclosed("0").money is None


@pytest.mark.parametrize(
    "day", [StatedDate.stated(date(2026, 2, 28)), StatedDate.undisclosed("Spring 2027"), StatedDate.not_stated()]
)
def test_a_stated_date_comes_back_as_it_was_said(day: StatedDate) -> None:
    assert msgspec.json.decode(msgspec.json.encode(day), type=StatedDate) == day


@pytest.mark.parametrize("text", ["whole_life", "fiscal_year 2023", "fiscal_year 2022-23", "fiscal_year 1999-00"])
def test_a_period_is_the_whole_life_or_a_fiscal_year(text: str) -> None:
    assert parse_period(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023",
        "2022-23",
        "fiscal_year 22",
        "fiscal_year 22-23",
        "fiscal_year 2022-2023",
        "fiscal_year  2023",
        "Fiscal_year 2023",
        "fiscal_year 2023 ",
        "fiscal_year 2023\n",
        "whole_life\n",
        "whole life",
        "fiscal_year ٢٠٢٣",
    ],
)
def test_any_other_text_is_no_period(text: str) -> None:
    with pytest.raises(ValueRefused):
        parse_period(text)


@given(st.integers(1000, 9999), st.integers(0, 99))
def test_a_fiscal_year_across_two_ends_in_the_next(year: int, end: int) -> None:
    text = f"fiscal_year {year}-{end:02}"
    if end == (year + 1) % 100:
        assert parse_period(text) == text
    else:
        with pytest.raises(ValueRefused):
            parse_period(text)
