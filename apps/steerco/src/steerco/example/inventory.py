"""What ran already when the office began: a table, taken over in the first days of the year."""

import csv
from collections.abc import Iterator, Mapping
from importlib.resources import files

from steerco.example.acts import LEAD, Act, Calendar, Chapter, Project, unit_id

SOURCE = "Project inventory"
RATED_ON = (70, 160, 250, 340)
RATINGS = {"g": "green", "a": "amber", "r": "red"}


def inventory(calendar: Calendar) -> Chapter:
    """Every line of the table as a project with its figures and its ratings by quarter."""
    text = files("steerco.example").joinpath("inventory.csv").read_text(encoding="utf-8")
    return [act for line in csv.DictReader(text.splitlines()) for act in _line(line, calendar)]


def _line(line: Mapping[str, str], calendar: Calendar) -> Iterator[Act]:
    project = Project(line["code"], line["title"], line["unit"], line["currency"], calendar, is_pitched=False)
    body = {
        "project_id": str(project.project_id),
        "code": project.code,
        "title": project.title,
        "unit_id": unit_id(project.unit),
        "currency": project.currency,
        "source": SOURCE,
        "reference": project.code,
        "state": line["state"],
        "start": {"on": calendar.on(int(line["start_day"]))},
        "end": {"on": calendar.on(int(line["end_day"]))},
    }
    reason = "Ran already when the office began"
    yield Act(1, LEAD, "portfolio", "POST", "/projects", body, project.code, reason)
    yield from project.kept_on(1)
    yield from project.budgeted(9, _amount(line["budget"]))
    if line["benefit"]:
        yield from project.budgeted(9, _amount(line["benefit"]), "benefit")
    if line["forecast"]:
        yield from project.forecast(14, int(line["forecast"]))
    if line["manager_day"]:
        yield from project.managed(int(line["manager_day"]))
    if line["trained_day"]:
        yield from project.trained(int(line["trained_day"]))
    for day, rating in zip(RATED_ON, line["ratings"], strict=False):
        yield from project.rated(day, "Project manager", RATINGS[rating])
    if line["ended_day"]:
        yield from project.went(int(line["ended_day"]) - 20, "closing")
        yield from project.went(int(line["ended_day"]), "closed", "Handed over")


def _amount(text: str) -> int | str:
    return int(text) if text.isdigit() else text
