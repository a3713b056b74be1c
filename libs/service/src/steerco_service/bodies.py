"""The types that request bodies are made of: text that a database can hold, money as decimal text, figures."""

import re
import unicodedata
from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from steerco_events.contracts.values import CURRENCIES, Figure, Money, StatedDate, parse_period

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
"""How an instant with its zone is written (ISO 8601)."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_CODE = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,59}"


def one_line(text: str) -> str:
    """The text, if nothing in it breaks or controls a line. Raises `ValueError`."""
    if _CONTROL.search(text):
        raise ValueError("control characters are not allowed")
    return text


def _lines(text: str) -> str:
    if _CONTROL_BUT_LINES.search(text):
        raise ValueError("control characters other than line breaks and tabs are not allowed")
    return text


def _visible(text: str) -> str:
    if all(unicodedata.category(character)[0] in "CZ" for character in text):
        raise ValueError("at least one character must be visible")
    return text


def _code(text: str) -> str:
    if not re.fullmatch(_CODE, text):
        raise ValueError(
            "a code is 1 to 60 letters, digits and . _ / -, beginning with a letter or digit, such as 'DFT-ict'"
        )
    return text


def _known_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("is not an ISO 4217 currency code in use, such as 'EUR'")
    return code


def _iso_day(value: object) -> object:
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("a day is text such as '2026-03-31'")


def _iso_instant(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and INSTANT.fullmatch(value)):
        return value
    raise ValueError("an instant is text with its zone, such as '2026-03-31T12:00:00Z'")


type Name = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(one_line),
    AfterValidator(_visible),
]
"""One line of 1 to 200 characters, one of them visible, without the spaces around it."""

type Email = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s]+$"),
    AfterValidator(one_line),
]
"""An address for mail, with one `@` (RFC 5321 allows 254 characters)."""

type Prose = Annotated[str, StringConstraints(strict=True, max_length=10_000), AfterValidator(_lines)]
"""Text of at most 10,000 characters, line breaks allowed."""

type Code = Annotated[
    str,
    StringConstraints(strict=True),
    AfterValidator(_code),
    WithJsonSchema({"type": "string", "pattern": f"^{_CODE}$"}),
]
"""A short identifier that people type, such as `DFT-ict`."""

type Currency = Annotated[
    str,
    StringConstraints(strict=True),
    AfterValidator(_known_currency),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES)}),
]
"""The ISO 4217 code of a currency in use."""

type Day = Annotated[date, BeforeValidator(_iso_day)]
"""A day, as ISO 8601 text."""

type Instant = Annotated[datetime, BeforeValidator(_iso_instant)]
"""An instant, as ISO 8601 text with its zone."""

type Period = Annotated[str, StringConstraints(strict=True), AfterValidator(parse_period)]
"""`whole_life`, `fiscal_year 2023` or `fiscal_year 2022-23`."""


class Body(BaseModel):
    """A request body: unknown fields are refused, not lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MoneyBody(Body):
    """Money: decimal text with an ISO 4217 currency."""

    currency: Annotated[Currency, Field(examples=["EUR"])]
    amount: Annotated[str, Field(strict=True, examples=["125000.00"])]

    @field_validator("amount")
    @classmethod
    def _is_of_its_currency(cls, amount: str, found: ValidationInfo) -> str:
        if "currency" in found.data:
            Money.parse(amount, found.data["currency"])
        return amount

    def money(self) -> Money:
        """The value."""
        return Money.parse(self.amount, self.currency)


class FigureBody(Body):
    """A figure: `money`, or the words `said` in its place, or neither (*not stated*)."""

    money: MoneyBody | None = None
    said: Annotated[Name | None, Field(examples=["Exempt under the law"])] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.money and self.said:
            raise ValueError("a figure is money or words, not both")
        return self

    def figure(self) -> Figure:
        """The value."""
        if self.money:
            return Figure.disclosed(self.money.money())
        return Figure.undisclosed(self.said) if self.said else Figure.not_stated()


class StatedDateBody(Body):
    """A day, or the words `said` in its place, or neither (*not stated*)."""

    on: Day | None = None
    said: Name | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.on and self.said:
            raise ValueError("a date is a day or words, not both")
        return self

    def stated_date(self) -> StatedDate:
        """The value."""
        if self.on:
            return StatedDate.stated(self.on)
        return StatedDate.undisclosed(self.said) if self.said else StatedDate.not_stated()


class MoneyAnswer(BaseModel):
    """Money in an answer."""

    amount: str
    currency: str

    @classmethod
    def of(cls, money: Money) -> Self:
        """The answer for a value."""
        return cls(amount=str(money.amount), currency=money.currency)


class FigureAnswer(BaseModel):
    """A figure in an answer; absent amounts say why by `kind`."""

    kind: Literal["disclosed", "undisclosed", "not_stated"]
    money: MoneyAnswer | None = None
    said: str | None = None

    @classmethod
    def of(cls, figure: Figure) -> Self:
        """The answer for a value."""
        money = MoneyAnswer.of(figure.money) if figure.money else None
        return cls(kind=figure.kind, money=money, said=figure.said)
