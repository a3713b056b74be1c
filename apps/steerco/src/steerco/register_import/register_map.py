"""The map that says what the columns of a register mean."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from steerco.client import CommandFailed
from steerco_events.contracts.portfolio import ProjectState
from steerco_events.contracts.values import Measure
from steerco_portfolio.http.projects import GivenRating
from steerco_service.bodies import Code, Currency, Name, Period

FILE_REFUSED = 2
"""The exit status when nothing of a file was loaded."""

_A_DAY = datetime(2023, 11, 30, tzinfo=UTC)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Enterprise(_Part):
    """The root under which everything is loaded."""

    code: Code
    name: Name


class Columns(_Part):
    """Where a row says what it is about."""

    reference: str
    title: str
    business_unit: str
    department: str | None = None
    start: str | None = None
    end: str | None = None


class Codes(_Part):
    """How codes are made of cells: `{cell}` as it is, `{slug}` of it, `{parent}` the unit's above."""

    project: str = "{cell}"
    business_unit: str = "{cell}"
    department: str = "{parent}-{slug}"

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        for name in ("project", "business_unit", "department"):
            try:
                getattr(self, name).format(cell="", slug="", parent="")
            except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
                raise ValueError(f"{name}: {error} is none of {{cell}}, {{slug}}, {{parent}}") from error
        return self


class State(_Part):
    """The state in which projects are registered; with a column, its words by state."""

    default: ProjectState = "executing"
    column: str | None = None
    words: Mapping[str, ProjectState] = {}


class AssessmentColumn(_Part):
    """A column that holds an assessor's ratings."""

    assessor: Name
    column: str


class FigureColumn(_Part):
    """A column that holds a figure of a measure and a period."""

    column: str
    measure: Measure
    kind: Literal["budget", "forecast"]
    period: Period


class RegisterMap(_Part):
    """A whole map. `source` and a row's reference together identify a project for ever."""

    source: Name
    currency: Currency
    scale: Annotated[int, Field(ge=1, le=10**9)] = 1
    encoding: str = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    date_format: str = "%Y-%m-%d"
    enterprise: Enterprise
    columns: Columns
    codes: Codes = Codes()
    names: Mapping[str, Name] = {}
    state: State = State()
    assessments: tuple[AssessmentColumn, ...] = ()
    ratings: Mapping[str, GivenRating] = {}
    figures: tuple[FigureColumn, ...] = ()

    @field_validator("date_format")
    @classmethod
    def _reads_whole_days(cls, date_format: str) -> str:
        written = " ".join(_A_DAY.strftime(date_format).split())
        try:
            day = datetime.strptime(written, date_format).replace(tzinfo=UTC).date()
        except (ValueError, re.error) as error:
            raise ValueError(f"{date_format!r} reads no day: {error}") from error
        if day != _A_DAY.date():
            raise ValueError(f"{date_format!r} is not a whole day: {_A_DAY.date()} is read as {day}")
        return date_format

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.assessments and not self.ratings:
            raise ValueError("[[assessments]] need [ratings]: which word means which rating")
        lines = [(each.measure, each.kind, each.period) for each in self.figures]
        if len(set(lines)) < len(lines):
            raise ValueError("two [[figures]] have the same measure, kind and period")
        if len({each.assessor for each in self.assessments}) < len(self.assessments):
            raise ValueError("two [[assessments]] have the same assessor")
        return self

    def used_columns(self) -> Iterator[str]:
        """Every column that the map reads."""
        yield from (name for name in self.columns.model_dump().values() if name)
        if self.state.column:
            yield self.state.column
        yield from (each.column for each in self.assessments)
        yield from (each.column for each in self.figures)


def rule_of(error: ErrorDetails) -> str:
    """The rule that a value breaks, in its own words."""
    return error["msg"].removeprefix("Value error, ")


def read_map(path: Path) -> RegisterMap:
    """The map of a TOML file. Raises `CommandFailed` that names the file, the entry and the rule."""
    try:
        return RegisterMap.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CommandFailed(f"the map {path} can't be read: {error.strerror}", FILE_REFUSED) from error
    except ValidationError as error:
        found = "; ".join(": ".join(filter(None, (_entry(each), rule_of(each)))) for each in error.errors())
        raise CommandFailed(f"the map {path}: {found}", FILE_REFUSED) from error
    except ValueError as error:
        raise CommandFailed(f"the map {path} is not TOML in UTF-8: {error}", FILE_REFUSED) from error


def _entry(error: ErrorDetails) -> str:
    return ".".join(map(str, error["loc"]))
