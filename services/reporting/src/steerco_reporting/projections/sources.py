"""How far the logs are known that an answer stands on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, union_all

from steerco_service.reading import Reading


@dataclass(frozen=True, slots=True)
class Source:
    """The last event of one log at an instant, and up to when the log is known to be whole.

    `watermark` is not beyond the instant, so that the same cut always has the same sources.
    """

    generation: int
    position: int
    watermark: datetime | None


async def sources(reading: Reading, at: datetime) -> Mapping[str, Source]:
    """Every log that the view is built from, at an instant."""
    table = reading.table("events")
    found = {}
    for service in reading.build.view.services:
        cursor = await reading.build.checkpoints.load(reading.connection, service)
        query = (
            select(table.c.generation, table.c.position)
            .where(table.c.service == service, table.c.sealed_from <= at)
            .order_by(table.c.sealed_from.desc(), table.c.position.desc())
            .limit(1)
        )
        last = (await reading.connection.execute(query)).first()
        watermark = min(cursor.watermark, at) if cursor.watermark else None
        found[service] = Source(last.generation if last else cursor.generation, last.position if last else 0, watermark)
    return found


async def first_instant(reading: Reading) -> datetime | None:
    """When the first event of all logs was sealed."""
    table = reading.table("events")
    firsts = union_all(
        *(select(func.min(table.c.sealed_from)).where(table.c.service == each) for each in reading.build.view.services)
    )
    return min((at for at in (await reading.connection.execute(firsts)).scalars() if at), default=None)


def complete_up_to(found: Mapping[str, Source]) -> datetime | None:
    """Up to when all logs are known to be whole; `None` where that of some log is not known."""
    known = [source.watermark for source in found.values()]
    return None if None in known else min((at for at in known if at), default=None)


def complete(found: Mapping[str, Source], at: datetime) -> bool:
    """Whether nothing more can come to light of what happened up to an instant."""
    return all(source.watermark is not None and source.watermark >= at for source in found.values())
