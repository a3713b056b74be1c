"""The one door between the organization and delivery: what a project sees of a unit. Pure."""

from uuid import UUID

from steerco_portfolio.domain.organization import Organization
from steerco_portfolio.domain.project import KnownUnit


def unit_for_delivery(organization: Organization, unit_id: UUID) -> KnownUnit | None:
    """The unit of an id; `None` if there is none."""
    unit = organization.units.get(unit_id)
    return KnownUnit(unit.unit_id, unit.opened.code, unit.is_open) if unit else None
