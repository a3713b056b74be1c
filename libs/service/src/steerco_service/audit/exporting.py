"""A list as a page of JSON, or the whole of it as CSV or JSON lines, streamed page by page."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from steerco_service.accepting import best_form
from steerco_service.printing import printable
from steerco_service.problems import Problem

AT_ONCE = 500
"""Rows that are read together: no more of an export is in memory."""


class Form(StrEnum):
    """In which form a list is given out."""

    json = "application/json"
    csv = "text/csv"
    ndjson = "application/x-ndjson"


_RANGES: Mapping[str, Form] = {
    **{form.value: form for form in Form},
    "application/*": Form.json,
    "text/*": Form.csv,
    "*/*": Form.json,
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet would work out."""

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page of JSON; or the whole list, as CSV with a header or as JSON lines.",
        "content": {Form.csv.value: {"schema": {"type": "string"}}, Form.ndjson.value: {"schema": {"type": "string"}}},
    },
    406: {"description": "None of these forms is accepted: `not-acceptable`."},
}
"""What a list that can be exported answers, for its description."""


async def form_of(
    request: Request,
    format: Annotated[
        Literal["json", "csv", "ndjson"] | None,
        Query(description="A page, or all of it as CSV or JSON lines; goes before `Accept`."),
    ] = None,
) -> Form:
    """The dependency of a list that can be exported. Raises a 406 `Problem`."""
    if format:
        return Form[format]
    accept = ",".join(request.headers.getlist("accept")) or "*/*"
    form = best_form(accept, _RANGES)
    if form is None:
        raise Problem(406, "not-acceptable", f"Accept is {', '.join(Form)} (got {printable(accept)})")
    return form


type InForm = Annotated[Form, Depends(form_of)]


async def exported(
    form: Form, name: str, model: type[BaseModel], pages: AsyncIterator[Sequence[BaseModel]]
) -> StreamingResponse:
    """The whole list. The first page is read before the answer begins: what fails there is a problem, not a stump."""
    first = await anext(pages, ())
    chunks = _csv(model, first, pages) if form is Form.csv else _lines(first, pages)
    headers = {"Vary": "Accept", "Content-Disposition": f'attachment; filename="{name}.{form.name}"'}
    return StreamingResponse(chunks, media_type=form.value, headers=headers)


async def _csv(
    model: type[BaseModel], first: Sequence[BaseModel], rest: AsyncIterator[Sequence[BaseModel]]
) -> AsyncIterator[bytes]:
    yield csv_lines([model.model_fields]).encode() + _csv_of(first)
    async for rows in rest:
        yield _csv_of(rows)


def _csv_of(rows: Sequence[BaseModel]) -> bytes:
    return csv_lines(row.model_dump(mode="json").values() for row in rows).encode()


async def _lines(first: Sequence[BaseModel], rest: AsyncIterator[Sequence[BaseModel]]) -> AsyncIterator[bytes]:
    yield _lines_of(first)
    async for rows in rest:
        yield _lines_of(rows)


def _lines_of(rows: Sequence[BaseModel]) -> bytes:
    return "".join(f"{row.model_dump_json()}\n" for row in rows).encode()


def csv_lines(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV (RFC 4180, but with bare line feeds). No cell is a formula to a spreadsheet."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    """What stands for a value in a cell; a text that looks like a formula has an apostrophe before it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
        case list():
            return " ".join(map(str, value))
        case _:
            return value
