"""The relay leaves no gap and keeps the order, whatever fails, and only while it holds the lease."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from steerco_events import relay as relaying
from steerco_events.envelope import Recorded
from steerco_events.ports import Cursor
from steerco_events.positions import PARTITIONS, Head
from steerco_events.postgres.checkpoints import CheckpointMoved, Checkpoints
from steerco_events.postgres.generations import open_generation
from steerco_events.postgres.lease import LeaseLost
from steerco_events.relay import CONSUMER
from steerco_events.retrying import failing_now, retrying
from steerco_events.testkit.feeds import count_up
from steerco_events.testkit.logs import PATIENCE, Log, running, until
from steerco_events.testkit.tally import Counted
from steerco_events.testkit.wires import BrokerDown, Wire, has_relayed, relay, relayed

SHORT = timedelta(seconds=1)


class Stalled(Wire):
    """A `Publisher` that takes what it is given, but holds its caller up until released."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    async def hold_up(self) -> None:
        self.reached.set()
        await self.released.wait()


class StalledAtEvents(Stalled):
    async def publish(self, events: Sequence[Recorded]) -> None:
        await super().publish(events)
        await self.hold_up()


class StalledAtHead(Stalled):
    async def publish_head(self, head: Head) -> None:
        await super().publish_head(head)
        await self.hold_up()


def first_sent(events: Sequence[Recorded]) -> list[int]:
    """The positions that a reader who passes over what it has would take."""
    taken: list[int] = []
    for event in events:
        if event.position > max(taken, default=0):
            taken.append(event.position)
    return taken


async def lease_ran_out(log: Log) -> bool:
    async with log.engine.connect() as connection:
        query = text("SELECT expires_at <= clock_timestamp() FROM log.leases WHERE name = 'relay'")
        return bool((await connection.execute(query)).scalar_one())


async def lose_lease(log: Log) -> None:
    """Let the holder's lease run out, as when its process stood still for too long."""
    async with log.engine.begin() as tx:
        await tx.execute(text("UPDATE log.leases SET expires_at = clock_timestamp() WHERE name = 'relay'"))


async def test_what_is_sealed_is_published_in_the_order_of_the_log_and_then_the_head(log: Log) -> None:
    await count_up(log, streams=4, times=3)
    await log.seal()
    wire = Wire()
    async with running(relay(log, wire).run):
        await until(lambda: has_relayed(log, 12), "all is relayed")
        await until(wire.has_head, "the head is told")
    assert wire.positions == list(range(1, 13))
    assert wire.heads == [await log.feed().head()]


async def test_what_is_not_sealed_is_not_published(log: Log) -> None:
    await log.append("tally-1", Counted(by=1))
    await log.seal()
    await log.append("tally-1", Counted(by=2))
    wire = Wire()
    async with running(relay(log, wire).run):
        await until(lambda: has_relayed(log, 1), "the sealed event is relayed")
    assert [event.payload for event in wire.events] == [Counted(by=1)]


@pytest.mark.parametrize("breaks", [[0], [1], [5, 0, 11], [12]])
async def test_a_broker_that_fails_in_between_leaves_no_gap_and_no_disorder(log: Log, breaks: list[int]) -> None:
    await count_up(log, streams=4, times=3)
    await log.seal()
    wire = Wire()
    wire.breaks = list(breaks)
    failing = relay(log, wire)
    async with running(lambda: retrying(failing.run, log.service)):
        await until(lambda: has_relayed(log, 12), "all is relayed")
    assert wire.breaks == []
    assert failing_now()[log.service].startswith("BrokerDown")
    assert len(wire.events) == sum(breaks) + 12
    assert first_sent(wire.events) == list(range(1, 13))


async def test_a_relay_that_hangs_is_cut_off_and_starts_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "STEP_SECONDS", 0.3)
    await count_up(log, streams=4, times=3)
    await log.seal()
    wire = StalledAtEvents()

    async def cut_off() -> bool:
        return failing_now().get(log.service, "").startswith(f"Hangs: the relay of {log.service} came to no end in ")

    async with running(lambda: retrying(relay(log, wire).run, log.service)):
        await until(cut_off, "it was cut off")
        monkeypatch.undo()
        wire.released.set()
        await until(lambda: has_relayed(log, 12), "all is relayed")
    assert len(wire.events) > 12
    assert first_sent(wire.events) == list(range(1, 13))


async def test_the_checkpoint_stays_behind_what_the_broker_did_not_take(log: Log) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    wire = Wire()
    wire.breaks = [4]
    with pytest.raises(BrokerDown):
        await relay(log, wire).run()
    assert await relayed(log) == Cursor()
    assert wire.heads == []


async def test_of_two_relays_one_publishes(log: Log) -> None:
    leading, standing_by = Wire(), Wire()
    async with running(relay(log, leading).run):
        await log.append("tally-1", Counted(by=1))
        await log.seal()
        await until(lambda: has_relayed(log, 1), "the first relay leads")
        async with running(relay(log, standing_by, SHORT).run):
            for n in range(2, 12):
                await log.append("tally-1", Counted(by=n))
                await log.seal()
                await until(partial(has_relayed, log, n), f"event {n} is relayed")
    assert leading.positions == list(range(1, 12))
    assert (standing_by.events, standing_by.heads) == ([], [])


async def test_a_relay_that_ends_leaves_the_lease_to_the_next(log: Log) -> None:
    await log.append("tally-1", Counted(by=1))
    await log.seal()
    async with running(relay(log, Wire()).run):
        await until(lambda: has_relayed(log, 1), "the relay leads")
    assert await lease_ran_out(log)


async def test_a_standby_takes_over_where_the_leader_ended(log: Log) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    first, second = Wire(), Wire()
    async with running(relay(log, first, SHORT).run):
        await until(lambda: has_relayed(log, 4), "the first relay leads")
    await count_up(log, streams=1, times=3)
    await log.seal()
    await until(lambda: lease_ran_out(log), "the first relay's lease runs out")
    async with running(relay(log, second).run):
        await until(lambda: has_relayed(log, 7), "the second relay goes on")
    assert first.positions == [1, 2, 3, 4]
    assert second.positions == [5, 6, 7]


async def test_a_relay_that_lost_the_lease_while_it_published_moves_no_checkpoint_and_ends(
    log: Log,
) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    zombie, successor = StalledAtEvents(), Wire()
    held_up = asyncio.create_task(relay(log, zombie).run())
    async with asyncio.timeout(PATIENCE):
        await zombie.reached.wait()
    await lose_lease(log)
    async with running(relay(log, successor).run):
        await until(lambda: has_relayed(log, 4), "the successor relays")
        await log.append("tally-9", Counted(by=1))
        await log.seal()
        await until(lambda: has_relayed(log, 5), "the successor goes on")
        zombie.released.set()
        with pytest.raises((LeaseLost, CheckpointMoved)):
            await held_up
    assert zombie.positions in ([1, 2, 3, 4], [1, 2, 3, 4, 5]), "one more at most, which the readers have"
    assert zombie.heads == []
    assert first_sent([*zombie.events, *successor.events]) == [1, 2, 3, 4, 5]
    assert await has_relayed(log, 5)


async def test_a_relay_that_stood_still_past_its_lease_publishes_nothing_when_it_goes_on(log: Log) -> None:
    await log.append("tally-1", Counted(by=1))
    await log.seal()
    zombie, successor = StalledAtHead(), Wire()
    async with running(relay(log, zombie, SHORT).run):
        async with asyncio.timeout(PATIENCE):
            await zombie.reached.wait()
        await until(lambda: lease_ran_out(log), "the zombie's lease runs out")
        async with running(relay(log, successor).run):
            for n in range(2, 12):
                await log.append("tally-1", Counted(by=n))
                await log.seal()
                await until(partial(has_relayed, log, n), f"event {n} is relayed")
                zombie.released.set()
    assert zombie.positions == [1]
    assert successor.positions == list(range(2, 12))
    assert len(zombie.heads) == 1


async def test_after_a_restore_the_relay_goes_on_where_the_new_generation_began(log: Log) -> None:
    await count_up(log, streams=2, times=2)
    await log.seal()
    lost = Cursor(1, (9,) * PARTITIONS)
    async with log.engine.begin() as tx:
        await Checkpoints(CONSUMER).advance(tx, log.service, Cursor(), lost)
        await open_generation(tx, 2, 4)
    await log.append("tally-0", Counted(by=3))
    await log.seal()
    wire = Wire()
    async with running(relay(log, wire).run):
        await until(partial(wire.has_events, 1), "the relay goes on")
    assert [(event.generation, event.position) for event in wire.events] == [(2, 5)]
