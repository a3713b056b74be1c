"""Who brings a token is answered with what it covers, or told why not, in time; never silently without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

import pytest
from sqlalchemy import text

from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import CATALOG
from steerco_events.ids import new_id
from steerco_events.positions import Token, partition_of
from steerco_events.projections.builds import Builds
from steerco_servers.testing import TemporaryPostgres
from steerco_service import consistency
from steerco_service.consistency import wait_until
from steerco_service.hosting import BESIDE, WRITERS, DatabaseUrls, Host
from steerco_service.identity.authenticator import Authenticator
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.keys import KnownKeys
from steerco_service.migrations import migrate
from steerco_service.problems import Problem
from steerco_service.runtime import Runtime
from steerco_service.testkit.indigestible import CLOSURES, ILL, closed
from steerco_service.testkit.serving import Served, serving

PROMPT = 2.5
"""Seconds within which is said what is said at once, also on a busy machine."""


@pytest.fixture(scope="module")
async def shared(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    async with serving([CLOSURES], postgres) as shared:
        yield shared


@pytest.fixture
async def served(shared: Served) -> AsyncIterator[Served]:
    """What the specs share; each has streams of its own, and at its end nothing is parked."""
    yield shared
    ILL.clear()
    async with shared.runtime("risk").engine.begin() as tx:
        await tx.execute(text("SELECT 1 FROM log.checkpoints FOR UPDATE"))
        await tx.execute(text("DELETE FROM log.parked"))


@pytest.fixture
def runtime(served: Served) -> Runtime:
    return served.runtime("risk")


@pytest.fixture
async def alone(postgres: TemporaryPostgres) -> AsyncIterator[Served]:
    """For a spec that changes what is there for all: the generation of the log, or the builds of the view."""
    async with serving([CLOSURES], postgres) as alone:
        yield alone


@pytest.fixture
def stream() -> str:
    """A stream of the spec's own."""
    return f"risk-{new_id()}"


async def happened(served: Served, stream: str) -> Token:
    return await served.append("risk", stream, closed(stream))


async def refused(runtime: Runtime, token: Token, within: float) -> Problem:
    """The problem that a caller gets, in time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(Problem) as caught:
        await wait_until(runtime, token)
    assert loop.time() - began < within
    return caught.value


async def times(runtime: Runtime, stream: str) -> int:
    """What the view says."""
    async with runtime.engine.connect() as connection:
        table = (await runtime.builds.live(connection)).table("closures")
        query = table.select().where(table.c.key == stream, table.c.sealed_to.is_(None))
        row = (await connection.execute(query)).first()
        return row.times if row else 0


@asynccontextmanager
async def held_back(runtime: Runtime) -> AsyncIterator[None]:
    """Inside, the view learns of nothing more."""
    async with runtime.engine.begin() as tx:
        await tx.execute(text("SELECT 1 FROM log.checkpoints FOR UPDATE"))
        yield


@asynccontextmanager
async def unattended(postgres: TemporaryPostgres) -> AsyncIterator[Runtime]:
    """The service over a database for which nobody works."""
    async with postgres.databases("risk") as databases:
        database = databases["risk"]
        await migrate(CLOSURES.migrations, database.owner_url)
        clock = SystemClock()
        urls = {"risk": DatabaseUrls(database.owner_url, database.app_url, database.feed_url)}
        host = Host([CLOSURES], urls, CATALOG, clock, Authenticator(KnownKeys(Issuer.generate().public()), clock))
        try:
            yield host.runtimes["risk"]
        finally:
            await host.runtimes["risk"].close()


def beside(stream: str) -> str:
    """Another stream of the same partition."""
    return next(name for n in count() if partition_of(name := f"{stream}-{n}") == partition_of(stream))


async def test_what_a_token_covers_is_there_when_the_wait_is_over(
    served: Served, runtime: Runtime, stream: str
) -> None:
    for n in range(1, 21):
        await wait_until(runtime, await happened(served, stream))
        assert await times(runtime, stream) == n


async def test_a_quiet_log_holds_nobody_up(served: Served, runtime: Runtime, stream: str) -> None:
    token = await happened(served, stream)
    await served.settled()
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(10):
        await wait_until(runtime, token)
    assert loop.time() - began < PROMPT


async def test_who_waits_for_a_view_that_lags_is_answered_when_it_has_come(
    served: Served, runtime: Runtime, stream: str
) -> None:
    async with held_back(runtime):
        token = await happened(served, stream)
        waiting = asyncio.create_task(wait_until(runtime, token))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.5)
    await waiting
    assert await times(runtime, stream) == 1


async def test_who_waits_too_long_is_told_who_lags(
    served: Served, runtime: Runtime, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consistency, "WAIT_SECONDS", 0.5)
    async with held_back(runtime):
        token = await happened(served, stream)
        problem = await refused(runtime, token, 0.5 + PROMPT)
    assert (problem.status, problem.code, problem.headers) == (503, "projection-behind", {"Retry-After": "1"})
    assert "closures_v1_b1 in the log of risk" in problem.detail


async def test_when_nobody_works_who_waits_is_told_in_time(
    postgres: TemporaryPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consistency, "WAIT_SECONDS", 0.5)
    async with unattended(postgres) as runtime:
        token = Token.of("risk", 1, {"risk-1": 1})
        assert (await refused(runtime, token, PROMPT)).code == "view-not-built"
        async with runtime.engine.begin() as tx:
            build = await runtime.builds.begin(tx, runtime.clock.now())
            await runtime.builds.go_live(tx, build, runtime.clock.now())
        problem = await refused(runtime, token, 0.5 + PROMPT)
    assert (problem.code, problem.headers) == ("projection-behind", {"Retry-After": "1"})


async def test_who_waits_for_a_parked_stream_is_told_at_once_for_whom(
    served: Served, runtime: Runtime, stream: str
) -> None:
    ILL.add(stream)
    await happened(served, stream)
    await served.settled()
    token = await happened(served, stream)
    await served.settled()
    problem = await refused(runtime, token, PROMPT)
    assert (problem.status, problem.code) == (503, "projection-behind")
    assert int(problem.headers["Retry-After"]) > 1
    assert "parked for closures_v1_b1, streams: 1" in problem.detail
    assert stream not in problem.detail


async def test_who_waits_for_a_stream_that_is_parked_meanwhile_is_told_at_once(
    served: Served, runtime: Runtime, stream: str
) -> None:
    ILL.add(stream)
    problem = await refused(runtime, await happened(served, stream), PROMPT)
    assert "parked for closures_v1_b1, streams: 1" in problem.detail


async def test_another_stream_of_the_partition_of_a_parked_one_is_answered(
    served: Served, runtime: Runtime, stream: str
) -> None:
    other = beside(stream)
    before = await happened(served, stream)
    await wait_until(runtime, before)
    ILL.add(stream)
    await happened(served, stream)
    await wait_until(runtime, await happened(served, other))
    assert await times(runtime, other) == 1
    await wait_until(runtime, before)


async def test_of_a_partition_whose_streams_are_not_told_apart_a_parked_one_may_be_the_caller_s(
    served: Served, runtime: Runtime, stream: str
) -> None:
    ILL.add(stream)
    before = await happened(served, beside(stream))
    await happened(served, stream)
    after = await happened(served, beside(stream))
    await served.settled()
    for token, is_behind in ((before, False), (after, True)):
        generation, target = token.target("risk")
        blurred = Token({"risk": (generation, {partition_of(stream): max(target)})})
        if is_behind:
            assert "parked for closures_v1_b1, streams: 1" in (await refused(runtime, blurred, PROMPT)).detail
        else:
            await wait_until(runtime, blurred)


async def test_a_stream_that_is_parked_no_more_is_answered(served: Served, runtime: Runtime, stream: str) -> None:
    ILL.add(stream)
    token = await happened(served, stream)
    await served.settled()
    await refused(runtime, token, PROMPT)
    ILL.clear()
    operations = await served.client("risk")
    retried = await operations.post(f"/log/parked/closures_v1_b1/risk/{stream}/retry")
    assert retried.status_code == 202
    while (await operations.get("/log/parked")).json():
        await asyncio.sleep(0.01)
    await wait_until(runtime, token)
    assert await times(runtime, stream) == 1


async def test_who_saw_what_a_restore_took_away_is_told_to_look_again(alone: Served) -> None:
    runtime = alone.runtime("risk")
    kept = await happened(alone, "risk-1")
    lost = await happened(alone, "risk-2")
    async with runtime.engine.begin() as tx:
        await tx.execute(
            text("INSERT INTO log.generations SELECT 2, 1, system_identifier, timeline_id FROM log.generations")
        )
    await happened(alone, "risk-3")
    problem = await refused(runtime, lost, consistency.WAIT_SECONDS)
    assert (problem.status, problem.code) == (409, "log-rewound")
    assert "goes on after position 1 in another generation" in problem.detail
    await wait_until(runtime, kept)


async def test_while_a_view_is_built_for_the_first_time_nobody_waits(alone: Served) -> None:
    runtime = alone.runtime("risk")
    token = await happened(alone, "risk-1")
    async with runtime.engine.begin() as tx:
        await tx.execute(text("UPDATE log.builds SET state = 'retired'"))
    problem = await refused(runtime, token, PROMPT)
    assert (problem.status, problem.code) == (503, "view-not-built")


async def test_while_a_view_is_built_anew_the_one_that_is_read_answers(alone: Served) -> None:
    runtime = alone.runtime("risk")
    await happened(alone, "risk-1")
    await alone.settled()
    async with runtime.engine.begin() as tx:
        await Builds(CLOSURES.view).begin(tx, runtime.clock.now())
        await wait_until(runtime, await happened(alone, "risk-1"))
        assert await times(runtime, "risk-1") == 2


async def test_the_wait_ends_in_time_also_when_no_connection_is_free(
    served: Served, runtime: Runtime, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consistency, "WAIT_SECONDS", 0.5)
    token = await happened(served, stream)
    await served.settled()
    async with AsyncExitStack() as stack:
        taken = [
            asyncio.create_task(stack.enter_async_context(runtime.engine.connect())) for _ in range(WRITERS + BESIDE)
        ]
        await asyncio.gather(*taken)
        problem = await refused(runtime, token, 0.5 + PROMPT)
    assert (problem.status, problem.code) == (503, "projection-behind")
    assert "its database was too busy to tell" in problem.detail


async def test_a_token_of_an_older_release_is_refused_as_malformed(served: Served) -> None:
    operations = await served.client("risk")
    answer = await operations.get("/events", headers={"Consistency-Token": "eyJyaXNrIjpbMSx7IjMiOjd9XX0"})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:steerco:problem:malformed-consistency-token")
