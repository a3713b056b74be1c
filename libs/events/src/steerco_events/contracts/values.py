"""The values that events are made of: money, figures, dates as they were said."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from babel.core import get_global
from babel.numbers import get_currency_precision

LIMIT = Decimal(10) ** 15
"""No single amount reaches this, in either direction."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_PERIOD = re.compile(r"whole_life|fiscal_year [0-9]{4}(-[0-9]{2})?", re.ASCII)
_FISCAL_YEAR_ACROSS_TWO = re.compile(r"fiscal_year ([0-9]{4})-([0-9]{2})", re.ASCII)

CURRENCIES: frozenset[str] = frozenset(
    code
    for used in get_global("territory_currencies").values()
    for code, _, until, is_tender in used
    if is_tender and until is None
)
"""The ISO 4217 codes of today's legal tender, as the CLDR has it. Old events may have others, withdrawn since."""

WHOLE_LIFE = "whole_life"

type FieldClass = Literal["personal", "commercial"]

type Measure = Literal["cost", "benefit"]
"""What a figure measures. A budget and a forecast of cost are compared; of cost and benefit never."""

# What the schemas say of such fields, for those who read them; what is written is checked where it is made.
AMOUNT = msgspec.Meta(extra_json_schema={"pattern": r"^-?[0-9]{1,15}(\.[0-9]+)?$"})
CURRENCY = msgspec.Meta(description="ISO 4217 code.", extra_json_schema={"pattern": "^[A-Z]{3}$"})
PERIOD = msgspec.Meta(
    description="`whole_life`, or a fiscal year such as `fiscal_year 2023` or `fiscal_year 2022-23`.",
    extra_json_schema={"pattern": f"^({_PERIOD.pattern})$"},
)
ENCRYPTED = msgspec.Meta(
    description="A secret that the person's own key reads: AES-SIV (RFC 5297), base64url without padding.",
    extra_json_schema={"pattern": "^[A-Za-z0-9_-]+$"},
)
_FIELD_CLASS = "x-field-class"
_CLASSED: dict[tuple[type[Any], FieldClass], tuple[str, ...]] = {}
PERSONAL = msgspec.Meta(extra_json_schema={_FIELD_CLASS: "personal"})
"""Who somebody is, and how to reach them: feeds leave it out for readers without the right to such fields."""
COMMERCIAL = msgspec.Meta(extra_json_schema={_FIELD_CLASS: "commercial"})
"""What somebody is paid, and by which document; words of a register, which say budgets, too: likewise."""
PROJECT_SEEN = msgspec.Meta(description="The version of the project's stream that the writer had seen.")


def classed_fields(payload: type[Any], fields: FieldClass) -> tuple[str, ...]:
    """The fields of an event's data that are of a class."""
    found = _CLASSED.get((payload, fields))
    if found is None:
        found = _CLASSED[payload, fields] = tuple(
            name
            for name, hint in get_type_hints(payload, include_extras=True).items()
            for said in getattr(hint, "__metadata__", ())
            if (said.extra_json_schema or {}).get(_FIELD_CLASS) == fields
        )
    return found


class ValueRefused(ValueError):
    """A value breaks a rule of its type; the text names the rule and the value."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its ISO 4217 currency, at the currency's own number of decimals."""

    amount: Annotated[Decimal, AMOUNT]
    """Decimal text with the currency's own number of decimals, below 10^15 in either direction."""
    currency: Annotated[str, CURRENCY]

    def __post_init__(self) -> None:
        if not self.amount.is_finite():
            raise ValueRefused(f"an amount is a finite number, not {self.amount}")

    @classmethod
    def parse(cls, text: str, currency: str) -> "Money":
        """Money from decimal text, such as `"1200.50"`. Raises `ValueRefused`."""
        if currency not in CURRENCIES:
            raise ValueRefused(f"{currency!r} is not an ISO 4217 currency code in use")
        if not _NUMBER.fullmatch(text):
            raise ValueRefused(f"an amount is decimal text such as '1200.50', not {text[:40]!r}")
        return cls.of(Decimal(text), currency)

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> "Money":
        """Money from a finite number; refuses |amount| >= 10^15 and more decimals than the currency has."""
        if not amount.is_finite() or abs(amount) >= LIMIT:
            raise ValueRefused(f"an amount is smaller than 10^15, not {amount}")
        decimals = get_currency_precision(currency)
        exact = amount.quantize(Decimal(1).scaleb(-decimals))
        if exact != amount:
            raise ValueRefused(f"{currency} has {decimals} decimals, so not {amount}")
        return cls(exact + 0, currency)  # + 0: there is no -0.00


def amount_text(amount: Decimal, currency: str) -> str:
    """An amount, or a sum of any size, as plain decimal text at the currency's decimals."""
    return f"{amount:.{get_currency_precision(currency)}f}"


@dataclass(frozen=True, slots=True)
class Figure:
    """An amount; or words in its place (`undisclosed`, kept as said); or nothing (`not_stated`). Never 0 for absent."""

    kind: Literal["disclosed", "undisclosed", "not_stated"]
    money: Money | None = None
    """The amount, if it is disclosed."""
    said: str | None = None
    """The words in its place, if it is undisclosed."""

    @classmethod
    def disclosed(cls, money: Money) -> "Figure":
        """A figure that is an amount."""
        return cls("disclosed", money=money)

    @classmethod
    def undisclosed(cls, said: str) -> "Figure":
        """A figure that the source withheld or wrote as words."""
        return cls("undisclosed", said=said)

    @classmethod
    def not_stated(cls) -> "Figure":
        """A figure of which the source says nothing."""
        return cls("not_stated")


@dataclass(frozen=True, slots=True)
class StatedDate:
    """A day; or words in its place; or nothing."""

    kind: Literal["stated", "undisclosed", "not_stated"]
    on: date | None = None
    """The day, if one is stated."""
    said: str | None = None
    """The words in its place, if it is undisclosed."""

    @classmethod
    def stated(cls, on: date) -> "StatedDate":
        """A date that is a day."""
        return cls("stated", on=on)

    @classmethod
    def undisclosed(cls, said: str) -> "StatedDate":
        """A date that the source wrote as words."""
        return cls("undisclosed", said=said)

    @classmethod
    def not_stated(cls) -> "StatedDate":
        """A date of which the source says nothing."""
        return cls("not_stated")


def parse_period(text: str) -> str:
    """`whole_life`, `fiscal_year 2023` or `fiscal_year 2022-23`. Raises `ValueRefused`."""
    across = _FISCAL_YEAR_ACROSS_TWO.fullmatch(text)
    consecutive = across is None or (int(across[1]) + 1) % 100 == int(across[2])
    if not _PERIOD.fullmatch(text) or not consecutive:
        raise ValueRefused(f"a period is 'whole_life', 'fiscal_year 2023' or 'fiscal_year 2022-23', not {text[:40]!r}")
    return text
