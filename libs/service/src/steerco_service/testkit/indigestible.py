"""A service whose view can be upset: it counts closed risks, and some it can't digest."""

from dataclasses import dataclass
from uuid import UUID

from steerco_events.contracts.risk import RiskClosed
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_events.projections.model import Projection, View
from steerco_service.access.placed import ACCESS
from steerco_service.runtime import Service

ILL = set[str]()
"""The streams whose events can't be digested now."""


@dataclass(frozen=True)
class Closures:
    """How often a risk was closed."""

    times: int


def _key(event: Recorded) -> str | None:
    return event.stream


def _evolve(row: Closures | None, event: Recorded) -> Closures | None:
    if event.stream in ILL:
        raise ValueError(f"{event.stream} can't be digested")
    return Closures((row.times if row else 0) + 1)


CLOSURES = Service(
    name="risk",
    title="Closures",
    description="Counts.",
    migrations="steerco_service.testkit.migrations",
    routers=(),
    view=View("closures", 1, ("risk", "portfolio"), (Projection("closures", Closures, _key, _evolve), *ACCESS)),
)


def closed(name: str) -> RiskClosed:
    """The risk of that name was closed."""
    risk_id: UUID = derived_id("risk", name)
    return RiskClosed(risk_id=risk_id, project_id=risk_id)
