"""How long a build is kept that is not live any more, and when it is dropped."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect

from steerco_events.clock import ManualClock
from steerco_events.ports import Cursor
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.projections.builds import Build, Builds
from steerco_events.projections.keeping import KEEPING, Keeping, drop_old
from steerco_events.projections.model import View
from steerco_events.projections.tables import SCHEMA
from steerco_events.testkit.logs import Log, fresh_log
from steerco_events.testkit.tallies import tally_view
from steerco_servers.testing import TemporaryPostgres


async def tables(log: Log) -> set[str]:
    async with log.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names(SCHEMA)))


@pytest.fixture
async def dated_log(postgres: TemporaryPostgres) -> AsyncIterator[Log]:
    """A log of a day long ago, under a clock that is set by hand."""
    async with fresh_log(postgres, clock=ManualClock(datetime(2025, 3, 1, 12, tzinfo=UTC))) as log:
        yield log


async def dropped(log: Log, view: View, after: timedelta, keeping: Keeping = KEEPING) -> set[str]:
    """The tables that are left after so long."""
    async with log.engine.begin() as tx:
        await drop_old(tx, view, log.clock.now() + after, keeping)
    return await tables(log)


async def went_live(log: Log, view: View) -> Build:
    """A build that went live, and knows of this instant."""
    async with log.engine.begin() as tx:
        build = await Builds(view).begin(tx, log.clock.now())
        await Builds(view).go_live(tx, build, log.clock.now())
        known = Cursor(generation=1, watermark=log.clock.now())
        await build.checkpoints.advance(tx, log.service, Cursor(), known)
    return build


async def test_a_build_is_kept_until_the_next_switch_or_for_a_week(dated_log: Log) -> None:
    log, view = dated_log, tally_view(dated_log.service)
    first, second = await went_live(log, view), await went_live(log, view)
    names = [build.table("tallies").name for build in (first, second)]
    assert await dropped(log, view, timedelta(days=6)) == set(names)
    third = (await went_live(log, view)).table("tallies").name
    assert await dropped(log, view, timedelta(seconds=30)) == {*names, third}, "somebody may still read the first"
    assert await dropped(log, view, timedelta(minutes=2)) == {names[1], third}
    assert await dropped(log, view, timedelta(days=8)) == {third}
    async with log.engine.connect() as connection:
        assert await first.checkpoints.load(connection, log.service) == Cursor()
        assert [each.build for each in await Builds(view).standings(connection)] == [3]


async def test_after_a_rollback_the_build_that_was_live_last_is_kept(dated_log: Log) -> None:
    log, view = dated_log, tally_view(dated_log.service)
    for _ in range(2):
        await went_live(log, view)
    async with log.engine.begin() as tx:
        back = await Builds(view).roll_back(tx, log.clock.now())
        await Builds(view).go_live(tx, back, log.clock.now())
    assert isinstance(log.clock, ManualClock)
    log.clock.advance(timedelta(hours=1))
    await went_live(log, view)
    left = await dropped(log, view, timedelta(hours=1))
    assert left == {Build(view, number).table("tallies").name for number in (back.number, 3)}


async def test_an_older_version_is_dropped_a_week_after_the_newer_one_went_live_unless_it_is_followed(
    dated_log: Log,
) -> None:
    log, old, new = dated_log, tally_view(dated_log.service), tally_view(dated_log.service, version=2)
    of_old = [await went_live(log, old), await went_live(log, old)]
    of_new = await went_live(log, new)
    names = {build.table("tallies").name for build in of_old}
    name = of_new.table("tallies").name
    assert await dropped(log, new, timedelta(days=6)) == {*names, name}
    assert isinstance(log.clock, ManualClock)
    log.clock.advance(timedelta(days=8))
    async with log.engine.begin() as tx:
        seen = await of_old[1].checkpoints.load(tx, log.service)
        await of_old[1].checkpoints.advance(tx, log.service, seen, replace(seen, watermark=log.clock.now()))
    assert await dropped(log, new, timedelta(0)) == {*names, name}, "old code still runs"
    assert await dropped(log, old, timedelta(days=99)) == {of_old[1].table("tallies").name, name}
    assert await dropped(log, new, timedelta(hours=2)) == {name}
    async with log.engine.connect() as connection:
        assert await Checkpoints(old.consumer(2)).load(connection, log.service) == Cursor()
    assert (await went_live(log, old)).number == 3, "who goes back to old code builds its view anew"
