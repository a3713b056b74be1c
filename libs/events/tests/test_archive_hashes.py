"""The database that seals and the verifier make the same hashes."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from steerco_events.archive.hashing import event_hash
from steerco_events.archive.lines import Seal
from steerco_events.ids import new_id
from steerco_events.postgres.store import Write
from steerco_events.testkit.archives import told
from steerco_events.testkit.logs import Log
from steerco_events.testkit.tally import Labeled

texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)


@given(
    title=texts,
    client=texts,
    reason=texts | st.none(),
    trace=texts | st.none(),
    units=st.integers(0, 2),
    micros=st.integers(-(10**15), 10**15),
    valid=st.booleans(),
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
