"""One trace follows a command through append, seal and whatever processes its events; spans say nothing secret."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events import trace_contexts, tracing
from steerco_events.commands.attempts import Contended, in_transaction
from steerco_events.commands.batching import Batcher
from steerco_events.commands.handling import handle
from steerco_events.commands.planning import Handling
from steerco_events.consuming.consumer import Consumer
from steerco_events.consuming.reactions import Order, Reaction, Sight, reacting
from steerco_events.decider import Refusal
from steerco_events.envelope import Context, Recorded
from steerco_events.ids import new_id
from steerco_events.ports import Cursor
from steerco_events.postgres import sealer
from steerco_events.postgres.statements import Statement
from steerco_events.testkit.alarms import SetAlarm, alarms
from steerco_events.testkit.eaters import Scripted
from steerco_events.testkit.logs import Log, read_on, until
from steerco_events.testkit.spans import Spans, context_of, links_of, parent_of, recorded_spans
from steerco_events.testkit.tally import Close, Count, tally
from steerco_events.testkit.timed import NOON, Timed, desk, timed_log
from steerco_servers.testing import TemporaryPostgres

LIMIT = tracing.MOST_TRACES


@pytest.fixture
async def timed(postgres: TemporaryPostgres) -> AsyncIterator[Timed]:
    async with timed_log(postgres) as timed:
        yield timed


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recorded_spans() as spans:
        yield spans


def traceparent(trace: int, span: int = 1, flags: int = 1) -> str:
    return f"00-{trace:032x}-{span:016x}-{flags:02x}"


def traced(log: Log, trace: int, span: int = 1, flags: int = 1) -> Context:
    return replace(log.context(), traceparent=traceparent(trace, span, flags))


async def counted(log: Log, traces: int, **about: int) -> None:
    """One event in each of so many traces."""
    for n in range(1, traces + 1):
        await log.handle(tally, f"tally-{new_id()}", Count(n), traced(log, n, **about))


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


def mirror(log: Log) -> Reaction:
    async def react(_: Sight, cause: Recorded) -> Sequence[Order]:
        return [Order(tally, f"mirror-{cause.stream}", Count(1), refused=None)]

    return Reaction("tally-mirror", log.service, react)


async def mirrored(log: Log, source: Log, events: Sequence[Recorded]) -> dict[str, str | None]:
    """What a reaction's own events carry, by the stream that they came of."""
    role = reacting(mirror(source), log.store, log.clock, log.appended)
    await Consumer(log.consumers(), role, source.service).step(Scripted(source.service, events))
    found = {}
    async with log.engine.connect() as tx:
        for event in events:
            for made in await log.store.read_events(tx, f"mirror-{event.stream}"):
                found[event.stream] = made.traceparent
    return found


async def sealed(log: Log) -> Sequence[Recorded]:
    await log.seal()
    return (await log.feed().read(Cursor(), 1000)).events


async def test_what_a_reaction_leads_to_goes_on_in_the_trace_of_its_cause(log: Log, spans: Spans) -> None:
    for n in (1, 2):
        await log.handle(tally, f"tally-{n}", Count(1), traced(log, n))
    await log.handle(tally, "tally-3", Count(1), traced(log, 3, flags=0))
    carried = await mirrored(log, log, await sealed(log))
    processed = {parent_of(span): span for span in spans("process ")}
    assert processed.keys() == {traceparent(1), traceparent(2)}
    first = processed[traceparent(1)]
    assert (first.name, first.kind) == (f"process steerco.{log.service}.events.v1", SpanKind.CONSUMER)
    assert first.attributes
    assert dict(first.attributes) == {
        "messaging.system": "postgresql",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": f"steerco.{log.service}.events.v1",
        "messaging.batch.message_count": 3,
        "steerco.consumer": "tally-mirror",
        tracing.SERVICE: log.service,
    }
    assert carried == {
        "tally-1": context_of(first),
        "tally-2": context_of(processed[traceparent(2)]),
        "tally-3": traceparent(3, flags=0),
    }
    appends = {parent_of(span) for span in spans("append")}
    assert appends == {carried["tally-1"], carried["tally-2"]}


async def test_a_batch_of_many_traces_is_one_span_and_its_events_keep_their_traces(log: Log, spans: Spans) -> None:
    traces = range(1, LIMIT + 2)
    for n in traces:
        await log.handle(tally, f"tally-{n}", Count(1), traced(log, n))
    carried = await mirrored(log, log, await sealed(log))
    assert links_of(spans.one("process ")) == {traceparent(n) for n in traces}
    assert carried == {f"tally-{n}": traceparent(n) for n in traces}


async def test_an_event_alone_is_named_by_its_span(log: Log, spans: Spans) -> None:
    await log.handle(tally, "tally-1", Count(1), traced(log, 1))
    (event,) = await sealed(log)
    await mirrored(log, log, [event])
    about = spans.one("process ").attributes
    assert about
    assert about["messaging.message.id"] == str(event.id)
    assert about["messaging.destination.partition.id"] == str(event.partition)


async def test_what_a_timer_leads_to_goes_on_in_the_trace_of_the_event_that_set_it(timed: Timed, spans: Spans) -> None:
    log = timed.log
    await log.handle(alarms, desk(), SetAlarm("tea", NOON), traced(log, 7))
    await timed.at(NOON + timedelta(hours=1))
    async with log.engine.connect() as connection:
        _, rang = await log.store.read_events(connection, desk())
    fired = spans.one("fire timers")
    assert (parent_of(fired), rang.traceparent) == (traceparent(7), context_of(fired))
    assert parent_of(spans.one("append")) == context_of(fired)


class Overdrawn(Refusal):
    """There is not that much."""


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Overdrawn("Ada Lovelace has 12.50 EUR"), {"steerco.refusal": "Overdrawn"}),
        (ValueError("Ada Lovelace has 12.50 EUR"), {"error.type": "ValueError"}),
    ],
)
async def test_a_span_says_which_error_it_was_and_not_what_the_error_says(
    spans: Spans, error: Exception, says: dict[str, str]
) -> None:
    with pytest.raises(type(error)), tracing.handling("finance", "Draw", Refusal):
        raise error
    span = spans.one("handle Draw")
    assert span.attributes is not None
    assert says.items() <= dict(span.attributes).items()
    assert (span.status.status_code is StatusCode.ERROR) is not isinstance(error, Refusal)
    assert "Lovelace" not in span.to_json()


async def failing(log: Log, events: Sequence[Recorded]) -> tuple[Contended, str | None]:
    """How a reaction fails, and what trace is current while it does."""
    current = []

    async def react(_: Sight, __: Recorded) -> Sequence[Order]:
        current.append(trace_contexts.trace_id())
        raise Contended("")

    role = reacting(Reaction("tally-breaker", log.service, react), log.store, log.clock, log.appended)
    consumer = Consumer(log.consumers(), role, log.service)
    with pytest.raises(Contended) as failed:
        await consumer.step(Scripted(log.service, events))
    return failed.value, current[0]


@pytest.mark.usefixtures("spans")
async def test_what_is_logged_while_a_batch_is_processed_names_its_trace_and_its_error_all_of_them(log: Log) -> None:
    for n in (1, 2):
        await log.handle(tally, f"tally-{n}", Count(1), traced(log, n))
    events = await sealed(log)
    one, two = f"{1:032x}", f"{2:032x}"
    error, current = await failing(log, events[:1])
    assert (error.__notes__, current) == ([f"trace {one}"], one)
    error, current = await failing(log, events)
    assert (error.__notes__, current) == ([f"trace {one}, {two}"], None)


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


async def test_a_batch_that_fails_says_so_in_every_trace(log: Log, spans: Spans) -> None:
    await log.handle(tally, "tally-1", Count(1), traced(log, 1))
    (event,) = await sealed(log)
    with pytest.raises(OSError, match="secret"), tracing.publishing("tally", "tallies", [event]):
        raise OSError("a secret")
    span = spans.one("send tallies")
    assert (span.kind, parent_of(span)) == (SpanKind.PRODUCER, traceparent(1))
    assert span.status.status_code is StatusCode.ERROR
    assert "a secret" not in span.to_json()


async def test_no_span_is_made_where_nobody_takes_them(log: Log) -> None:
    with recorded_spans() as spans:
        tracing.record_by(None)
        with tracing.handling("tally", "Count", Refusal):
            await log.handle(tally, "tally-1", Count(1), traced(log, 1))
        carried = await mirrored(log, log, await sealed(log))
    assert (spans.names, carried) == ([], {"tally-1": traceparent(1)})


@pytest.mark.parametrize(
    "text", [None, "", "00-1", "00-trace-span-01", traceparent(0), traceparent(1, 0), traceparent(1, flags=0), "x" * 55]
)
def test_what_is_no_recorded_context_is_none(text: str | None) -> None:
    assert trace_contexts.recorded_context(text) is None
    assert tracing.continued(text) == text
