"""What an edition has already, in the same form as what a register says."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from steerco.client import Client
from steerco.register_import.entries import Json, dumped, figure_name
from steerco_portfolio.http.projects import Assessment, Dates
from steerco_service.bodies import StatedDateBody


@dataclass(frozen=True, slots=True)
class PresentProject:
    """A project that is there."""

    project_id: UUID
    code: str
    currency: str
    state: str
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Present:
    """The units, the projects of the source by id, and who has which code (in capitals)."""

    units: Sequence[Json]
    projects: Mapping[UUID, PresentProject]
    codes: Mapping[str, UUID]


def present(client: Client, source: str) -> Present:
    """What is there now."""
    units = client.get("/portfolio/units")
    projects = list(client.pages("/portfolio/projects"))
    ours = [each for each in projects if each["source"] == source]
    figures: dict[str, dict[str, Json]] = defaultdict(dict)
    for figure in client.pages("/finance/figures") if ours else ():
        name = figure_name(figure["measure"], figure["kind"], figure["period"])
        figures[figure["project_id"]][name] = _figure(figure)
    codes = {unit["unit_id"]: unit["code"] for unit in units}
    return Present(
        units=units,
        projects={
            UUID(each["project_id"]): PresentProject(
                project_id=UUID(each["project_id"]),
                code=each["code"],
                currency=each["currency"],
                state=each["state"],
                facts=_facts(each, codes[each["unit_id"]]) | figures[each["project_id"]],
            )
            for each in ours
        },
        codes={each["code"].upper(): UUID(each["project_id"]) for each in projects},
    )


def _facts(project: Mapping[str, Any], unit_code: str) -> dict[str, Json]:
    dates = Dates(start=_date(project["start"]), end=_date(project["end"]))
    return {
        "title": {"title": project["title"]},
        "unit": {"code": unit_code},
        "state": {"state": project["state"]},
        "dates": dumped(dates),
    } | dict(_assessments(project["assessments"]))


def _date(answer: Mapping[str, Any]) -> StatedDateBody:
    return StatedDateBody(on=answer["on"], said=answer["said"])


def _assessments(answers: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, Json]]:
    for each in answers:
        rating = None if each["rating"] in ("undisclosed", "not_rated") else each["rating"]
        body = Assessment(assessor=each["assessor"], rating=rating, said=each["said"])
        yield f"assessment {each['assessor']}", dumped(body)


def _figure(answer: Mapping[str, Any]) -> Json:
    figure = {name: answer["figure"][name] for name in ("money", "said") if answer["figure"][name] is not None}
    return {"measure": answer["measure"], "period": answer["period"], "figure": figure}
