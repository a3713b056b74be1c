"""Whatever processes an event goes on in its trace: reactions, timers, who publishes it."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from steerco_events import trace_contexts, tracing
from steerco_events.commands.attempts import Contended
from steerco_events.consuming.consumer import Consumer
from steerco_events.consuming.reactions import Order, Reaction, Sight, reacting
from steerco_events.decider import Refusal
from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.testkit.alarms import SetAlarm, alarms
from steerco_events.testkit.eaters import Scripted
from steerco_events.testkit.logs import Log
from steerco_events.testkit.spans import Spans, context_of, links_of, parent_of, recorded_spans, traced, traceparent
from steerco_events.testkit.tally import Count, tally
from steerco_events.testkit.timed import NOON, Timed, desk, timed_log
from steerco_servers.testing import TemporaryPostgres

LIMIT = tracing.MOST_TRACES


@pytest.fixture
async def timed(postgres: TemporaryPostgres) -> AsyncIterator[Timed]:
    async with timed_log(postgres) as timed:
        yield timed


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
