"""What stands in the databases of a fleet: what was written, seen and reported, and what is parked."""

from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass

import msgspec
from sqlalchemy import select, text

from steerco_events.postgres.parking import Parking
from steerco_events.postgres.wakeups import PARKED_ASKED
from steerco_events.projections.builds import Builds
from steerco_events.projections.tables import known_at
from steerco_events.testkit.logs import until
from steerco_events.testkit.soundness import unsound
from tests.rolling.fleet import PERSON, Fleet
from tests.rolling.releases import Release
from tests.rolling.serve import ServiceName, name_of, service_of

ARRIVED = text(
    "SELECT stream, schema_version, data FROM log.events WHERE type = 'steerco.dock.arrived' ORDER BY position"
)
REPORTED = text("SELECT stream, data FROM log.events WHERE type = 'steerco.harbor.ship-reported' ORDER BY position")
PARKED = text("SELECT consumer, stream, error FROM log.parked ORDER BY stream, consumer")

type Docks = dict[str, tuple[list[str], int]]
"""By dock, its ships in their order, and what they carry together, in kilograms."""


@dataclass(frozen=True, slots=True)
class Written:
    """The log of the dock: what is on each, in which version each ship was written, in the log's order, and which
    docks have any of the second.
    """

    docks: Docks
    versions: Sequence[int]
    of_second: Set[str]

    @property
    def ships(self) -> Sequence[str]:
        """Every ship, as often as it was written."""
        return [ship for ships, _ in self.docks.values() for ship in ships]


async def written(fleet: Fleet) -> Written:
    """What the log of the dock has."""
    docks: Docks = {}
    versions: list[int] = []
    of_second: set[str] = set()
    async with fleet.engine("dock").connect() as connection:
        for row in await connection.execute(ARRIVED):
            arrived = msgspec.json.decode(row.data)
            kilograms = arrived["tonnes"] * 1000 if row.schema_version == 1 else arrived["kilograms"]
            _add(docks, row.stream, arrived["ship"], kilograms)
            versions.append(row.schema_version)
            if row.schema_version > 1:
                of_second.add(row.stream)
    return Written(docks, versions, of_second)


async def reported(fleet: Fleet) -> Docks:
    """What the harbor has reported, from the log of the dock."""
    docks: Docks = {}
    async with fleet.engine("harbor").connect() as connection:
        for row in await connection.execute(REPORTED):
            ship = msgspec.json.decode(row.data)
            _add(docks, row.stream.removeprefix("report-"), ship["ship"], ship["kilograms"])
    return docks


def _add(docks: Docks, stream: str, ship: str, kilograms: int) -> None:
    ships, before = docks.get(stream, ([], 0))
    docks[stream] = [*ships, ship], before + kilograms


async def is_live(fleet: Fleet, release: Release, service: ServiceName) -> bool:
    """Whether a release has the view of a service."""
    builds = Builds(service_of(release, fleet.name, service).view)
    async with fleet.engine(service).connect() as connection:
        return bool(await builds.in_state(connection, "live"))


async def seen(fleet: Fleet, release: Release, service: ServiceName) -> Docks:
    """What the live view of a release shows; nothing while it is made."""
    if not await is_live(fleet, release, service):
        return {}
    builds = Builds(service_of(release, fleet.name, service).view)
    async with fleet.engine(service).connect() as connection:
        table = (await builds.live(connection)).table("docks")
        rows = await connection.execute(select(table).where(known_at(table, None)))
        return {row.dock: (list(row.ships), row.kilograms) for row in rows}


@dataclass(frozen=True, slots=True)
class Parked:
    """A stream that a consumer has set aside, and why."""

    consumer: str
    stream: str
    error: str


async def parked(fleet: Fleet, service: ServiceName) -> Sequence[Parked]:
    """What the consumers of a service have set aside, stream by stream."""
    async with fleet.engine(service).connect() as connection:
        return [Parked(*row) for row in await connection.execute(PARKED)]


async def taken_up(fleet: Fleet, service: ServiceName, of: ServiceName) -> bool:
    """Ask that all which a service has set aside of another's log be tried again; whether nothing was left of it."""
    async with fleet.engine(service).begin() as tx:
        left = await parked(fleet, service)
        for each in left:
            await Parking(each.consumer, name_of(fleet.name, of)).ask(tx, each.stream, "retry", PERSON.actor.id, None)
        await tx.execute(text(f"NOTIFY {PARKED_ASKED}"))
    return not left


async def faults_of(fleet: Fleet, service: ServiceName) -> Sequence[str]:
    """What is wrong with a service's log."""
    async with fleet.engine(service).connect() as connection:
        return await unsound(connection)


async def until_seen(look: Callable[[], Awaitable[Docks]], docks: Docks) -> None:
    """Return when that is what somebody sees who looks: each ship once, and in its order."""

    async def is_seen() -> bool:
        return await look() == docks

    await until(is_seen, "all that was written is there, once and in its order")
