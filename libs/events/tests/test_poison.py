"""Which errors are an event's fault, and how few are tried again to find the event."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.commands.attempts import Contended
from steerco_events.consuming.poison import digest, is_poison
from steerco_events.envelope import Recorded
from steerco_events.postgres.checkpoints import CheckpointMoved
from steerco_events.postgres.lease import LeaseLost
from steerco_events.postgres.store import VersionConflict
from steerco_events.registry import NewerVersion
from steerco_events.testkit.logs import Log
from steerco_events.testkit.recorded import log_of
from steerco_events.testkit.tally import Counted


async def fault_of(log: Log, statement: str, **values: object) -> Exception:
    """What SQLAlchemy raises for a statement."""
    async with log.engine.connect() as connection:
        with pytest.raises(Exception) as caught:  # noqa: PT011
            await connection.execute(text(statement), values)
        return caught.value


async def driver_fault_of(log: Log, statement: str, *values: object) -> Exception:
    """What the driver itself raises for a statement."""
    async with log.engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw
        with pytest.raises(Exception) as caught:  # noqa: PT011
            await raw.execute(statement, *values)
        return caught.value


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RecursionError(), NewerVersion("x", 2, 1)])
def test_what_code_raises_is_the_event_s_fault(error: Exception) -> None:
    assert is_poison(error)


@pytest.mark.parametrize(
    "error",
    [
        CheckpointMoved("x"),
        LeaseLost("x"),
        VersionConflict("x", 1),
        Contended("x"),
        ConnectionResetError(),
        TimeoutError(),
        PoolTimeoutError(),
    ],
)
def test_what_others_did_or_an_outage_is_not(error: Exception) -> None:
    assert not is_poison(error)


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("SELECT 1 / 0", {}),
        ("SELECT CAST(:it AS text)", {"it": "a\0b"}),
        ("SELECT CAST(:it AS integer)", {"it": 2**40}),
        ("SELECT CAST(:it AS integer)", {"it": "seven"}),
        ("INSERT INTO log.commands SELECT NULL, '', '', '', '', now()", {}),
    ],
)
async def test_data_that_the_database_refuses_is_the_event_s_fault(
    shared_log: Log, statement: str, values: dict[str, object]
) -> None:
    assert is_poison(await fault_of(shared_log, statement, **values))
    plain = statement.replace(":it", "$1")
    assert is_poison(await driver_fault_of(shared_log, plain, *values.values()))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM views.not_there",
        "SELECT not_there FROM log.head",
        "DELETE FROM log.events",
        "SELECT pg_terminate_backend(pg_backend_pid())",
    ],
)
async def test_a_database_that_is_not_as_it_should_be_is_no_event_s_fault(shared_log: Log, statement: str) -> None:
    assert not is_poison(await fault_of(shared_log, statement))
    assert not is_poison(await driver_fault_of(shared_log, statement))
    await shared_log.engine.dispose()


class Taster:
    """Work that fails for some events, and counts how often it is tried."""

    def __init__(self, poison: set[int]) -> None:
        self.poison = poison
        self.tried = 0
        self.taken: list[int] = []

    async def work(self, _: AsyncConnection, events: Sequence[Recorded]) -> None:
        self.tried += 1
        taken = list(self.taken)
        for event in events:
            if event.position in self.poison:
                raise ValueError(event.position)
            taken.append(event.position)
        self.taken = taken


async def test_one_event_of_a_thousand_streams_is_found_by_few_tries(shared_log: Log) -> None:
    events = log_of([[(f"tally-{n}", Counted(by=n))] for n in range(1000)])
    taster = Taster({500})
    async with shared_log.engine.begin() as tx:
        (poison,) = await digest(tx, taster.work, events)
    assert [event.position for event in poison.events] == [500]
    assert len(taster.taken) == 999
    assert taster.tried <= 21


async def test_one_event_of_a_long_stream_is_found_by_few_tries(shared_log: Log) -> None:
    events = log_of([[("tally-1", Counted(by=n))] for n in range(1000)])
    taster = Taster({500, 700})
    async with shared_log.engine.begin() as tx:
        (poison,) = await digest(tx, taster.work, events)
    assert [event.position for event in poison.events] == list(range(500, 1001))
    assert taster.taken == list(range(1, 500))
    assert taster.tried <= 21
