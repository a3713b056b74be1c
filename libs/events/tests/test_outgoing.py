"""What the database makes of an event's attributes is what Python makes of them."""

from dataclasses import fields
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from steerco_events.envelope import Actor, Context, Recorded
from steerco_events.ids import new_id
from steerco_events.kafka.headers import headers_of
from steerco_events.kafka.outgoing import OutgoingFeed
from steerco_events.ports import Cursor
from steerco_events.postgres.store import Write
from steerco_events.registry import Payload
from steerco_events.testkit.logs import Log
from steerco_events.testkit.recorded import BEGIN
from steerco_events.testkit.tally import Counted, Labeled

CENTURY = timedelta(days=36525)

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\x00"), max_size=50)
instants = st.timedeltas(-CENTURY, CENTURY).map(lambda since: BEGIN + since) | st.just(BEGIN)
payloads = st.builds(Counted, by=st.integers(-(2**60), 2**60)) | st.builds(Labeled, label=words)


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    """The context of any command; its id is new, because every example goes into the same log."""
    return Context(
        command_id=new_id(),
        actor=Actor(draw(st.uuids()), draw(words)),
        client=draw(words),
        recorded_at=draw(instants),
        correlation_id=draw(st.uuids()),
        causation_id=draw(st.uuids()),
        reason=draw(st.none() | words),
        valid_at=draw(st.none() | instants),
        traceparent=draw(st.none() | words.filter(bool)),
        org_units=tuple(draw(st.lists(st.uuids(), max_size=3))),
        on_behalf_of=draw(st.none() | st.uuids()),
    )


async def newest(feed: OutgoingFeed, log: Log) -> tuple[Recorded, Recorded]:
    """The last event of the log, as it goes out and as the store has it."""
    end = max((await log.feed().head()).positions)
    before = Cursor(1, (end - 1,) * 12)
    (outgoing,), (stored,) = (await feed.read(before, 1)).events, (await log.feed().read(before, 1)).events
    return outgoing, stored


@given(payload=payloads, context=contexts(), name=words.filter(bool))
@settings(max_examples=60, deadline=None)
async def test_an_event_goes_out_with_its_headers_and_has_all_else_too(
    shared_log: Log, payload: Payload, context: Context, name: str
) -> None:
    feed = OutgoingFeed(shared_log.service, shared_log.reader, shared_log.registry, shared_log.sealed)
    async with shared_log.engine.begin() as tx:
        await shared_log.store.append(tx, [Write(f"{name}-{new_id()}", 0, [payload])], context)
    await shared_log.seal()
    outgoing, stored = await newest(feed, shared_log)
    assert sorted(headers_of(outgoing)) == sorted(headers_of(stored))
    for field in fields(Recorded):
        assert getattr(outgoing, field.name) == getattr(stored, field.name)
    assert outgoing.payload == payload
