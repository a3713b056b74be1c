"""The one door between the organization and delivery: what each sees of the other. Pure."""

from collections.abc import Sequence
from typing import assert_never
from uuid import UUID

from steerco_portfolio.domain.appointment import KnownProject
from steerco_portfolio.domain.organization import Organization
from steerco_portfolio.domain.project import CharterRefused, KnownUnit, NoProject, OnHold, Over, Project, Running


def unit_for_delivery(organization: Organization, unit_id: UUID) -> KnownUnit | None:
    """The unit of an id; `None` if there is none."""
    unit = organization.units.get(unit_id)
    return KnownUnit(unit.unit_id, unit.opened.code, unit.is_open) if unit else None


def project_for_appointments(project: Project) -> KnownProject | None:
    """The project of a situation; `None` if there is none."""
    match project:
        case NoProject() | CharterRefused():
            return None
        case Running(facts) | OnHold(facts) | Over(facts):
            return KnownProject(facts.project_id, facts.begun.code, facts.unit_id, isinstance(project, Over))
        case _:
            assert_never(project)


def units_concerned(organization: Organization, unit_id: UUID | None, project: KnownProject | None) -> Sequence[UUID]:
    """The units that an appointment concerns: its own, that of its project, or the root."""
    if unit_id:
        return (unit_id,)
    if project:
        return (project.unit_id,)
    return (organization.root.unit_id,) if organization.root else ()
