"""Another edition goes on from an archive, and from nothing that is not whole."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import pytest

from steerco_events.archive.lines import Beginning, Line, Signed
from steerco_events.archive.taking import CannotTakeOver, take_over
from steerco_events.archive.verifying import Altered, Verifier, verify
from steerco_events.archive.writing import ReactionNamed
from steerco_events.envelope import Recorded
from steerco_events.ids import new_id
from steerco_events.ports import Cursor
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.testkit.archives import ONE, altered, told, written
from steerco_events.testkit.logs import Log, fresh_log
from steerco_events.testkit.tally import Count, tally
from steerco_servers.testing import TemporaryPostgres


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


async def test_on_whose_behalf_it_was_goes_along(log: Log, postgres: TemporaryPostgres) -> None:
    behalf = replace(log.context(), on_behalf_of=new_id())
    await log.handle(tally, "tally-0", Count(1), behalf)
    await log.seal()
    async with fresh_log(postgres) as other:
        renamed = [_of_service(line, other.service) for line in await written(log)]
        await take_over(other.engine, other.service, renamed, Verifier())
        (event,) = (await other.feed().read(Cursor(), 10)).events
    assert event.on_behalf_of == behalf.on_behalf_of


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
