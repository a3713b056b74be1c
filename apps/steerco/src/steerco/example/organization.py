"""The commission: three business units under three models of a project office, seven departments."""

from collections.abc import Iterator, Sequence

from steerco.example.acts import LEAD, Act, Calendar, Chapter, unit_id

ENTERPRISE = "NMC"

_UNITS: Sequence[tuple[str, str, str, str | None, str | None]] = (
    (ENTERPRISE, "Northern Markets Commission", "enterprise", None, "coach"),
    ("LIC", "Licensing", "business_unit", ENTERPRISE, "repository"),
    ("SUP", "Supervision", "business_unit", ENTERPRISE, "coach"),
    ("COR", "Corporate services", "business_unit", ENTERPRISE, "enterprise"),
    ("LIC-applications", "Licence applications", "department", "LIC", None),
    ("LIC-register", "Public register", "department", "LIC", None),
    ("SUP-inspections", "On-site inspections", "department", "SUP", None),
    ("SUP-conduct", "Market conduct", "department", "SUP", None),
    ("SUP-data", "Supervisory data", "department", "SUP", None),
    ("COR-it", "Information technology", "department", "COR", None),
    ("COR-people", "People and premises", "department", "COR", None),
)

REORGANIZED_ON = 214


def organization(_: Calendar) -> Chapter:
    """The units as the year begins, and what the commission reorganized."""
    return [*_opened(), *_reorganized()]


def _opened() -> Iterator[Act]:
    for code, name, kind, parent, model in _UNITS:
        body = {
            "unit_id": unit_id(code),
            "code": code,
            "name": name,
            "kind": kind,
            "parent_id": unit_id(parent) if parent else None,
            "pmo_model": model,
        }
        yield Act(0, LEAD, "portfolio", "POST", "/units", body, ENTERPRISE, "The office keeps one tree of units")


def _reorganized() -> Iterator[Act]:
    body = {"parent_id": unit_id("COR"), "reason": "Data serves every unit, not Supervision alone"}
    path = f"/units/{unit_id('SUP-data')}/move"
    yield Act(REORGANIZED_ON, LEAD, "portfolio", "POST", path, body, ENTERPRISE)
