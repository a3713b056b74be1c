"""Signed heads stand for the log up to a position, and witness that it was restored."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events import signing
from steerco_events.bounding import Hangs
from steerco_events.heads_file import BLOCK, HeadsFile
from steerco_events.ports import Cursor
from steerco_events.positions import SignedHead
from steerco_events.postgres import sealer
from steerco_events.postgres.lease import Lease
from steerco_events.postgres.sealer import Sealer
from steerco_events.retrying import failing_now
from steerco_events.sealing import Sealing
from steerco_events.signing import HeadSigner
from steerco_events.testkit.archives import Stamp
from steerco_events.testkit.logs import Log, running, until
from steerco_events.testkit.tally import Counted

ONE = Counted(by=1)


@pytest.fixture
def heads(tmp_path: Path) -> HeadsFile:
    return HeadsFile(tmp_path / "heads" / "tally.jsonl")


async def sign(log: Log, heads: HeadsFile) -> None:
    await HeadSigner(log.engine, log.service, Stamp(), heads).sign()


async def hash_of(log: Log, position: int) -> bytes:
    async with log.engine.connect() as connection:
        query = text("SELECT hash FROM log.seals WHERE last = :position")
        return bytes((await connection.execute(query, {"position": position})).scalar_one())


async def test_the_newest_seal_is_signed_into_the_log_its_head_and_the_file(log: Log, heads: HeadsFile) -> None:
    await log.append("tally-1", ONE, ONE)
    await log.seal()
    await sign(log, heads)
    signed = (await log.feed().head()).signed
    assert signed is not None
    assert heads.heads() == [signed]
    assert (signed.service, signed.generation, signed.position) == (log.service, 1, 2)
    assert signed.hash == await hash_of(log, 2)
    assert signed.signature == b"stamped: " + signed.signed_bytes()


async def test_what_is_signed_is_not_signed_again(log: Log, heads: HeadsFile) -> None:
    await sign(log, heads)
    await log.append("tally-1", ONE)
    await log.seal()
    for _ in range(3):
        await sign(log, heads)
    assert [head.position for head in heads.heads()] == [1]


async def test_signed_heads_are_never_changed(log: Log, heads: HeadsFile) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    await sign(log, heads)
    owner = create_async_engine(log.urls.owner_url, poolclass=NullPool)
    with pytest.raises(Exception, match="never changed or deleted"):
        async with owner.begin() as tx:
            await tx.execute(text("DELETE FROM log.signed_heads"))


async def test_the_sealer_signs_by_itself(log: Log, heads: HeadsFile) -> None:
    await log.append("tally-1", ONE)
    signer = HeadSigner(log.engine, log.service, Stamp(), heads)
    sealing = Sealing(log.sealer, log.appended, log.sealed, signer=signer)

    async def is_signed() -> bool:
        return bool(heads.heads())

    async with running(sealing.run):
        await until(is_signed, "the head is signed")


def head(log: Log, position: int) -> SignedHead:
    return SignedHead(log.service, 1, position, b"x" * 32, log.clock.now(), "stamp", b"s" * 64)


@pytest.mark.parametrize(
    "torn", [b'{"service":"tal', b"\0" * 5000, b"{" * (BLOCK - 1), b"{" * BLOCK, b"{"], ids=lambda torn: str(len(torn))
)
async def test_a_line_that_was_cut_off_is_passed_over_and_the_next_takes_its_place(
    heads: HeadsFile, log: Log, torn: bytes
) -> None:
    first, second = head(log, 1), head(log, 2)
    heads.append(first)
    whole = heads.path.read_bytes()
    heads.path.write_bytes(whole + torn)
    assert heads.heads() == [first]
    assert heads.last() == first
    heads.append(second)
    assert heads.heads() == [first, second]
    assert heads.last() == second
    assert heads.path.read_bytes().startswith(whole)


async def test_the_first_line_may_be_cut_off_too(heads: HeadsFile, log: Log) -> None:
    heads.path.parent.mkdir()
    heads.path.write_bytes(b'{"service":"tal')
    assert heads.last() is None
    heads.append(head(log, 1))
    assert [each.position for each in heads.heads()] == [1]


async def test_a_log_is_sealed_on_after_a_head_was_written_behind_a_torn_line(log: Log, heads: HeadsFile) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    await sign(log, heads)
    heads.path.write_bytes(heads.path.read_bytes() + b'{"service":"tal')
    await log.append("tally-1", ONE)
    await log.seal()
    await sign(log, heads)
    await stop_sealing(log)
    await restart(log, heads)
    assert await began(log) == (0,)
    assert [each.position for each in heads.heads()] == [1, 2]


async def test_the_newest_of_many_heads_is_read_from_the_end_of_the_file(
    log: Log, heads: HeadsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert heads.last() is None
    for position in range(1, 200):
        heads.append(head(log, position))
        newest = heads.last()
        assert newest is not None
        assert newest.position == position
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("the whole file was read"))
    assert heads.path.stat().st_size > 10 * BLOCK
    with heads.path.open("r+b") as file:
        file.write(b"no head" * BLOCK)
    newest = heads.last()
    assert newest is not None
    assert newest.position == 199


async def test_a_last_line_that_is_no_head_is_no_witness(heads: HeadsFile) -> None:
    heads.path.parent.mkdir()
    heads.path.write_bytes(b"{}\n")
    with pytest.raises(ValueError, match="service"):
        heads.last()


async def test_the_first_seal_is_signed_at_once(log: Log, heads: HeadsFile) -> None:
    signer = HeadSigner(log.engine, log.service, Stamp(), heads)
    await signer.sign()
    assert signer.is_due()
    await log.append("tally-1", ONE)
    await log.seal()
    await signer.sign()
    assert not signer.is_due()
    assert len(heads.heads()) == 1


async def began(log: Log) -> tuple[int, ...]:
    return (await log.feed().head()).began


async def restart(log: Log, heads: HeadsFile) -> None:
    sealer = Sealer(log.engine, log.clock, Lease("sealer"), heads.last)
    assert await sealer.start()
    await sealer.stop()


async def stop_sealing(log: Log) -> None:
    await log.sealer.stop()


async def test_a_log_that_has_what_the_witness_saw_goes_on_in_its_generation(log: Log, heads: HeadsFile) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    await sign(log, heads)
    await log.append("tally-1", ONE)
    await log.seal()
    await stop_sealing(log)
    await restart(log, heads)
    assert await began(log) == (0,)


async def test_a_gap_above_the_last_event_is_no_restore(log: Log, heads: HeadsFile) -> None:
    await log.append("tally-1", ONE)
    async with log.engine.connect() as tx:
        await tx.execute(text("SELECT nextval('log.positions')"))
        await tx.rollback()
    await log.seal()
    await sign(log, heads)
    await stop_sealing(log)
    await restart(log, heads)
    assert await began(log) == (0,)


@pytest.mark.parametrize(
    ("generation", "position", "began_at"),
    [(1, 9, (0, 1)), (1, 1, (0, 1)), (3, 1, (0, 1, 1, 1))],
    ids=["the log is shorter", "the log is another", "the log knows nothing of the generation"],
)
async def test_a_log_that_has_not_what_the_witness_saw_opens_a_generation(
    log: Log, heads: HeadsFile, generation: int, position: int, began_at: tuple[int, ...]
) -> None:
    await log.append("tally-1", ONE)
    await log.seal()
    watermark = (await log.feed().head()).watermark
    heads.append(SignedHead(log.service, generation, position, b"x" * 32, watermark, "stamp", b""))
    await stop_sealing(log)
    await restart(log, heads)
    assert await began(log) == began_at


async def test_what_can_not_be_kept_is_signed_later_and_everything_is_sealed_meanwhile(
    log: Log, heads: HeadsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "SIGN_EVERY_SECONDS", 0.05)
    await stop_sealing(log)
    heads.path.parent.write_text("no folder")
    signer = HeadSigner(log.engine, log.service, Stamp(), heads)
    sealing = Sealing(
        Sealer(log.engine, log.clock, Lease("sealer")), log.appended, log.sealed, signer=signer, service=log.service
    )

    async def is_refused() -> bool:
        return "can't be kept" in failing_now(log.service).get("signing", "")

    async def are_sealed() -> bool:
        return await count(log) == 2

    async def is_kept() -> bool:
        return [head.position for head in heads.heads()][-1:] == [2]

    async with running(sealing.run):
        await log.append("tally-1", ONE)
        await until(is_refused, "the file refuses a head")
        await log.append("tally-1", ONE)
        await until(are_sealed, "both are sealed")
        assert (await log.feed().head()).signed is None
        heads.path.parent.unlink()
        await until(is_kept, "the newest head is kept")


async def count(log: Log) -> int:
    """How many events are sealed."""
    return len((await log.feed().read(Cursor(), 100)).events)


async def test_a_witness_that_does_not_answer_is_given_up_and_nobody_seals_without_it(
    log: Log, heads: HeadsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here a pipe: to open it is to wait for somebody who writes."""
    monkeypatch.setattr(sealer, "WITNESS_SECONDS", 0.1)
    await stop_sealing(log)
    heads.path.parent.mkdir()
    os.mkfifo(heads.path)
    successor = Sealer(log.engine, log.clock, Lease("sealer"), heads.last)
    with pytest.raises(Hangs, match="what witnesses the log"):
        await successor.start()
    await asyncio.to_thread(heads.path.write_bytes, b"")
    heads.path.unlink()

    async def leads() -> bool:
        with suppress(Hangs):
            return await successor.start()
        return False

    await until(leads, "the successor leads")
    await successor.stop()
