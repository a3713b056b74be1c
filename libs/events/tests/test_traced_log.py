"""What a command appends, and its seal, go on in the command's trace."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events import tracing
from steerco_events.commands.attempts import in_transaction
from steerco_events.commands.batching import Batcher
from steerco_events.commands.handling import handle
from steerco_events.commands.planning import Handling
from steerco_events.ports import Cursor
from steerco_events.postgres import sealer
from steerco_events.postgres.statements import Statement
from steerco_events.testkit.logs import Log, read_on, until
from steerco_events.testkit.spans import Spans, counted, links_of, parent_of, traced, traceparent
from steerco_events.testkit.tally import Close, Count, tally

LIMIT = tracing.MOST_TRACES


async def seal(log: Log, spans: Spans) -> None:
    """By a sealer that makes spans, until it has made one."""

    async def has_sealed() -> bool:
        return bool(spans("seal"))

    async with log.sealing():
        await until(has_sealed, "a span of the seal")


async def test_commands_of_one_transaction_have_an_append_each_in_their_own_traces(log: Log, spans: Spans) -> None:
    batcher = Batcher(log.engine, log.store, log.appended)
    handlings = [Handling(tally, f"tally-{n}", Count(1), traced(log, n)) for n in range(1, 9)]
    unrecorded = Handling(tally, "tally-9", Count(1), traced(log, 9, flags=0))
    refused = Handling(tally, "tally-10", Close(), traced(log, 10), expected=3)
    await asyncio.gather(
        *(batcher.submit(each, None, lambda _: b"") for each in (*handlings, unrecorded, refused)),
        return_exceptions=True,
    )
    assert {parent_of(span) for span in spans("append")} == {traceparent(n) for n in range(1, 9)}
    assert len(spans("append")) == 8
    one = spans("append")[0]
    assert one.attributes
    assert one.attributes["db.system.name"] == "postgresql"
    assert (one.attributes[tracing.SERVICE], one.attributes["steerco.events"]) == (log.service, 1)


async def test_of_few_traces_in_a_seal_each_has_a_span_of_its_own(log: Log, spans: Spans) -> None:
    await counted(log, 3)
    await log.handle(tally, "tally-again", Count(1), traced(log, 3, span=2))
    await counted(log, 1, flags=0)
    await seal(log, spans)
    told = [{str(parent_of(span)), *map(str, links_of(span))} for span in spans("seal")]
    assert sorted(told, key=min) == [
        {traceparent(1)},
        {traceparent(2)},
        {traceparent(3), traceparent(3, span=2)},
    ], "below one context of its trace, with links to the others"


async def test_of_many_traces_in_a_seal_there_is_one_span_that_links_to_all(log: Log, spans: Spans) -> None:
    await counted(log, LIMIT + 1)
    await seal(log, spans)
    span = spans.one("seal")
    assert span.parent is None
    assert links_of(span) == {traceparent(n) for n in range(1, LIMIT + 2)}


async def test_what_a_transaction_appends_has_a_span_once_it_is_committed(log: Log, spans: Spans) -> None:
    found: list[int] = []

    async def append(tx: AsyncConnection) -> None:
        await handle(tx, log.store, tally, "tally-1", Count(1), log.context())
        tracing.appended(log.service, [(traceparent(1), 1)], tracing.now())
        found.append(len(spans("append")))

    async def fail(tx: AsyncConnection) -> None:
        await append(tx)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await in_transaction(log.engine, fail)
    assert spans("append") == []
    await in_transaction(log.engine, append)
    assert (found, parent_of(spans.one("append"))) == ([0, 0], traceparent(1))


async def test_of_a_seal_only_contexts_that_are_recorded_are_read(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "MOST_LINKS", 3)
    await counted(log, 5, flags=0)
    await log.handle(tally, "tally-1", Count(1), traced(log, 6))
    await counted(log, 5, flags=2)
    assert await log.sealer.start()
    while (scan := await log.sealer.scan()).pending:
        pass
    assert await log.sealer.contexts(scan) == [traceparent(6)]


async def test_a_log_is_sealed_also_when_nobody_can_say_of_which_traces(
    log: Log, spans: Spans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sealer, "_TRACES", Statement("SELECT traceparent FROM log.nothing"))
    async with log.sealing():
        for _ in range(2):
            await counted(log, 1)
            await read_on(log.feed(), Cursor(), 1)
    assert spans("seal") == []
    assert {record.name for record in caplog.records} == {"steerco.sealing"}
