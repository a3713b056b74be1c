"""A build that is made in bulk has the rows of one that followed the log, however it is cut, wherever it is stopped."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import pytest
from sqlalchemy import event, select, text

from steerco_events.consuming.consumer import Consumer
from steerco_events.envelope import Recorded
from steerco_events.ports import WHOLE, Cursor, EventFeed
from steerco_events.postgres.checkpoints import CheckpointMoved
from steerco_events.projections.builds import Build, BuildGivenUp, Builds
from steerco_events.projections.bulk import Folding, Source, write_all
from steerco_events.projections.keeping import cancel
from steerco_events.projections.making import Making
from steerco_events.projections.model import Projection, View, own_row
from steerco_events.projections.runner import following
from steerco_events.projections.tables import table_name
from steerco_events.testkit.logs import Log, running, until
from steerco_events.testkit.rebuilding import begin
from steerco_events.testkit.repeating import Stammering
from steerco_events.testkit.tallies import tallies
from steerco_events.testkit.tally import Closed, Counted, Labeled

STREAMS = 6
ROUNDS = 7


@dataclass(frozen=True)
class Entry:
    """One event."""

    type: str
    position: int


def entered(_: Entry | None, event: Recorded) -> Entry:
    """The line of an event."""
    return Entry(event.type, event.position)


journal = Projection("journal", Entry, own_row, entered, indexes=[["position"]])


def view_of(log: Log) -> View:
    return View("tally", 1, (log.service,), (tallies, journal))


async def story(log: Log) -> None:
    """Some tallies' life in many seals, events of one stream together in some of them."""
    for n in range(1, ROUNDS + 1):
        for stream in range(STREAMS):
            await log.append(f"tally-{stream}", Counted(by=n), *([Labeled(label=f"{n}")] if (n + stream) % 3 else []))
        await log.append(f"label-{n}", Labeled(label="of no tally"))
        if n % 2:
            await log.seal()
    await log.append("tally-2", Closed())
    await log.seal()


async def followed(log: Log, view: View) -> Build:
    """A build that followed the log, three events at a time, and is live."""
    build = await begin(log, view)
    consumer, feed = Consumer(log.consumers(), following(build, 3), log.service), log.feed()
    while await consumer.step(feed):
        pass
    async with log.engine.begin() as tx:
        await Builds(view).go_live(tx, build, log.clock.now())
    return build


async def making(
    log: Log, build: Build, *, feed: EventFeed | None = None, chunk: int = 5, read: int = 2, kept_rows: int = 1
) -> Making:
    async with log.engine.begin() as tx:
        cursor = await build.checkpoints.load_shard(tx, log.service, WHOLE)
    return Making(log.engine, log.clock, build, [Source(feed or log.feed(), cursor, read)], chunk, kept_rows)


async def rows(log: Log, build: Build) -> Mapping[str, Sequence[object]]:
    """Every row of every table, all columns."""
    async with log.engine.connect() as connection:
        return {
            each.name: (await connection.execute(select(table).order_by(table.c.key, table.c.sealed_from))).all()
            for each in build.view.projections
            for table in (build.table(each.name),)
        }


async def state_of(log: Log, build: Build) -> str:
    async with log.engine.connect() as connection:
        (standing,) = [each for each in await Builds(build.view).standings(connection) if each.build == build.number]
    return standing.state


@pytest.mark.parametrize(
    ("chunk", "read", "kept_rows"), [(1, 1, 1), (3, 2, 1), (5, 3, 100), (20, 7, 2), (6000, 2000, 6000)]
)
async def test_chunks_of_any_size_give_the_rows_of_a_build_that_followed_the_log(
    log: Log, chunk: int, read: int, kept_rows: int
) -> None:
    await story(log)
    view = view_of(log)
    live = await followed(log, view)
    build = await begin(log, view)
    await (await making(log, build, chunk=chunk, read=read, kept_rows=kept_rows)).run()
    assert await rows(log, build) == await rows(log, live)
    async with log.engine.connect() as connection:
        assert await Builds(view).live(connection) == build
        assert (await build.checkpoints.load(connection, log.service)).place == (
            await live.checkpoints.load(connection, log.service)
        ).place


async def test_events_that_come_again_count_once(log: Log) -> None:
    await story(log)
    view = view_of(log)
    live = await followed(log, view)
    build = await begin(log, view)
    await (await making(log, build, feed=Stammering(log.feed()))).run()
    assert await rows(log, build) == await rows(log, live)


async def stopped(log: Log, attempt: Making, statement: int) -> bool:
    """Let an attempt run up to its n-th statement and stop it there; whether it came to its end before."""
    task = asyncio.create_task(attempt.run())
    left = count(statement, -1)

    def watch(*_: object) -> None:
        if next(left) == 0:
            task.cancel()

    event.listen(log.engine.sync_engine, "before_cursor_execute", watch)
    try:
        await asyncio.wait({task})
    finally:
        event.remove(log.engine.sync_engine, "before_cursor_execute", watch)
    if not task.cancelled():
        task.result()
    return not task.cancelled()


async def test_a_build_that_is_stopped_before_any_statement_goes_on_from_there(log: Log) -> None:
    await story(log)
    view = view_of(log)
    live = await followed(log, view)
    expected = await rows(log, live)
    build = await begin(log, view)
    reached: list[int] = []
    for statement in range(200):
        is_done = await stopped(log, await making(log, build, chunk=20, kept_rows=2), statement)
        async with log.engine.connect() as connection:
            reached.append(max((await build.checkpoints.load(connection, log.service)).positions))
        if is_done:
            break
    assert is_done
    assert reached == sorted(reached), "it never goes back"
    assert len(set(reached)) > 2, "it was stopped on the way"
    assert await rows(log, build) == expected
    assert await state_of(log, build) == "live"


async def test_of_two_that_make_the_same_build_one_changes_nothing(log: Log) -> None:
    await story(log)
    view = view_of(log)
    live = await followed(log, view)
    build = await begin(log, view)
    one, other = await making(log, build, chunk=8), await making(log, build, chunk=8)
    ended = await asyncio.gather(one.run(), other.run(), return_exceptions=True)
    assert all(end is None or isinstance(end, (CheckpointMoved, BuildGivenUp)) for end in ended), ended
    if await state_of(log, build) == "building":
        await (await making(log, build)).run()
    assert await rows(log, build) == await rows(log, live)


async def test_a_build_that_is_given_up_is_gone_and_its_number_is_not_given_again(log: Log) -> None:
    await story(log)
    view = view_of(log)
    await followed(log, view)
    build = await begin(log, view)
    attempt = await making(log, build, chunk=8)
    async with log.engine.begin() as tx:
        assert await cancel(tx, view) == build
    with pytest.raises(BuildGivenUp):
        await attempt.run()
    async with log.engine.connect() as connection:
        assert await build.checkpoints.load(connection, log.service) == Cursor()
        tables = (
            await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'views'"))
        ).scalars()
        assert not [table for table in tables if table.endswith(f"_b{build.number}")]
    assert (await begin(log, view)).number == build.number + 1


async def test_a_build_has_its_indexes_when_it_goes_live_and_not_before(log: Log) -> None:
    await story(log)
    build = await begin(log, view_of(log))
    wanted = {str(index.name) for table in build.tables for index in table.indexes}

    async def there() -> set[str]:
        async with log.engine.connect() as connection:
            found = await connection.execute(text("SELECT indexname FROM pg_indexes WHERE schemaname = 'views'"))
            return set(found.scalars())

    assert await there() == {"tally_tallies_v1_b1_key"}
    await (await making(log, build)).run()
    assert await there() == wanted
    assert wanted == {
        *(f"tally_tallies_v1_b1_{index}" for index in ("key", "now", "i0")),
        *(f"tally_journal_v1_b1_{index}" for index in ("key", "i0")),
    }


async def test_rows_in_memory_are_bounded_however_many_there_are(log: Log) -> None:
    for n in range(40):
        for stream in range(10):
            await log.append(f"tally-{n}-{stream}", Counted(by=1))
    await log.seal()
    for stream in range(10):
        await log.append(f"tally-0-{stream}", Counted(by=2))
    await log.seal()
    view = view_of(log)
    build = await begin(log, view)
    source, folding = Source(log.feed(), Cursor(), read=25), Folding(log.engine, build, kept_rows=50)
    chunks = 0
    while not source.at_head:
        chunk = await source.chunk(25)
        folded = await folding.fold(chunk.events)
        async with log.engine.begin() as tx:
            await write_all(tx, folded)
        folding.forget_some()
        chunks += 1
        assert folding.rows_at_hand <= 50
    assert chunks > 10
    found = await rows(log, build)
    assert [len(found["tallies"]), len(found["journal"])] == [410, 410]


async def test_how_far_a_build_has_come_is_told(log: Log) -> None:
    await story(log)
    build = await begin(log, view_of(log))
    attempt = await making(log, build)
    async with running(attempt.run):
        await until(lambda: is_live(log, build), "the build is live")
    async with log.engine.connect() as connection:
        (standing,) = await Builds(build.view).standings(connection)
    head = await log.feed().head()
    assert standing.goal == max(head.positions)
    assert standing.applied <= standing.goal
    assert standing.began_at
    assert (standing.doing, standing.waits_for) == (None, None)


async def is_live(log: Log, build: Build) -> bool:
    return await state_of(log, build) == "live"


async def test_the_way_of_a_log_is_counted_in_positions_be_it_read_in_one_piece_or_by_partitions(log: Log) -> None:
    await story(log)
    source = Source(log.feed(), Cursor(), read=10)
    assert source.way == (0, 0)
    await source.look_ahead()
    end = max((await log.feed().head()).positions)
    assert source.way == (0, end)
    ways = [source.way]
    while not source.at_head:
        await source.chunk(10)
        ways.append(source.way)
    assert ways == sorted(ways)
    assert ways[-1] == (end, end)
    assert source.head
    half = tuple(at if n % 2 else 0 for n, at in enumerate(source.head.positions))
    source.cursor = Cursor(1, half)
    assert source.way[0] == end * sum(half) // sum(source.head.positions)


def test_a_table_whose_name_would_be_cut_is_refused() -> None:
    long = Projection("p" * 50, Entry, own_row, entered)
    with pytest.raises(ValueError, match="names so long"):
        table_name(View("tally", 1, (), (long,)), long, 1)
