"""A portfolio as CSV: one line per level, unit, measure, period and currency."""

import csv
import io
from collections.abc import Iterator, Sequence

from steerco.commands.figures import Json, lines_of

COLUMNS = (
    "level",
    "end",
    "unit",
    "project",
    "title",
    "projects",
    "measure",
    "period",
    "currency",
    "budget",
    "forecast",
    "variance",
    "compared",
    "over",
    "since",
)
"""`level` is total, unit, direct (the scope's own projects), month or overspend; the columns never change place."""


def csv_of(answer: Json) -> str:
    """The answer as CSV with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(answer))
    return out.getvalue()


def _rows(answer: Json) -> Iterator[dict[str, object]]:
    scope = answer["scope"]["code"]
    yield from _lines({"level": "total", "end": answer["as_of"], "unit": scope}, answer["totals"])
    for line in answer["units"]:
        level = "direct" if line.get("direct") else "unit"
        yield from _lines({"level": level, "end": answer["as_of"], "unit": line["unit"]["code"]}, line)
    for month in answer.get("months") or ():
        yield from _lines({"level": "month", "end": month["end"], "unit": scope}, month)
    for found in answer.get("over") or ():
        same = {name: found[name] for name in COLUMNS if name in found}
        yield same | {
            "level": "overspend",
            "end": answer["as_of"],
            "unit": found["unit_code"],
            "project": found["code"],
        }


def _lines(common: dict[str, object], answer: Json) -> Sequence[dict[str, object]]:
    common = common | {"projects": answer["projects"]}
    found = [
        common
        | {
            "measure": line.measure,
            "period": line.period,
            "currency": line.currency,
            "budget": line.budget,
            "forecast": line.forecast,
            "variance": line.variance,
            "compared": line.compared,
            "over": line.over,
        }
        for measure in ("cost", "benefit")
        for line in lines_of(answer, measure)
    ]
    return found or [common]
