"""The types of bodies: what they take, and how a refusal reads."""

import pytest
from pydantic import TypeAdapter, ValidationError

from steerco_events.contracts.values import CURRENCIES
from steerco_service.bodies import Body, Code, Currency, Name

CODE_RULE = "a code is 1 to 60 letters, digits and . _ / -, beginning with a letter or digit, such as 'DFT-ict'"
CURRENCY_RULE = "is not an ISO 4217 currency code in use, such as 'EUR'"


class Coded(Body):
    code: Code
    currency: Currency


@pytest.mark.parametrize("text", ["\u200b\u202e\ufeff", "\u00ad", "\u200b \u3000\u200b", "\ue000"])
def test_a_name_of_nothing_but_invisible_characters_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="at least one character must be visible"):
        TypeAdapter[str](Name).validate_python(text)


@pytest.mark.parametrize("text", ["x", "-", "審査", "می\u200cخواهم", "👩\u200d🚀"])
def test_a_name_with_a_visible_character_is_kept_as_it_was_said(text: str) -> None:
    assert TypeAdapter[str](Name).validate_python(text) == text


@pytest.mark.parametrize("code", ["", "-a", "a b", "ä", "a\n", "a" * 61, "٣"])
def test_a_refused_code_is_told_the_rule_in_words(code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Coded(code=code, currency="EUR")
    (error,) = refused.value.errors()
    assert error["msg"] == f"Value error, {CODE_RULE}"


@pytest.mark.parametrize("code", ["A", "7", "DFT-ict", "a._/-", "a" * 60])
def test_a_code_is_taken_as_it_is_typed(code: str) -> None:
    assert Coded(code=code, currency="EUR").code == code


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "EUR\n", "XYZ", "DEM"])
def test_a_refused_currency_is_told_the_rule_in_words(currency: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Coded(code="A", currency=currency)
    (error,) = refused.value.errors()
    assert error["msg"] == f"Value error, {CURRENCY_RULE}"


def test_the_schema_says_what_a_code_and_a_currency_may_be() -> None:
    assert Coded.model_json_schema()["$defs"] == {
        "Code": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._/-]{0,59}$"},
        "Currency": {"type": "string", "enum": sorted(CURRENCIES)},
    }
