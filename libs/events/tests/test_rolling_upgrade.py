"""Three releases side by side over one real log: what each writes, what each reads, and where the oldest stops."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from steerco_events.ports import Cursor
from steerco_events.postgres.store import EventStore
from steerco_events.registry import NewerVersion, Registry, VersionNotWritten
from steerco_events.testkit.logs import Log, fresh_log, read_on
from steerco_events.testkit.two_releases import (
    BEFORE,
    READING,
    WRITING,
    Arrived,
    ArrivedV1,
    Moor,
    reading_dock,
    writing_dock,
)
from steerco_servers.testing import TemporaryPostgres

DOCK = "dock-1"
ANNA = Arrived(ship="Anna", kilograms=7000)
BERTA = Arrived(ship="Berta", kilograms=2000)


@dataclass(frozen=True)
class Releases:
    """One log, as each release knows it."""

    before: Log
    reading: Log
    writing: Log


@pytest.fixture
async def releases(postgres: TemporaryPostgres) -> AsyncIterator[Releases]:
    async with fresh_log(postgres, BEFORE) as log:

        def knowing(registry: Registry) -> Log:
            return replace(log, store=EventStore(log.service, registry))

        yield Releases(log, knowing(READING), knowing(WRITING))


async def test_the_release_before_and_the_one_that_reads_work_on_one_stream(releases: Releases) -> None:
    await releases.before.append(DOCK, ArrivedV1(ship="Anna", tonnes=7))
    again = await releases.reading.handle(reading_dock, DOCK, Moor("Anna", 7))
    more = await releases.reading.handle(reading_dock, DOCK, Moor("Berta", 2))
    assert (again.events, more.events) == ((), [ArrivedV1(ship="Berta", tonnes=2)])
    assert await releases.reading.payloads(DOCK) == [ANNA, BERTA]
    assert await releases.before.payloads(DOCK) == [
        ArrivedV1(ship="Anna", tonnes=7),
        ArrivedV1(ship="Berta", tonnes=2),
    ]


async def test_the_release_that_reads_and_the_one_that_writes_work_on_one_stream(releases: Releases) -> None:
    await releases.reading.handle(reading_dock, DOCK, Moor("Anna", 7))
    written = await releases.writing.handle(writing_dock, DOCK, Moor("Berta", 2))
    assert written.events == [BERTA]
    for release, dock in ((releases.reading, reading_dock), (releases.writing, writing_dock)):
        assert (await release.handle(dock, DOCK, Moor("Anna", 7))).events == ()
        assert (await release.handle(dock, DOCK, Moor("Berta", 2))).events == ()
        assert await release.payloads(DOCK) == [ANNA, BERTA]


async def test_a_feed_gives_the_newest_and_names_the_version_that_was_written(releases: Releases) -> None:
    await releases.reading.append(DOCK, ArrivedV1(ship="Anna", tonnes=7))
    await releases.writing.append(DOCK, BERTA)
    await releases.reading.seal()
    events, _ = await read_on(releases.reading.feed(), Cursor(), 2)
    assert [(each.schema_version, each.payload) for each in events] == [(1, ANNA), (2, BERTA)]


async def test_the_release_before_stops_where_the_new_version_begins(releases: Releases) -> None:
    await releases.reading.append(DOCK, ArrivedV1(ship="Anna", tonnes=7))
    await releases.writing.append(DOCK, BERTA)
    await releases.before.seal()
    (first, second), _ = await read_on(releases.before.feed(), Cursor(), 2)
    assert first.payload == ArrivedV1(ship="Anna", tonnes=7)
    with pytest.raises(NewerVersion):
        _ = second.payload
    with pytest.raises(NewerVersion):
        await releases.before.payloads(DOCK)


async def test_a_version_that_a_release_only_reads_never_reaches_the_log(releases: Releases) -> None:
    with pytest.raises(VersionNotWritten):
        await releases.reading.append(DOCK, BERTA)
    with pytest.raises(VersionNotWritten):
        await releases.writing.append(DOCK, ArrivedV1(ship="Anna", tonnes=7))
    assert await releases.writing.payloads(DOCK) == []
