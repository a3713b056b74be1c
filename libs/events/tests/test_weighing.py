"""What a command would lead to can be asked: the answer is that of the command, and nothing is done."""

import pytest

from steerco_events.commands.handling import weigh
from steerco_events.commands.judging import Forbidden
from steerco_events.commands.planning import Handling
from steerco_events.ids import new_id
from steerco_events.registry import Payload
from steerco_events.testkit.logs import Log
from steerco_events.testkit.tally import Close, Closed, Count, Label, LabelInUse, Tally, TallyClosed, tally

type Asked = Handling[Tally, Count | Label | Close]


def asked(log: Log, stream: str, command: Count | Label | Close) -> Asked:
    return Handling(tally, stream, command, log.context())


async def weighed(log: Log, handling: Asked) -> list[Payload]:
    """What a command would lead to; the stream is as it was."""
    before = await log.payloads(handling.stream)
    try:
        async with log.engine.connect() as connection:
            slices = await log.store.read_streams(connection, [handling.stream])
            return list(await weigh(connection, log.store, handling, slices))
    finally:
        assert await log.payloads(handling.stream) == before


@pytest.fixture
async def stream(shared_log: Log) -> str:
    name = f"tally-{new_id()}"
    await shared_log.handle(tally, name, Count(1))
    return name


async def test_what_would_happen_is_told(shared_log: Log, stream: str) -> None:
    assert await weighed(shared_log, asked(shared_log, stream, Close())) == [Closed()]


async def test_what_would_be_refused_is_refused(shared_log: Log, stream: str) -> None:
    await shared_log.handle(tally, stream, Close())
    with pytest.raises(TallyClosed):
        await weighed(shared_log, asked(shared_log, stream, Count(1)))


async def test_what_is_so_already_leads_to_nothing(shared_log: Log, stream: str) -> None:
    await shared_log.handle(tally, stream, Close())
    assert await weighed(shared_log, asked(shared_log, stream, Close())) == []


async def test_who_may_not_is_told_so(shared_log: Log, stream: str) -> None:
    def judge(_: object) -> bool:
        raise Forbidden("this needs another role")

    with pytest.raises(Forbidden):
        await weighed(shared_log, Handling(tally, stream, Close(), shared_log.context(), judge=judge))


async def test_a_value_that_another_has_is_refused(shared_log: Log, stream: str) -> None:
    label = f"label of {stream}"
    await shared_log.handle(tally, f"tally-{new_id()}", Label(label))
    with pytest.raises(LabelInUse):
        await weighed(shared_log, asked(shared_log, stream, Label(label)))
