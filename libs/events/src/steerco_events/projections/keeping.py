"""What is left of builds that are read no more: kept for a while, so that one can go back, then dropped.

The build that was live before is kept until the next switch, and the builds of older versions of a view for as long
after a newer one went live: old code may run beside the new, and who goes back to it must find its build.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steerco_events.clock import Clock
from steerco_events.consumer_names import consumer_name
from steerco_events.postgres.checkpoints import Checkpoints, load_all
from steerco_events.projections.builds import Build, NoRebuild
from steerco_events.projections.model import View
from steerco_events.projections.switching import LOCK_NOT_AVAILABLE
from steerco_events.projections.tables import SCHEMA
from steerco_events.signals import Subscription

LOOK_SECONDS = 60.0
FOLLOWED_WITHIN = timedelta(hours=1)
"""A build whose checkpoints know of so late an instant is followed by somebody."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long builds are kept that are read no more: for who goes back to them, and for who still reads them."""

    kept_for: timedelta = timedelta(days=7)
    read_for: timedelta = timedelta(minutes=1)


KEEPING = Keeping()


_LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '1s'")
_BUILD = "SELECT view, version, build, tables FROM log.builds"
_BEING_MADE = text(f"{_BUILD} WHERE view = :view AND version = :version AND state = 'building' FOR UPDATE")
_PUT_BACK = text(
    "UPDATE log.builds SET state = 'retired', doing = NULL, waits_for = NULL"
    " WHERE view = :view AND version = :version AND state = 'building' AND live_at IS NOT NULL"
)
_OVER = text(
    f"{_BUILD} b WHERE view = :view AND version = :version AND state = 'retired' AND (retired_at <= :too_old"
    " OR retired_at <= :unread AND EXISTS (SELECT 1 FROM log.builds later WHERE later.view = b.view"
    " AND later.version = b.version AND later.state = 'retired'"
    " AND (later.retired_at, later.build) > (b.retired_at, b.build)))"
)
_OF_OLDER_VERSIONS = text(
    f"{_BUILD} b WHERE view = :view AND version < :version AND state <> 'dropped' AND EXISTS"
    " (SELECT 1 FROM log.builds newer WHERE newer.view = b.view AND newer.version = :version"
    " AND newer.live_at <= :too_old) ORDER BY version, build"
)
_DROPPED = text(
    "UPDATE log.builds SET state = 'dropped', tables = '{}'"
    " WHERE view = :view AND version = :version AND build = :build"
)


async def cancel(tx: AsyncConnection, view: View) -> Build:
    """Give up the build that is being made; one that was read before is kept as it was. Raises `NoRebuild`."""
    key = {"view": view.name, "version": view.version}
    row = (await tx.execute(_BEING_MADE, key)).first()
    if row is None:
        raise NoRebuild(f"no build of {view.name} is being made")
    if (await tx.execute(_PUT_BACK, key)).rowcount == 0:
        await _drop(tx, row)
    return Build(view, row.build)


async def drop_old(tx: AsyncConnection, view: View, now: datetime, keeping: Keeping) -> None:
    """Drop the builds whose time is over: tables, checkpoints, what they had parked. Their numbers stay."""
    values = {
        "view": view.name,
        "version": view.version,
        "too_old": now - keeping.kept_for,
        "unread": now - keeping.read_for,
    }
    await tx.execute(_LOCK_TIMEOUT)
    for row in (await tx.execute(_OVER, values)).all():
        await _drop(tx, row)
    for _, rows in groupby((await tx.execute(_OF_OLDER_VERSIONS, values)).all(), key=lambda row: row.version):
        await _drop_unless_followed(tx, list(rows), now - FOLLOWED_WITHIN)


async def keep_dropping(engine: AsyncEngine, view: View, clock: Clock, keeping: Keeping, changed: Subscription) -> None:
    """Until cancelled: drop what is over, whenever builds have changed and now and then.

    What somebody still reads after all is left for the next time.
    """
    while True:
        try:
            async with engine.begin() as tx:
                await drop_old(tx, view, clock.now(), keeping)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
        await changed.wait(LOOK_SECONDS)


async def _drop_unless_followed(tx: AsyncConnection, rows: Sequence[Row[Any]], lately: datetime) -> None:
    cursors = await load_all(tx, [_consumer(row) for row in rows])
    if not any(cursor.watermark and cursor.watermark > lately for cursor in cursors.values()):
        for row in rows:
            await _drop(tx, row)


async def _drop(tx: AsyncConnection, row: Row[Any]) -> None:
    for table in row.tables:
        await tx.exec_driver_sql(f'DROP TABLE IF EXISTS "{SCHEMA}"."{table}"')
    await Checkpoints(_consumer(row)).forget(tx)
    await tx.execute(_DROPPED, {"view": row.view, "version": row.version, "build": row.build})


def _consumer(row: Row[Any]) -> str:
    return consumer_name(row.view, row.version, row.build)
