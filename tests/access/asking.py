"""Who asks, and what they get of the whole enterprise's answers, by what they see of an organization."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

import httpx

from tests.access.sight import NO_AUDIT, NO_DOCUMENTS, NO_MONEY, NO_NAMES, Organization, Picture, Sight

type Clients = Mapping[str, httpx.AsyncClient]

COST_POSTED, ROW_KEPT = "steerco.finance.actual-cost-posted", "steerco.portfolio.register-row-kept"
DOCUMENT = ("source", "reference", "cost")
COMMERCIAL = {COST_POSTED: DOCUMENT, ROW_KEPT: ("said",), "/postings": DOCUMENT, "/register-rows": ("said",)}
"""The commercial fields of events and of the records in lists."""

PERSONAL = {"steerco.portfolio.person-registered": ("name", "email")}
"""The personal fields of events."""


@dataclass(frozen=True)
class Asking:
    """Somebody with what they see of an organization, and of its money, as it is now.

    Commercial fields they see in `documents` alone, of people who they are in `names` alone, and what was done and why
    in `audited` alone. `token` covers the newest event; each service is told it once: from then on it knows the
    organization as it is.
    """

    clients: Clients
    sight: Sight
    money: Sight
    documents: Sight
    names: Sight
    audited: Sight
    token: str
    told: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, person: str, clients: Clients, organization: Organization, today: date, token: str) -> Self:
        """Who asks on a day, by what was told of the organization."""
        sight = organization.sight(person, today)
        money, documents, names, audited = (
            organization.sight(person, today, without) for without in (NO_MONEY, NO_DOCUMENTS, NO_NAMES, NO_AUDIT)
        )
        return cls(clients, sight, money, documents, names, audited, token)

    def sight_in(self, service: str) -> Sight:
        """What they see of a service's things."""
        return self.money if service in ("finance", "reporting") else self.sight

    def shown(self, path: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """What they get of what there is."""
        if path == "/people":
            return self.shown_of_person(record)
        if path not in COMMERCIAL or self.documents.has_project(record["project_id"]):
            return record
        return {**record, **dict.fromkeys(COMMERCIAL[path]), "withheld": "not permitted"}

    def shown_of_person(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """What they get of a line about a person: maybe no name, nor a unit elsewhere."""
        hidden: dict[str, str | None] = {}
        if not self.names.has_record(record["person_id"]):
            hidden = {"name": None, "withheld": "not permitted"}
        if not self.sight.has_unit(record.get("unit_id")):
            hidden["unit_id"] = None
        return {name: hidden.get(name, said) for name, said in record.items()}

    def told_of(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """What they get of an event."""
        units = event.get("orgunits", "").split(",")
        for classed, sight in ((COMMERCIAL, self.documents), (PERSONAL, self.names)):
            hidden = classed.get(event["type"], ())
            if hidden and not all(map(sight.has_unit, units)):
                data = {name: value for name, value in event["data"].items() if name not in hidden}
                return {**event, "data": data, "withheld": " ".join(hidden)}
        return event

    def told_in(self, report: Any, picture: Picture, codes: Mapping[str, str]) -> Any:
        """What they get of a report: of people, maybe no names; of a portfolio as it was placed, maybe no sums.

        Of a story, no units elsewhere, and maybe no documents.
        """
        if isinstance(report, list):
            return [self.shown_of_person(each) if "person_id" in each else each for each in report]
        if "totals" in report:
            summed = picture.projects_below(report["scope"]["unit_id"])
            if not all(map(self.documents.has_project, summed)):
                withheld = {"actual_costs": None, "withheld": "not permitted"}
                return report | {"totals": report["totals"] | withheld}
        if "lines" not in report:
            return report
        lines = [each | {"what": self.without_units_elsewhere(each["what"], codes)} for each in report["lines"]]
        if not self.documents.has_project(report["project_id"]):
            hidden = {"what": "Cost posted"}
            lines = [each | hidden if each["type"] == COST_POSTED else each for each in lines]
        return report | {"lines": lines}

    def without_units_elsewhere(self, what: str, codes: Mapping[str, str]) -> str:
        """A line of a story, as they get it."""
        for unit in (each for each in codes if not self.sight.has_unit(each)):
            what = re.sub(rf"( from|, in| to) {codes[unit]}(?= to |$)", "", what)
        return what

    async def ask(self, service: str, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        """Ask a service."""
        headers = {} if service in self.told else {"Consistency-Token": self.token}
        self.told.add(service)
        return await self.clients[service].request(method, path, headers=headers, **request)
