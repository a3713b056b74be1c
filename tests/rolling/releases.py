"""Two small services as each of three releases has them: a dock, whose event gets a second version, and a harbor.

The harbor follows the dock's log over Kafka: its view has every dock, and its reaction reports every ship.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from pydantic import Field
from sqlalchemy import select

from steerco_events.consuming.reactions import Order, Reaction, Sight
from steerco_events.contracts.portfolio import PORTFOLIO
from steerco_events.decider import Decider
from steerco_events.envelope import Recorded
from steerco_events.projections.model import Projection, View
from steerco_events.registry import Payload, Registry, event
from steerco_events.testkit.two_releases import (
    BEFORE,
    READING,
    WRITING,
    Arrived,
    ArrivedV1,
    Dock,
    Moor,
    decide_first,
    evolve,
    in_kilograms,
    reading_dock,
    writing_dock,
)
from steerco_service.access.gaps import SOURCE
from steerco_service.access.placed import ACCESS
from steerco_service.bodies import Body, Name
from steerco_service.call import Calling
from steerco_service.reading import Read
from steerco_service.routing import router
from steerco_service.runtime import Service
from steerco_service.testkit.serving import permitting

type Release = Literal["before", "reading", "writing"]

REPORTS = Registry("harbor")


@event(REPORTS, "ship-reported")
class ShipReported:
    """The harbor heard of a ship. Stream: `report-<dock>`."""

    ship: str
    kilograms: int


def evolve_first(dock: Dock, event: Payload) -> Dock:
    """As the release before has it: the first version is all that it ever meets."""
    return evolve(dock, in_kilograms(event)) if isinstance(event, ArrivedV1) else dock


DOCKS: Mapping[Release, Decider[Dock, Moor]] = {
    "before": Decider(Dock(), evolve_first, decide_first),
    "reading": reading_dock,
    "writing": writing_dock,
}
EVENTS: Mapping[Release, Registry] = {
    "before": BEFORE.including(REPORTS, PORTFOLIO),
    "reading": READING.including(REPORTS, PORTFOLIO),
    "writing": WRITING.including(REPORTS, PORTFOLIO),
}
MIGRATIONS: Mapping[Release, str] = {
    "before": "steerco_service.testkit.migrations",
    "reading": "steerco_service.testkit.migrations",
    "writing": "tests.rolling.migrations",
}
VIEW_VERSIONS: Mapping[Release, int] = {"before": 1, "reading": 1, "writing": 2}
"""The release that writes means something else by the rows, so that it makes a view of its own."""

type Report = Decider[int, ShipReported]
report: Report = Decider(0, lambda reported, _: reported + 1, lambda command, _: [command])
"""Reports whatever it is told, also twice."""


@dataclass(frozen=True, slots=True)
class DockRow:
    """The ships of a dock, in the order in which they came, and what they carry together."""

    dock: str
    ships: tuple[str, ...]
    kilograms: int


def key(event: Recorded) -> str | None:
    """The dock that an event is about."""
    return event.stream if event.type == "steerco.dock.arrived" else None


def evolve_row(row: DockRow | None, event: Recorded) -> DockRow | None:
    """The row after an event, whichever version the release reads."""
    match event.payload:
        case ArrivedV1(ship=ship, tonnes=tonnes):
            return _with(row or DockRow(event.stream, (), 0), ship, tonnes * 1000)
        case Arrived(ship=ship, kilograms=kilograms):
            return _with(row or DockRow(event.stream, (), 0), ship, kilograms)
        case _:
            return row


def _with(row: DockRow, ship: str, kilograms: int) -> DockRow:
    return DockRow(row.dock, (*row.ships, ship), row.kilograms + kilograms)


docks = Projection("docks", DockRow, key, evolve_row)


class Ship(Body):
    """A ship that comes in."""

    ship: Name
    tonnes: Annotated[int, Field(gt=0)]


def dock_service(release: Release, name: str) -> Service:
    """The dock as a release has it."""
    routes = router("docks")
    decider = DOCKS[release]

    @routes.post("/docks/{dock}/ships", status_code=204)
    async def moor(dock: Annotated[str, Path()], body: Ship, call: Calling) -> Response:
        return await call.handle(decider, f"dock-{dock}", Moor(body.ship, body.tonnes))

    @routes.get("/docks")
    async def list_docks(reading: Read) -> list[dict[str, Any]]:
        table = reading.table("docks")
        rows = await reading.rows(docks, select(table).where(reading.known_at(table)))
        return [{"dock": row.dock, "ships": row.ships, "kilograms": row.kilograms} for row in rows]

    return _service(release, name, (name, SOURCE), [routes])


def harbor_service(release: Release, name: str, dock: str) -> Service:
    """The harbor as a release has it."""

    async def report_ship(_: Sight, event: Recorded) -> Sequence[Order]:
        match event.payload:
            case ArrivedV1(ship=ship, tonnes=tonnes):
                reported = ShipReported(ship=ship, kilograms=tonnes * 1000)
            case Arrived(ship=ship, kilograms=kilograms):
                reported = ShipReported(ship=ship, kilograms=kilograms)
            case _:
                return []
        return [Order(report, f"report-{event.stream}", reported, refused=None)]

    reaction = Reaction("report_ship_on_arrived", dock, report_ship)
    return _service(release, name, (dock, SOURCE), [], [reaction])


def _service(
    release: Release,
    name: str,
    logs: tuple[str, ...],
    routers: Sequence[APIRouter],
    reactions: Sequence[Reaction] = (),
) -> Service:
    permitting(name, *routers)
    view = View("docks", VIEW_VERSIONS[release], logs, (docks, *ACCESS))
    return Service(name, name, f"Release «{release}».", MIGRATIONS[release], routers, view, reactions)
