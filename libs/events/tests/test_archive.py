"""An archive holds a log as it is, in one piece, however it is read."""

import pytest

from steerco_events.archive.lines import ArchiveMalformed, decoded
from steerco_events.archive.verifying import verify
from steerco_events.testkit.archives import ONE, STAMP, events, told, written
from steerco_events.testkit.logs import Log
from steerco_events.testkit.tally import TALLY, Labeled


async def test_a_log_that_nobody_touched_is_what_was_sealed(log: Log) -> None:
    lines = await told(log)
    verified = verify(lines, [STAMP])
    assert (verified.service, verified.events, verified.seals, verified.signatures) == (log.service, 9, 3, 3)
    assert verified.position == verified.signed_up_to == 9
    assert [event.payload for event in events(lines)][:3] == [ONE, Labeled(label="0: é\x1f"), ONE]


async def test_an_empty_log_is_what_was_sealed(log: Log) -> None:
    assert verify(await written(log), [STAMP]).events == 0


async def test_pieces_make_one_archive(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await told(log, times=5)
    monkeypatch.setattr("steerco_events.archive.writing.PIECE", 2)
    assert await written(log) == whole


@pytest.mark.parametrize("line", [b"", b"{}", b'{"specversion":"1.0"}', b'{"archive":"seal"}', b"\xff"])
def test_a_line_that_is_none_is_named(line: bytes) -> None:
    with pytest.raises(ArchiveMalformed, match="line 3"):
        decoded(line, TALLY, 3)
