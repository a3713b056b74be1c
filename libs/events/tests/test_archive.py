"""An archive shows what was altered, left out, put in or cut off, and another edition can go on from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.archive.hashing import event_hash, seal_hash
from steerco_events.archive.lines import ArchiveMalformed, Beginning, End, Line, Seal, Signed, decoded, encoded
from steerco_events.archive.taking import CannotTakeOver, take_over
from steerco_events.archive.verifying import Altered, Verifier, verify
from steerco_events.archive.writing import WHOLE, ReactionNamed, Slice, archive
from steerco_events.envelope import Recorded
from steerco_events.ids import new_id
from steerco_events.ports import Cursor
from steerco_events.positions import SignedHead
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.store import Write
from steerco_events.signing import HeadSigner
from steerco_events.testkit.logs import Log, fresh_log
from steerco_events.testkit.tally import TALLY, Counted, Labeled
from steerco_servers.testing import TemporaryPostgres

ONE = Counted(by=1)


@dataclass(frozen=True)
class Stamp:
    """A key whose signature anybody can check."""

    key_id: str = "stamp"

    def sign(self, data: bytes) -> bytes:
        return b"stamped: " + data

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        return signature == b"stamped: " + data


STAMP = Stamp()


async def written(log: Log, part: Slice = WHOLE, reactions: Sequence[ReactionNamed] = ()) -> list[Line]:
    """An archive, through its bytes."""
    lines = [line async for line in archive(log.engine, log.service, log.registry, reactions, part)]
    return [decoded(encoded(line), log.registry, n) for n, line in enumerate(lines, 1)]


async def told(log: Log, *, times: int = 3) -> list[Line]:
    """The archive of a log of some seals, signed in the middle and at the end."""
    for n in range(times):
        await log.append(f"tally-{n}", ONE, Labeled(label=f"{n}: é\x1f"))
        await log.append("tally-0", ONE)
        await log.seal()
        await HeadSigner(log.engine, log.service, STAMP).sign()
    return await written(log)


def events(lines: Sequence[Line]) -> list[Recorded]:
    return [line for line in lines if isinstance(line, Recorded)]


async def test_a_log_that_nobody_touched_is_what_was_sealed(log: Log) -> None:
    lines = await told(log)
    verified = verify(lines, [STAMP])
    assert (verified.service, verified.events, verified.seals, verified.signatures) == (log.service, 9, 3, 3)
    assert verified.position == verified.signed_up_to == 9
    assert [event.payload for event in events(lines)][:3] == [ONE, Labeled(label="0: é\x1f"), ONE]


async def test_an_empty_log_is_what_was_sealed(log: Log) -> None:
    assert verify(await written(log), [STAMP]).events == 0


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


def altered(lines: Sequence[Line], at: int, **changes: Any) -> list[Line]:
    """The archive with one line of its events changed."""
    position = events(lines)[at].position
    return [
        replace(line, **changes) if isinstance(line, Recorded) and line.position == position else line for line in lines
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"data": b'{"by":7}'},
        {"stream": "tally-9"},
        {"type": "steerco.tally.closed"},
        {"reason": "none"},
        {"client": "other"},
        {"stream_version": 9},
        {"schema_version": 2},
        {"traceparent": "00-1"},
        {"org_units": (new_id(),)},
        {"id": new_id()},
        {"correlation_id": new_id()},
        {"causation_id": new_id()},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_an_event_that_was_altered_is_named(log: Log, changes: dict[str, Any]) -> None:
    lines = await told(log)
    with pytest.raises(Altered, match=r"the event at position 4 .* is not what was sealed") as found:
        verify(altered(lines, 3, **changes), [STAMP])
    assert found.value.event is not None
    assert found.value.position == 4


async def test_an_event_whose_instant_was_altered_is_named(log: Log) -> None:
    lines = await told(log)
    later = events(lines)[3].recorded_at + timedelta(microseconds=1)
    with pytest.raises(Altered, match="position 4"):
        verify(altered(lines, 3, recorded_at=later), [STAMP])
    with pytest.raises(Altered, match="sealed otherwise"):
        verify(altered(lines, 3, sealed_at=later), [STAMP])


async def test_an_event_that_was_left_out_is_missed(log: Log) -> None:
    lines = await told(log)
    for left_out, where in (
        (events(lines)[3], "after position 3 and before"),
        (events(lines)[5], "missing at the end"),
    ):
        with pytest.raises(Altered, match=where):
            verify([line for line in lines if line is not left_out], [STAMP])


async def test_an_event_that_was_put_in_is_named(log: Log) -> None:
    lines = await told(log)
    third = lines.index(events(lines)[2])
    with pytest.raises(Altered, match="position 10"):
        verify([*lines[: third + 1], replace(events(lines)[2], position=10), *lines[third + 1 :]], [STAMP])
    with pytest.raises(Altered, match="position 3"):
        verify([*lines[: third + 1], events(lines)[2], *lines[third + 1 :]], [STAMP])


def sealed_anew(lines: Sequence[Line]) -> list[Line]:
    """What somebody who can write everything but sign would leave: hashes that fit what is there."""
    previous, result = bytes(32), list(lines)
    for n, line in enumerate(lines):
        if isinstance(line, Seal):
            own = [event for event in events(lines) if line.first <= event.position <= line.last]
            hashes = b"".join(map(event_hash, own))
            digest = seal_hash(previous, line.generation, line.first, line.last, line.sealed_at, hashes)
            result[n] = msgspec.structs.replace(line, previous=previous, hashes=hashes, hash=digest)
            previous = digest
    return result


async def test_what_was_altered_and_sealed_anew_is_shown_by_the_signed_heads(log: Log) -> None:
    lines = sealed_anew(altered(await told(log), 3, data=b'{"by":7}'))
    with pytest.raises(Altered, match="something after position 3 was altered, and sealed anew") as found:
        verify(lines, [STAMP])
    assert found.value.position == 4


async def test_without_the_signed_heads_in_the_archive_those_that_were_kept_show_it(log: Log) -> None:
    lines = await told(log)
    kept = [line.head for line in lines if isinstance(line, Signed)]
    forged = [line for line in sealed_anew(altered(lines, 3, data=b'{"by":7}')) if not isinstance(line, Signed)]
    assert verify(forged, [STAMP]).events == 9
    with pytest.raises(Altered, match="sealed anew"):
        verify(forged, [STAMP], kept)


async def test_a_log_whose_end_was_cut_off_is_shorter_than_its_last_signed_head(log: Log) -> None:
    lines = await told(log)
    kept = [line.head for line in lines if isinstance(line, Signed)]
    last = next(n for n, line in enumerate(lines) if isinstance(line, Seal) and line.last == 9)
    (end,) = (msgspec.structs.replace(line, position=6) for line in lines if isinstance(line, End))
    with pytest.raises(Altered, match="ends at 6, but its head at 9 was signed"):
        verify([*lines[:last], end], [STAMP], kept)


async def test_a_signature_that_is_not_the_keys_is_no_signature(log: Log) -> None:
    lines = await told(log)
    forged = [
        Signed(msgspec.structs.replace(line.head, signature=b"x")) if isinstance(line, Signed) else line
        for line in lines
    ]
    with pytest.raises(Altered, match="the signature over the head at 3"):
        verify(forged, [STAMP])
    other = verify(lines, [Stamp("another")])
    assert (other.signatures, other.of_unknown_keys, other.signed_up_to) == (0, 3, 0)


async def test_an_event_that_was_altered_in_the_database_is_named(log: Log) -> None:
    await told(log)
    owner = create_async_engine(log.urls.owner_url, poolclass=NullPool)
    async with owner.begin() as tx:
        await tx.execute(text("ALTER TABLE log.events DISABLE TRIGGER refuse_change"))
        change = "UPDATE log.events SET data = overlay(data PLACING 'x'::bytea FROM 3) WHERE position = 5"
        await tx.execute(text(change))
    lines = [line async for line in archive(log.engine, log.service, log.registry)]
    with pytest.raises(Altered, match=r"the event at position 5 .* is not what was sealed"):
        verify(lines, [STAMP])


@pytest.mark.parametrize("end", [1, 4, -1])
async def test_an_archive_that_is_cut_off_is_not_whole(log: Log, end: int) -> None:
    with pytest.raises(Altered, match="cut off"):
        verify((await told(log))[:end], [STAMP])


async def test_the_lost_part_of_an_older_generation_is_not_asked_for(log: Log) -> None:
    lines = await told(log)
    lost = SignedHead(log.service, 1, 99, b"x" * 32, lines[-1].watermark, "stamp", b"")  # type: ignore[union-attr]
    with pytest.raises(Altered, match="ends at 9"):
        verify(lines, [STAMP], [lost])
    restored = [msgspec.structs.replace(line, began=(0, 9)) if isinstance(line, Beginning) else line for line in lines]
    assert verify(restored, [STAMP], [lost]).events == 9


async def test_a_slice_is_verified_by_itself(log: Log) -> None:
    await told(log)
    of_subject = await written(log, Slice(after=3, subjects=["tally-0"]))
    assert [event.position for event in events(of_subject)] == [6, 9]
    assert verify(of_subject, [STAMP]).signatures == 2
    with pytest.raises(Altered, match="position 6"):
        verify(altered(of_subject, 0, data=b"{}"), [STAMP])
    middle = await written(log, Slice(after=4, until=5))
    assert [event.position for event in events(middle)] == [4, 5, 6]
    assert verify(middle, [STAMP]).events == 3


async def test_pieces_make_one_archive(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await told(log, times=5)
    monkeypatch.setattr("steerco_events.archive.writing.PIECE", 2)
    assert await written(log) == whole


@pytest.mark.parametrize("line", [b"", b"{}", b'{"specversion":"1.0"}', b'{"archive":"seal"}', b"\xff"])
def test_a_line_that_is_none_is_named(line: bytes) -> None:
    with pytest.raises(ArchiveMalformed, match="line 3"):
        decoded(line, TALLY, 3)


async def test_another_database_goes_on_from_the_archive(log: Log, postgres: TemporaryPostgres) -> None:
    reaction = ReactionNamed("answer_on_count", "elsewhere")
    async with log.engine.begin() as tx:
        await Checkpoints(reaction.name).advance(tx, "elsewhere", Cursor(), Cursor(2, (7,) * 12))
    await told(log)
    lines = await written(log, reactions=[reaction])
    async with fresh_log(postgres) as other:
        renamed = [_of_service(line, other.service) for line in lines]
        verified = await take_over(other.engine, other.service, renamed, Verifier())
        assert verified.events == 9
        head, before = await other.feed().head(), await log.feed().head()
        assert (head.began, head.positions, head.watermark, head.hash) == (
            (0, 9),
            before.positions,
            before.watermark,
            before.hash,
        )
        async with other.engine.connect() as connection:
            assert (await Checkpoints(reaction.name).load(connection, "elsewhere")).positions == (7,) * 12
        await other.append("tally-0", ONE)
        await other.seal()
        batch = await other.feed().read(Cursor(), 100)
        assert [event.position for event in batch.events] == list(range(1, 11))
        assert (batch.events[-1].generation, batch.events[-1].stream_version) == (2, 6)
        assert verify(await written(other)).events == 10
        with pytest.raises(CannotTakeOver, match="is not empty"):
            await take_over(other.engine, other.service, renamed, Verifier())


def _of_service(line: Line, service: str) -> Line:
    match line:
        case Beginning():
            return msgspec.structs.replace(line, service=service)
        case Signed(head):
            return Signed(msgspec.structs.replace(head, service=service))
        case Recorded():
            return replace(line, service=service)
        case _:
            return line


async def test_nothing_is_taken_from_an_archive_that_was_altered_or_is_a_part_or_anothers(
    log: Log, postgres: TemporaryPostgres
) -> None:
    lines = await told(log)
    cases: Sequence[tuple[Callable[[list[Line]], list[Line]], type[Exception]]] = [
        (lambda all: altered(all, 8, data=b"{}"), Altered),
        (lambda all: all[:-1], Altered),
        (lambda all: [msgspec.structs.replace(all[0], whole=False), *all[1:]], CannotTakeOver),  # type: ignore[type-var]
        (lambda all: lines, CannotTakeOver),
    ]
    async with fresh_log(postgres) as other:
        renamed = [_of_service(line, other.service) for line in lines]
        for change, refusal in cases:
            with pytest.raises(refusal):
                await take_over(other.engine, other.service, change(renamed), Verifier())
            assert (await other.feed().read(Cursor(), 10)).events == ()
        await other.append("tally-0", ONE)
