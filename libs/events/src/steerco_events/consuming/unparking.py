"""Does what is asked for parked streams: tries them again, without their first event if that is to be skipped.

The shard's checkpoint stands still meanwhile, so that the stream's events come to the consumer in one order,
whoever follows the log.
"""

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.commands.attempts import in_transaction
from steerco_events.consuming.consumer import STEP_SECONDS, Consumers, Role
from steerco_events.consuming.poison import digest_stream
from steerco_events.postgres.checkpoints import Checkpoints
from steerco_events.postgres.parking import ParkedStream, Parking, parked_and_asked
from steerco_events.registry import Registry
from steerco_events.saying import said
from steerco_events.signals import Signal

POLL_SECONDS = 30.0


class Unparking:
    """Serves the consumers of one process; of several processes, one does what was asked."""

    def __init__(
        self, consumers: Consumers, registry: Registry, roles: Callable[[], Sequence[Role]], asked: Signal
    ) -> None:
        """`roles`: the consumers that there are now."""
        self._consumers = consumers
        self._registry = registry
        self._roles = roles
        self._asked = asked.subscribe()

    async def run(self) -> None:
        """Do what is asked until cancelled. Raises what is no event's fault; it is tried again then."""
        while True:
            await self.step()
            await self._asked.wait(POLL_SECONDS)

    async def step(self) -> None:
        """Do all that is asked now."""
        async with self._consumers.engine.connect() as connection:
            asked = await parked_and_asked(connection)
        roles = {role.name: role for role in self._roles()}
        for parked in asked:
            if role := roles.get(parked.consumer):
                while await self._try(role, parked):
                    pass

    async def _try(self, role: Role, parked: ParkedStream) -> bool:
        """Try a stream's first events; whether more of it waits to be tried."""

        async def work(tx: AsyncConnection) -> bool:
            checkpoints = Checkpoints(role.name)
            if not await checkpoints.stand_still(tx, parked.service, parked.partition):
                return False
            return await self._try_in(tx, role, Parking(role.name, parked.service), parked.stream)

        async with asyncio.timeout(STEP_SECONDS):
            is_more = await in_transaction(self._consumers.engine, work)
        for signal in (self._consumers.applied, *role.after):
            signal.notify()
        return is_more

    async def _try_in(self, tx: AsyncConnection, role: Role, parking: Parking, stream: str) -> bool:
        at = self._consumers.clock.now()
        parked = await parking.take_up(tx, stream)
        if parked is None:
            return False
        if parked.asked == "skip" and parked.asked_position == parked.first:
            await parking.skip(tx, stream, parked.first, at)
        await parking.leave_out(tx, stream)
        kept = await parking.first_events(tx, stream, role.batch + 1)
        events = [each.recorded(parking.service, self._registry) for each in kept[: role.batch]]
        poison = await digest_stream(tx, role.work, events) if events else None
        if poison:
            await parking.take_out(tx, stream, poison.events[0].position)
            await parking.failed(tx, stream, said(poison.error), at)
            return False
        if len(kept) > role.batch:
            await parking.take_out(tx, stream, kept[-1].position)
            await parking.go_on(tx, stream)
            return True
        await parking.unpark(tx, stream)
        return False
