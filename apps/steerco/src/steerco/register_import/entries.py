"""Rows as the projects that they describe, checked against the services' own request bodies. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError

from steerco.register_import.cells import code_of, date_of, figure_of
from steerco.register_import.register_file import Row
from steerco.register_import.register_map import AssessmentColumn, FigureColumn, RegisterMap, rule_of
from steerco_events.ids import derived_id
from steerco_finance.http.figures import StatedFigure
from steerco_portfolio.http.projects import Assessment, Dates, Title
from steerco_service.bodies import Code, Name, StatedDateBody

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """The units of a row, from the business unit down: code and name."""

    units: Sequence[tuple[str, str]]

    @property
    def code(self) -> str:
        """The code of the unit that has the project."""
        return self.units[-1][0]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a row says of its project, as the body of the command that states it, and where it says so."""

    column: str
    body: Json


@dataclass(frozen=True, slots=True)
class Entry:
    """A project as a row describes it. `facts` are title, unit, state, dates, assessments and figures by name."""

    row: int
    reference: str
    project_id: UUID
    code: str
    place: Place
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class RowRefused:
    """A row of which nothing is loaded: where, and why."""

    row: int
    column: str
    reason: str


@dataclass(slots=True)
class Found:
    """What the rows say. `undisclosed` has the rows of each column and of the words that stand in it."""

    entries: list[Entry] = field(default_factory=list)
    refused: list[RowRefused] = field(default_factory=list)
    undisclosed: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    contradictory: list[int] = field(default_factory=list)


class _Refused(Exception):
    def __init__(self, column: str, reason: str) -> None:
        self.column = column
        self.reason = reason


def entries_of(rows: Sequence[Row], register: RegisterMap) -> Found:
    """Every row as an entry or as refused.

    A reference or a code that comes twice refuses all its rows; a unit's code made of two names, those of the later.
    """
    found = Found()
    for row in rows:
        try:
            entry = _entry(row, register, found)
        except _Refused as refused:
            found.refused.append(RowRefused(row.number, refused.column, refused.reason))
        else:
            found.entries.append(entry)
    _refuse(found, _doubles(found.entries, register.columns.reference, rows))
    _refuse(found, _unit_doubles(found.entries, register, rows))
    found.refused.sort(key=lambda refused: refused.row)
    _note_contradictions(found)
    return found


def _refuse(found: Found, refused: Iterable[RowRefused]) -> None:
    news = {each.row: each for each in refused}
    found.entries = [entry for entry in found.entries if entry.row not in news]
    found.refused += news.values()


def _doubles(entries: Sequence[Entry], column: str, rows: Sequence[Row]) -> Iterator[RowRefused]:
    references = Counter(row.cells[column] for row in rows if row.cells)
    codes = Counter(entry.code.upper() for entry in entries)
    for entry in entries:
        if references[entry.reference] > 1:
            yield RowRefused(entry.row, column, f"{entry.reference!r} is the id of more than one row")
        elif codes[entry.code.upper()] > 1:
            reason = (
                f"{entry.reference!r} makes the code {entry.code!r}, which is made by more than one row, in any case"
            )
            yield RowRefused(entry.row, column, reason)


def _unit_doubles(entries: Sequence[Entry], register: RegisterMap, rows: Sequence[Row]) -> Iterator[RowRefused]:
    """Names that differ in case only are the same, and so are cells to which the map gives the same name."""
    cells = {row.number: row.cells or {} for row in rows}
    columns = [each for each in (register.columns.business_unit, register.columns.department) if each]
    first: dict[str, tuple[str, str, int]] = {}
    for entry in entries:
        for column, (code, name) in zip(columns, entry.place.units, strict=True):
            cell = cells[entry.row][column]
            known, by, row = first.setdefault(code.upper(), (name, cell, entry.row))
            if known.casefold() != name.casefold():
                reason = f"{cell!r} makes the code {code!r}, which {by!r} of row {row} makes already"
                yield RowRefused(entry.row, column, reason)
                break


def _note_contradictions(found: Found) -> None:
    for entry in found.entries:
        dates = entry.facts.get("dates")
        start, end = (dates.body[name].get("on", "") for name in ("start", "end")) if dates else ("", "")
        if start and end and end < start:
            found.contradictory.append(entry.row)


def _entry(row: Row, register: RegisterMap, found: Found) -> Entry:
    cells = row.cells
    if cells is None:
        raise _Refused("", f"has {row.width} cells, not as many as the header")
    columns = register.columns
    reference = _named(cells, columns.reference)
    return Entry(
        row=row.number,
        reference=reference,
        project_id=derived_id(register.source, reference),
        code=_code(register.codes.project, reference, columns.reference),
        place=(place := _place(cells, register)),
        facts={name: fact for name, fact in _facts(row.number, cells, place, register, found) if fact},
    )


def _named(cells: Mapping[str, str], column: str) -> str:
    if not cells[column]:
        raise _Refused(column, "is blank")
    return _checked(column, lambda: TypeAdapter(Name).validate_python(cells[column]))


def _code(pattern: str, cell: str, column: str, parent: str = "") -> str:
    code = code_of(pattern, cell, parent)
    try:
        return TypeAdapter(Code).validate_python(code)
    except ValidationError as error:
        raise _Refused(column, f"{cell!r} makes the code {code!r}: {rule_of(error.errors()[0])}") from error


def _place(cells: Mapping[str, str], register: RegisterMap) -> Place:
    columns, codes = register.columns, register.codes
    above = _named(cells, columns.business_unit)
    parent = _code(codes.business_unit, above, columns.business_unit)
    units = [(parent, register.names.get(above, above))]
    if columns.department:
        below = _named(cells, columns.department)
        code = _code(codes.department, below, columns.department, parent)
        units.append((code, register.names.get(below, below)))
    return Place(units)


def _facts(
    row: int, cells: Mapping[str, str], place: Place, register: RegisterMap, found: Found
) -> Iterator[tuple[str, Fact | None]]:
    columns = register.columns
    title = _named(cells, columns.title)
    yield "title", _fact(columns.title, lambda: Title(title=title))
    yield "unit", Fact(columns.department or columns.business_unit, {"code": place.code})
    if register.state.column:
        yield "state", Fact(register.state.column, {"state": _state(cells, register)})
    if columns.start or columns.end:
        yield "dates", _dates(row, cells, register, found)
    for assessed in register.assessments:
        fact = _assessment(assessed, cells[assessed.column], register)
        if "said" in fact.body:
            found.undisclosed[assessed.column, cells[assessed.column]].append(row)
        yield f"assessment {assessed.assessor}", fact
    for column in register.figures:
        fact = _figure(column, cells[column.column], register)
        if "said" in fact.body["figure"]:
            found.undisclosed[column.column, cells[column.column]].append(row)
        yield figure_name(column.measure, column.kind, column.period), fact


def _assessment(column: AssessmentColumn, cell: str, register: RegisterMap) -> Fact:
    def make() -> Assessment:
        rating = register.ratings.get(cell)
        return Assessment(assessor=column.assessor, rating=rating, said=None if rating else cell or None)

    return _fact(column.column, make)


def _figure(column: FigureColumn, cell: str, register: RegisterMap) -> Fact:
    def make() -> StatedFigure:
        return StatedFigure(measure=column.measure, period=column.period, figure=figure_of(cell, register))

    return _fact(column.column, make)


def figure_name(measure: str, kind: str, period: str) -> str:
    """The name of a figure among the facts of a project."""
    return f"{measure} {kind} {period}"


def _state(cells: Mapping[str, str], register: RegisterMap) -> str:
    column = register.state.column or ""
    cell = cells[column]
    if not cell:
        return register.state.default
    if cell not in register.state.words:
        raise _Refused(column, f"{cell!r} is none of the map's words for a state")
    return register.state.words[cell]


def _dates(row: int, cells: Mapping[str, str], register: RegisterMap, found: Found) -> Fact:
    columns = register.columns
    used = [column for column in (columns.start, columns.end) if column]
    stated = {column: _checked(column, partial(date_of, cells[column], register)) for column in used}
    for column in used:
        if stated[column].said:
            found.undisclosed[column, cells[column]].append(row)
    start, end = (stated[column] if column else StatedDateBody() for column in (columns.start, columns.end))
    return Fact(", ".join(used), dumped(Dates(start=start, end=end)))


def _fact(column: str, make: Callable[[], BaseModel]) -> Fact:
    return Fact(column, dumped(_checked(column, make)))


def _checked[Value](column: str, make: Callable[[], Value]) -> Value:
    try:
        return make()
    except ValidationError as error:
        raise _Refused(column, f"{rule_of(error.errors()[0])}, {str(error.errors()[0]['input'])[:60]!r}") from error
    except ValueError as error:
        raise _Refused(column, str(error)) from error


def dumped(body: BaseModel) -> Json:
    """A body as JSON holds it, without what is absent."""
    return body.model_dump(mode="json", exclude_none=True)
