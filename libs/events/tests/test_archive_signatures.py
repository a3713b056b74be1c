"""What was sealed anew is shown by signed heads: those of the archive, those kept outside, and those that lack."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pytest

from steerco_events.archive.lines import FORMAT, Beginning, End, Line, Seal, Signed
from steerco_events.archive.verifying import Altered, verify
from steerco_events.heads_file import SIGN_EVERY_SECONDS
from steerco_events.positions import SignedHead
from steerco_events.signing import HeadSigner
from steerco_events.testkit.archives import (
    ONE,
    STAMP,
    Stamp,
    altered,
    events,
    sealed_anew,
    signed_anew,
    told,
    unsigned,
    written,
)
from steerco_events.testkit.logs import Log


async def test_what_was_altered_and_sealed_anew_is_shown_by_the_signed_heads(log: Log) -> None:
    lines = sealed_anew(altered(await told(log), 3, data=b'{"by":7}'))
    with pytest.raises(Altered, match="something after position 3 was altered, and sealed anew") as found:
        verify(lines, [STAMP])
    assert found.value.position == 4


async def test_without_the_signed_heads_in_the_archive_those_that_were_kept_show_it(log: Log) -> None:
    lines = await told(log)
    kept = [line.head for line in lines if isinstance(line, Signed)]
    forged = unsigned(sealed_anew(altered(lines, 3, data=b'{"by":7}')))
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


def first_sealed_at(lines: Sequence[Line]) -> datetime:
    return min(line.sealed_at for line in lines if isinstance(line, Seal))


PERIOD = timedelta(seconds=SIGN_EVERY_SECONDS)


async def test_a_log_that_was_sealed_and_signed_anew_by_another_key_is_doubted(log: Log) -> None:
    lines = await told(log)
    forged = signed_anew(sealed_anew(altered(lines, 3, data=b'{"by":7}')), Stamp("another"))
    verified = verify(forged, [STAMP])
    assert (verified.signatures, verified.of_unknown_keys, verified.signed_up_to) == (0, 3, 0)
    doubt = verified.doubt(first_sealed_at(lines))
    assert doubt is not None
    assert doubt.startswith("3 of its heads are signed by a key that was not given, the first at position 3")
    assert doubt.endswith("by the key another")


async def test_one_head_by_another_key_among_those_of_ours_is_doubted(log: Log) -> None:
    lines = await told(log)
    *_, last = (n for n, line in enumerate(lines) if isinstance(line, Signed))
    verified = verify([*lines[:last], *signed_anew(lines, Stamp("another"))[last:]], [STAMP])
    assert (verified.signatures, verified.of_unknown_keys) == (2, 1)
    assert "the first at position 9 by the key another" in str(verified.doubt(first_sealed_at(lines)))


async def test_of_both_keys_that_signed_a_log_no_head_is_doubted(log: Log) -> None:
    lines = await told(log)
    both = verify(signed_anew(lines, Stamp("another")), [STAMP, Stamp("another")])
    assert both.doubt(first_sealed_at(lines) + 2 * PERIOD) is None


async def test_a_log_that_was_sealed_anew_and_whose_signatures_were_left_out_is_doubted(log: Log) -> None:
    lines = await told(log)
    verified = verify(unsigned(sealed_anew(altered(lines, 3, data=b'{"by":7}'))), [STAMP])
    assert "nothing of it is signed" in str(verified.doubt(first_sealed_at(lines) + 2 * PERIOD))


async def test_a_log_that_is_too_young_to_be_signed_is_not_doubted_nor_is_one_that_nobody_checks(log: Log) -> None:
    lines = await told(log)
    assert verify(unsigned(lines), [STAMP]).doubt(first_sealed_at(lines) + PERIOD / 2) is None
    assert verify(lines).doubt(first_sealed_at(lines) + 2 * PERIOD) is None
    assert verify(lines, [STAMP]).doubt(first_sealed_at(lines) + 2 * PERIOD) is None


async def test_what_comes_after_the_last_signature_is_counted(log: Log) -> None:
    await told(log)
    for _ in range(2):
        await log.append("tally-0", ONE, ONE)
        await log.seal()
    lines = await written(log)
    verified = verify(lines, [STAMP])
    assert (verified.position, verified.signed_up_to, verified.unsigned) == (13, 9, 4)
    assert verified.unsigned_since == next(event.sealed_at for event in events(lines) if event.position == 10)
    await HeadSigner(log.engine, log.service, STAMP).sign()
    signed = verify(await written(log), [STAMP])
    assert (signed.signed_up_to, signed.unsigned, signed.unsigned_since) == (13, 0, None)


async def test_the_lost_part_of_an_older_generation_is_not_asked_for(log: Log) -> None:
    lines = await told(log)
    lost = SignedHead(log.service, 1, 99, b"x" * 32, lines[-1].watermark, "stamp", b"")  # type: ignore[union-attr]
    with pytest.raises(Altered, match="ends at 9"):
        verify(lines, [STAMP], [lost])
    restored = [msgspec.structs.replace(line, began=(0, 9)) if isinstance(line, Beginning) else line for line in lines]
    verified = verify(restored, [STAMP], [lost])
    assert (verified.events, verified.lost) == (9, {lost})


async def test_signed_heads_that_a_generation_is_said_to_have_lost_are_counted(log: Log) -> None:
    lines = await told(log)
    kept = [line.head for line in lines if isinstance(line, Signed)]
    assert verify(lines, [STAMP], kept).lost == set()
    second = next(n for n, line in enumerate(lines) if isinstance(line, Seal) and line.last == 6)
    (end,) = (msgspec.structs.replace(line, position=3) for line in lines if isinstance(line, End))
    (seal,) = (line for line in lines if isinstance(line, Seal) and line.last == 3)
    beginning = Beginning(FORMAT, log.service, (0, 3), 0, None, True)
    cut_off = [beginning, *lines[1:second], msgspec.structs.replace(end, hash=seal.hash)]
    verified = verify(cut_off, [STAMP], kept)
    assert (verified.position, {head.position for head in verified.lost}) == (3, {6, 9})
