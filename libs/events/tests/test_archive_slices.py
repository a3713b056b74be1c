"""A part of a log is verified by itself, and says what it does not show."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import text

from steerco_events.archive.lines import Beginning, Line, Signed
from steerco_events.archive.verifying import Altered, Verified, verify
from steerco_events.archive.writing import Slice
from steerco_events.signing import HeadSigner
from steerco_events.testkit.archives import ONE, STAMP, altered, events, told, written
from steerco_events.testkit.logs import Log


async def test_a_slice_is_verified_by_itself(log: Log) -> None:
    await told(log)
    of_subject = await written(log, Slice(after=3, subjects=["tally-0"]))
    assert [event.position for event in events(of_subject)] == [6, 9]
    assert verify(of_subject, [STAMP]).signatures == 3
    with pytest.raises(Altered, match="position 6"):
        verify(altered(of_subject, 0, data=b"{}"), [STAMP])
    middle = await written(log, Slice(after=4, until=5))
    assert [event.position for event in events(middle)] == [4, 5, 6]
    assert verify(middle, [STAMP]).events == 3


async def test_a_slice_has_no_head_that_was_signed_after_its_end(log: Log) -> None:
    await told(log)
    lines = await written(log, Slice(after=3, until=5))
    assert [line.head.position for line in lines if isinstance(line, Signed)] == [3, 6]


def without(lines: Sequence[Line], at: int) -> list[Line]:
    return [line for line in lines if line is not events(lines)[at]]


async def test_an_event_that_was_left_out_of_the_midst_of_a_subject_is_missed(log: Log) -> None:
    await told(log)
    lines = await written(log, Slice(subjects=["tally-0"]))
    assert [event.stream_version for event in events(lines)] == [1, 2, 3, 4, 5]
    for at, version in ((0, 1), (1, 2), (3, 4)):
        with pytest.raises(Altered, match=f"version {version} of tally-0 is missing before the event at position"):
            verify(without(lines, at), [STAMP])


async def test_of_two_subjects_each_is_followed_by_itself(log: Log) -> None:
    await told(log)
    lines = await written(log, Slice(subjects=["tally-0", "tally-2"]))
    assert verify(lines, [STAMP]).versions == {"tally-0": (1, 5), "tally-2": (1, 2)}
    of_other = next(n for n, event in enumerate(events(lines)) if event.stream == "tally-2")
    with pytest.raises(Altered, match="version 1 of tally-2 is missing"):
        verify(without(lines, of_other), [STAMP])


async def test_a_subject_that_begins_in_the_midst_is_followed_from_its_first_event_on(log: Log) -> None:
    await told(log)
    await log.append("tally-0", ONE)
    await log.seal()
    lines = await written(log, Slice(after=3, subjects=["tally-0"]))
    assert verify(lines, [STAMP]).versions == {"tally-0": (4, 6)}
    with pytest.raises(Altered, match="version 5 of tally-0 is missing"):
        verify(without(lines, 1), [STAMP])


async def test_what_a_slice_can_not_show_is_known_of_it(log: Log) -> None:
    await told(log)
    lines = await written(log, Slice(after=3, subjects=["tally-0", "tally-7"]))
    beginning = verify(without(lines, -1), [STAMP]).beginning
    assert (beginning.after, beginning.whole, beginning.subjects) == (3, False, ("tally-0", "tally-7"))


async def test_a_slice_goes_on_until_its_end_is_signed_if_it_is(log: Log) -> None:
    for _ in range(3):
        await log.append("tally-0", ONE)
        await log.seal()
    await HeadSigner(log.engine, log.service, STAMP).sign()
    await log.append("tally-0", ONE)
    await log.seal()
    signed = verify(await written(log, Slice(until=1)), [STAMP])
    assert (signed.events, signed.signed_up_to, signed.unsigned) == (3, 3, 0)
    beyond = verify(await written(log, Slice(until=4)), [STAMP])
    assert (beyond.events, beyond.signed_up_to, beyond.unsigned) == (4, 3, 1)


def doubt_of_tomorrow(verified: Verified) -> str | None:
    assert verified.unsigned_since is not None
    return verified.doubt(verified.unsigned_since + timedelta(days=1))


async def test_a_slice_that_was_taken_before_its_first_signature_follows_from_the_head_before_it(log: Log) -> None:
    await told(log)
    for _ in range(2):
        await log.append("tally-0", ONE)
        await log.seal()
    for after in (9, 10):
        verified = verify(await written(log, Slice(after=after)), [STAMP])
        assert (verified.beginning.after, verified.events, verified.signed_up_to, verified.unsigned) == (9, 2, 9, 2)
        assert doubt_of_tomorrow(verified) is None


async def test_a_slice_that_does_not_follow_from_the_head_that_was_signed_before_it_was_sealed_anew(log: Log) -> None:
    await told(log)
    await log.append("tally-0", ONE)
    await log.seal()
    beginning, first, *rest = await written(log, Slice(after=9))
    assert isinstance(first, Signed)
    other = Signed(msgspec.structs.replace(first.head, hash=b"x" * 32))
    with pytest.raises(Altered, match="the log up to 9 is not the one whose head was signed"):
        verify([beginning, other, *rest], [STAMP])


async def test_a_slice_without_events_has_the_hash_of_where_it_begins(log: Log) -> None:
    kept = [line.head for line in await told(log) if isinstance(line, Signed)]
    nothing = verify(await written(log, Slice(after=9)), [STAMP], kept)
    assert (nothing.events, nothing.signed_up_to) == (0, 9)
    forged = [msgspec.structs.replace(head, hash=b"x" * 32) for head in kept]
    with pytest.raises(Altered, match="the log up to 9 is not the one whose head was signed"):
        verify(await written(log, Slice(after=9)), [STAMP], forged)


async def test_a_slice_does_not_begin_or_end_where_a_head_was_signed_that_a_restore_lost(log: Log) -> None:
    lost = next(line.head for line in await told(log) if isinstance(line, Signed))
    async with log.engine.begin() as tx:
        await tx.execute(text(f"INSERT INTO log.generations SELECT 2, 9, {SERVER} FROM log.generations"))
        await tx.execute(SIGNED, {name: getattr(lost, name) for name in ("hash", "watermark", "key_id", "signature")})
    for _ in range(5):
        await log.append("tally-0", ONE)
        await log.seal()
    assert begins(await written(log, Slice(after=13))) == 9
    assert [event.position for event in events(await written(log, Slice(after=9, until=10)))] == [10]
    await HeadSigner(log.engine, log.service, STAMP).sign()
    until_signed = await written(log, Slice(after=13, until=11))
    assert [event.position for event in events(until_signed)] == [10, 11, 12, 13, 14]
    verified = verify(until_signed, [STAMP])
    assert (verified.signed_up_to, {head.position for head in verified.lost}) == (14, {12})


SERVER = "system_identifier, timeline_id"
SIGNED = text(
    "INSERT INTO log.signed_heads (position, generation, hash, watermark, key_id, signature)"
    " VALUES (12, 1, :hash, :watermark, :key_id, :signature)"
)


def begins(lines: Sequence[Line]) -> int:
    assert isinstance(lines[0], Beginning)
    return lines[0].after
