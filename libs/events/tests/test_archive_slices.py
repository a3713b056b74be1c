"""A part of a log is verified by itself, and says what it does not show."""

from collections.abc import Sequence

import pytest

from steerco_events.archive.lines import Line
from steerco_events.archive.verifying import Altered, verify
from steerco_events.archive.writing import Slice
from steerco_events.signing import HeadSigner
from steerco_events.testkit.archives import ONE, STAMP, altered, events, told, written
from steerco_events.testkit.logs import Log


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
