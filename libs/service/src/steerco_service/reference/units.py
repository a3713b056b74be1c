"""The org units as portfolio's log tells them: what a service checks a unit against, in its own view."""

from dataclasses import dataclass, replace
from uuid import UUID

from steerco_events.contracts import portfolio
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection
from steerco_service.call import Call
from steerco_service.lookups import Finder


@dataclass(frozen=True, slots=True)
class UnitSeen:
    """A unit, and the version of the organization that last touched it."""

    unit_id: UUID
    code: str
    is_open: bool
    organization_version: int


def unit_key(event: Recorded) -> str | None:
    """The unit that an event opens or closes."""
    match event.payload:
        case portfolio.UnitOpened(unit_id=unit_id) | portfolio.UnitClosed(unit_id=unit_id):
            return str(unit_id)
        case _:
            return None


def evolve_unit(row: UnitSeen | None, event: Recorded) -> UnitSeen | None:
    """The row after an event."""
    match event.payload, row:
        case portfolio.UnitOpened(unit_id=unit_id, code=code), _:
            return UnitSeen(unit_id, code, True, event.stream_version)
        case portfolio.UnitClosed(), UnitSeen():
            return replace(row, is_open=False, organization_version=event.stream_version)
        case _:
            return row


units_seen = Projection("units_seen", UnitSeen, unit_key, evolve_unit)


async def unit_named(call: Call, unit_id: UUID) -> UnitSeen | None:
    """The unit that a command names; `None` if there is none for who asks. Raises `Forbidden`."""
    seen = await call.look_up(unit_seen, unit_id)
    return seen if seen and call.asking.has_unit(unit_id) else None


async def unit_seen(finder: Finder, unit_id: UUID) -> UnitSeen | None:
    """The unit as the service knows it; `None` if it does not."""
    return await finder.one(units_seen, str(unit_id))
