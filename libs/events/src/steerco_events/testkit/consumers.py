"""What every consumer of a log does, as one suite of tests, whatever it does with the events.

A test module derives a class from `ConsumerBehaviour` for each kind of consumer, with a fixture `eater` of its own.
"""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from steerco_events.consuming.consumer import TooManyParked
from steerco_events.ports import Cursor
from steerco_events.postgres.checkpoints import CheckpointMoved, Checkpoints
from steerco_events.postgres.parking import parked_streams
from steerco_events.postgres.skipped import SkippedEvent, skipped_events
from steerco_events.testkit.eaters import OPERATOR, Eater, Outage, Scripted, count, counts, told
from steerco_events.testkit.logs import until, waits_for_a_lock
from steerco_events.testkit.tally import Counted


class ConsumerBehaviour:
    """The suite."""

    @pytest.mark.parametrize("batch", [1, 5, 100])
    async def test_batches_of_any_size_come_to_the_same(self, eater: Eater, batch: int) -> None:
        await told(eater.log, 3, 1, 2, 3, 4)
        await eater.eat(batch=batch)
        assert await eater.digested() == {f"tally-{n}": counts(n, 1, 2, 3, 4) for n in range(3)}

    async def test_an_event_that_comes_again_counts_once(self, eater: Eater) -> None:
        events = await told(eater.log, 3, 1, 2)
        consumer = eater.consumer()
        for end in (2, 4, 6, 6):
            await consumer.step(Scripted(eater.log.service, events[:end], times=2))
        assert await eater.digested() == {f"tally-{n}": counts(n, 1, 2) for n in range(3)}

    async def test_an_outage_amid_a_batch_leaves_neither_effect_nor_checkpoint_and_parks_nothing(
        self, eater: Eater
    ) -> None:
        await told(eater.log, 2, 1, 2, 3)
        consumer = eater.consumer()
        for after in range(6):
            eater.appetite.outage_after = after
            with pytest.raises(Outage):
                await consumer.step(eater.log.feed())
            assert (await eater.digested(), await eater.checkpoint(), await eater.parked()) == ({}, Cursor(), [])
        assert await consumer.step(eater.log.feed()) == 6
        assert await eater.digested() == {f"tally-{n}": counts(n, 1, 2, 3) for n in range(2)}

    async def test_an_outage_while_the_poison_is_sought_parks_nothing(self, eater: Eater) -> None:
        await told(eater.log, 2, 1, 2, 3)
        eater.appetite.poison = {count(1, 2)}
        eater.appetite.outage_after = 6
        with pytest.raises(Outage):
            await eater.eat()
        assert (await eater.digested(), await eater.checkpoint(), await eater.parked()) == ({}, Cursor(), [])

    async def test_a_worker_that_was_overtaken_changes_nothing_and_goes_on_from_what_it_finds(
        self, eater: Eater
    ) -> None:
        zombie, worker = eater.consumer(), eater.consumer()
        for each in (zombie, worker):
            await each.step(eater.log.feed())
        await told(eater.log, 2, 1, 2)
        assert await worker.step(eater.log.feed()) == 4
        with pytest.raises(CheckpointMoved):
            await zombie.step(eater.log.feed())
        await told(eater.log, 2, 3)
        await zombie.step(eater.log.feed())
        assert await eater.digested() == {f"tally-{n}": counts(n, 1, 2, 3) for n in range(2)}

    async def test_a_stream_that_can_t_be_digested_stands_aside_and_the_others_go_on(self, eater: Eater) -> None:
        events = await told(eater.log, 5, 1, 2, 3, 4)
        eater.appetite.poison = {count(3, 2)}
        await eater.eat()
        (stream,) = await eater.parked()
        of_it = [event for event in events if event.stream == "tally-3"]
        assert (stream.stream, stream.events) == ("tally-3", 3)
        assert (stream.first, stream.last) == (of_it[1].position, of_it[3].position)
        assert stream.error == f"Indigestible: {count(3, 2)} can't be digested"
        whole = {f"tally-{n}": counts(n, 1, 2, 3, 4) for n in range(5)}
        assert await eater.digested() == whole | {"tally-3": counts(3, 1)}

    async def test_bytes_out_of_contract_park_their_stream_as_they_came(self, eater: Eater) -> None:
        events = [*await told(eater.log, 2, 1, 2)]
        broken = next(n for n, event in enumerate(events) if event.stream == "tally-1")
        events[broken] = replace(events[broken], data=b'{"by": "many"}')
        await eater.consumer().step(Scripted(eater.log.service, events))
        (stream,) = await eater.parked()
        assert (stream.stream, stream.events) == ("tally-1", 2)
        assert stream.error.startswith("ValidationError: Expected `int`, got `str`")
        assert await eater.waiting("tally-1") == [event for event in events if event.stream == "tally-1"]

    async def test_what_comes_of_a_parked_stream_waits_in_order_also_after_a_restart(self, eater: Eater) -> None:
        events = [*await told(eater.log, 2, 1)]
        eater.appetite.poison = {count(1, 1)}
        await eater.eat()
        for n in (2, 4, 6):
            more = await told(eater.log, 2, n, n + 1)
            await eater.consumer().step(Scripted(eater.log.service, more, times=2))
            events += more
        assert await eater.waiting("tally-1") == [event for event in events if event.stream == "tally-1"]
        assert await eater.digested() == {"tally-0": counts(0, *range(1, 8))}

    @pytest.mark.parametrize("batch", [1, 2, 100])
    async def test_a_retry_takes_what_waits_in_order_and_the_stream_goes_on(self, eater: Eater, batch: int) -> None:
        await told(eater.log, 2, 1, 2, 3, 4, 5)
        eater.appetite.poison = {count(1, 2)}
        await eater.eat(batch=batch)
        eater.appetite.poison.clear()
        assert await eater.ask("tally-1", "retry")
        await eater.unpark(batch)
        assert await eater.parked() == []
        await told(eater.log, 2, 6)
        await eater.eat(batch=batch)
        assert await eater.digested() == {f"tally-{n}": counts(n, *range(1, 7)) for n in range(2)}

    async def test_a_retry_that_fails_keeps_what_went_well_and_says_what_did_not(self, eater: Eater) -> None:
        await told(eater.log, 2, 1, 2, 3, 4, 5)
        eater.appetite.poison = {count(1, 2)}
        await eater.eat()
        (before,) = await eater.parked()
        eater.appetite.poison = {count(1, 4)}
        await eater.ask("tally-1", "retry")
        await eater.unpark()
        (after,) = await eater.parked()
        assert (before.attempts, after.attempts, after.events, after.asked) == (1, 2, 2, None)
        assert after.error == f"Indigestible: {count(1, 4)} can't be digested"
        assert (after.parked_at, after.tried_at > before.tried_at) == (before.parked_at, True)
        assert (await eater.digested())["tally-1"] == counts(1, 1, 2, 3)

    async def test_an_outage_while_it_is_tried_again_leaves_all_as_it_was(self, eater: Eater) -> None:
        await told(eater.log, 1, 1, 2, 3)
        eater.appetite.poison = {count(0, 2)}
        await eater.eat()
        eater.appetite.poison.clear()
        await eater.ask("tally-0", "retry")
        before = await eater.parked()
        eater.appetite.outage_after = 1
        with pytest.raises(Outage):
            await eater.unpark()
        assert (await eater.parked(), await eater.digested()) == (before, {"tally-0": counts(0, 1)})

    async def test_a_skip_leaves_out_the_first_event_alone_and_remembers_why(self, eater: Eater) -> None:
        events = await told(eater.log, 2, 1, 2, 3, 4)
        eater.appetite.poison = {count(1, 2)}
        await eater.eat()
        await eater.ask("tally-1", "skip", "sent by a test system")
        await eater.unpark()
        assert (await eater.parked(), (await eater.digested())["tally-1"]) == ([], counts(1, 1, 3, 4))
        async with eater.log.engine.connect() as connection:
            skipped = (await connection.execute(text("SELECT * FROM log.skipped_events"))).one()
            (listed,) = await skipped_events(connection, 10, eater.role().name)
            assert await skipped_events(connection, 10) == [listed]
            assert await skipped_events(connection, 10, "another") == []
        assert listed == SkippedEvent(**skipped._mapping)
        left_out = next(event for event in events if event.payload == Counted(by=count(1, 2)))
        assert (skipped.event_id, skipped.position, skipped.type) == (left_out.id, left_out.position, left_out.type)
        assert (skipped.skipped_by, skipped.reason) == (OPERATOR, "sent by a test system")
        assert skipped.error == f"Indigestible: {count(1, 2)} can't be digested"

    async def test_a_skip_of_an_event_that_was_digested_meanwhile_skips_no_other(self, eater: Eater) -> None:
        await told(eater.log, 1, 1, 2, 3)
        eater.appetite.poison = {count(0, 2)}
        await eater.eat()
        await eater.ask("tally-0", "skip", "it is wrong")
        async with eater.log.engine.begin() as tx:
            await tx.execute(text("UPDATE log.parked SET asked_position = asked_position - 1"))
        eater.appetite.poison.clear()
        await eater.unpark()
        assert await eater.digested() == {"tally-0": counts(0, 1, 2, 3)}

    async def test_what_was_skipped_stays_left_out_when_the_consumer_begins_anew(self, eater: Eater) -> None:
        await told(eater.log, 1, 1, 2, 3)
        eater.appetite.poison = {count(0, 1), count(0, 2)}
        await eater.eat()
        await eater.ask("tally-0", "skip", "sent by a test system")
        await eater.unpark()
        async with eater.log.engine.begin() as tx:
            await Checkpoints(eater.role().name).forget(tx)
        await eater.eat()
        (stream,) = await eater.parked()
        assert (stream.events, stream.error) == (2, f"Indigestible: {count(0, 2)} can't be digested")
        eater.appetite.poison.clear()
        await eater.ask("tally-0", "retry")
        await eater.unpark()
        assert (await eater.parked(), await eater.digested()) == ([], {"tally-0": counts(0, 2, 3)})

    async def test_what_is_asked_for_is_one_thing_at_a_time(self, eater: Eater) -> None:
        await told(eater.log, 1, 1)
        eater.appetite.poison = {count(0, 1)}
        assert not await eater.ask("tally-0", "retry")
        await eater.eat()
        assert await eater.ask("tally-0", "retry")
        assert await eater.ask("tally-0", "retry")
        assert not await eater.ask("tally-0", "skip", "it is wrong")

    async def test_of_two_workers_one_does_what_was_asked(self, eater: Eater) -> None:
        await told(eater.log, 1, 1, 2, 3)
        eater.appetite.poison = {count(0, 1), count(0, 2)}
        await eater.eat()
        await eater.ask("tally-0", "skip", "it is wrong")
        await asyncio.gather(eater.unpark(), eater.unpark())
        (stream,) = await eater.parked()
        assert (stream.events, stream.attempts) == (2, 2)

    async def test_nothing_is_tried_again_while_a_worker_is_about_to_put_more_behind_it(self, eater: Eater) -> None:
        await told(eater.log, 1, 1, 2)
        eater.appetite.poison = {count(0, 1)}
        await eater.eat()
        eater.appetite.poison.clear()
        await eater.ask("tally-0", "retry")
        async with eater.log.engine.begin() as tx, eater.log.engine.connect() as connection:
            await tx.execute(text("SELECT 1 FROM log.checkpoints FOR UPDATE"))
            trying = asyncio.create_task(eater.unpark())
            await until(lambda: waits_for_a_lock(connection), "the retry waits")
            assert len(await eater.parked()) == 1
        await trying
        assert (await eater.parked(), await eater.digested()) == ([], {"tally-0": counts(0, 1, 2)})

    async def test_past_the_limit_nothing_is_parked_and_nothing_done(self, eater: Eater) -> None:
        await told(eater.log, 3, 1)
        eater.appetite.poison = {count(0, 1), count(1, 1)}
        await eater.eat(limit=2)
        assert len(await eater.parked()) == 2
        before = await eater.checkpoint(), await eater.digested()
        await told(eater.log, 4, 2)
        eater.appetite.poison |= {count(3, 2)}
        with pytest.raises(TooManyParked, match=r"has parked 2 streams, 1 more .* tally-3: Indigestible"):
            await eater.eat(limit=2)
        assert (await eater.checkpoint(), await eater.digested()) == before
        await eater.eat(limit=3)
        assert len(await eater.parked()) == 3
        assert await eater.digested() == {"tally-2": counts(2, 1, 2)}

    async def test_a_consumer_that_is_to_begin_anew_has_nothing_parked(self, eater: Eater) -> None:
        await told(eater.log, 2, 1, 2)
        eater.appetite.poison = {count(1, 1)}
        await eater.eat()
        name = eater.role().name
        async with eater.log.engine.begin() as tx:
            assert await parked_streams(tx, name) == {(eater.log.service, "tally-1")}
            await Checkpoints(name).forget(tx)
            assert await parked_streams(tx, name) == set()
            assert (await tx.execute(text("SELECT count(*) FROM log.parked_events"))).scalar_one() == 0
