"""The database that seals and the verifier make the same hashes."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from steerco_events.archive.hashing import event_hash, netstring
from steerco_events.archive.lines import Seal
from steerco_events.ids import derived_id, new_id
from steerco_events.postgres.store import Write
from steerco_events.testkit.archives import told
from steerco_events.testkit.logs import Log
from steerco_events.testkit.recorded import log_of
from steerco_events.testkit.tally import Counted, Labeled

texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)


@given(
    title=texts,
    client=texts,
    reason=texts | st.none(),
    trace=texts | st.none(),
    units=st.integers(0, 2),
    micros=st.integers(-(10**15), 10**15),
    valid=st.booleans(),
    behalf=st.booleans(),
    label=texts,
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_database_and_the_verifier_make_the_same_hash_of_an_event(
    shared_log: Log,
    title: str,
    client: str,
    reason: str | None,
    trace: str | None,
    units: int,
    micros: int,
    valid: bool,
    behalf: bool,
    label: str,
) -> None:
    about = shared_log.context()
    at = about.recorded_at + timedelta(microseconds=micros)
    context = replace(
        about,
        actor=replace(about.actor, job_title=title),
        client=client,
        reason=reason,
        traceparent=trace,
        recorded_at=at,
        valid_at=at if valid else None,
        org_units=tuple(new_id() for _ in range(units)),
        on_behalf_of=new_id() if behalf else None,
    )
    stream = f"tally-{new_id()}"
    async with shared_log.engine.begin() as tx:
        await shared_log.store.append(tx, [Write(stream, 0, [Labeled(label=label)])], context)
        query = text("SELECT log.event_hash(e) FROM log.events e WHERE stream = :stream")
        stored = (await tx.execute(query, {"stream": stream})).scalar_one()
        (event,) = await shared_log.store.read_events(tx, stream)
    assert event_hash(event) == stored


async def test_the_database_and_the_verifier_make_the_same_hash_of_a_seal(log: Log) -> None:
    for seal in (line for line in await told(log) if isinstance(line, Seal)):
        assert seal.computed() == seal.hash


def test_an_event_that_nobody_else_stands_behind_keeps_the_hash_that_it_was_sealed_with() -> None:
    (event,) = log_of([[("tally-1", Counted(by=7))]])
    assert event_hash(event).hex() == "78172e8312355388fba2d76c4ac29f240f64f1874645896ba043c4751fb6961d"


def test_on_whose_behalf_it_was_is_part_of_an_events_hash_and_nothing_else_can_look_like_it() -> None:
    (event,) = log_of([[("tally-1", Counted(by=7))]])
    person, other = derived_id("person", 1), derived_id("person", 2)
    behalf = replace(event, on_behalf_of=person)
    likenesses = [
        event,
        replace(event, on_behalf_of=other),
        replace(event, actor=replace(event.actor, id=person), on_behalf_of=event.actor.id),
        replace(event, data=netstring(person) + event.data),
        replace(event, actor=replace(event.actor, job_title=f"/{person}{event.actor.job_title}")),
    ]
    assert len({event_hash(each) for each in (behalf, *likenesses)}) == 1 + len(likenesses)
