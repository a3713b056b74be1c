"""Faults before a standby: of two workers one is killed or paused, and the other goes on with all that it did."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from tests.faults.cluster import LEASE_SECONDS, LOGS, QUIET
from tests.faults.faults import Fault
from tests.faults.scene import NotWhole, Scene
from tests.faults.standing import work_of, workers_of

PAUSE_SECONDS = LEASE_SECONDS * 1.5
STANDBY_SECONDS = 60.0
REPLACED_SECONDS = 90.0
"""The database ends a transaction that a worker was paused in after a minute; until then it may be in the way."""

LED = frozenset({"sealer", "relay"})


class Replaced(Fault):
    """The worker that leads falls out. It is healed after the other has taken over each of its leases and gone on.

    Who leads is told by the leases: who holds one while the first worker is alone is the first, whatever it holds
    later. In a service with a log it is who has the sealer and the relay; elsewhere who has most of the consumers of
    logs that are written to, for workers share those.
    """

    lasts = PAUSE_SECONDS
    services: ClassVar[Sequence[str]] = LOGS

    async def fall(self, scene: Scene) -> None:
        """Let the worker `fallen` of `service` do nothing more."""
        raise NotImplementedError

    async def strike(self, scene: Scene) -> None:
        cluster, self.service = scene.cluster, scene.random.choice(self.services)
        await _until(self._is_led, scene, f"{self.service} has no leader")
        alone = await workers_of(cluster, self.service)
        first = {work.holder for work in (await work_of(cluster, self.service)).values()}
        cluster.start(self.service, "worker", 2)
        await _until(lambda _: self._joined(scene, alone), scene, f"no second worker of {self.service} stands by")
        await asyncio.sleep(LEASE_SECONDS / 2)  # in which the two share what they do

        held = await work_of(cluster, self.service)
        led = [work.holder in first for name, work in held.items() if self._leads(name)]
        self.fallen = 1 if 2 * sum(led) >= len(led) else 2
        await self.fall(scene)
        await asyncio.sleep(0.5)  # what it had begun is done
        self._left = {
            name: work
            for name, work in (await work_of(cluster, self.service)).items()
            if (work.holder in first) == (self.fallen == 1)
        }
        if not any(map(self._leads, self._left)) or (self.service in LOGS and not self._left.keys() >= LED):
            scene.note(f"worker {self.fallen} of {self.service} did not lead, it only had {sorted(self._left)}")

    async def heal(self, scene: Scene) -> None:
        """Only once it is replaced."""
        try:
            await _until(lambda _: self._replaced(scene), scene, "", within=REPLACED_SECONDS)
        except NotWhole:
            scene.note(f"nobody went on with {', '.join(await self._waiting(scene))} of {self.service}")

    async def _is_led(self, scene: Scene) -> bool:
        held = await work_of(scene.cluster, self.service)
        return held.keys() >= LED if self.service in LOGS else any(map(_is_busy, held))

    def _leads(self, name: str) -> bool:
        return name in LED if self.service in LOGS else _is_busy(name)

    async def _joined(self, scene: Scene, alone: frozenset[str]) -> bool:
        return not await workers_of(scene.cluster, self.service) <= alone

    async def _replaced(self, scene: Scene) -> bool:
        return not await self._waiting(scene)

    async def _waiting(self, scene: Scene) -> Sequence[str]:
        now = await work_of(scene.cluster, self.service)
        return [
            name
            for name, work in self._left.items()
            if name not in now or not now[name].continues(work, further=_is_busy(name))
        ]


class WorkerReplaced(Replaced):
    """What the standby goes on with is sealed, published and projected by it while the first is dead."""

    name = "kill -9 of a sealer and relay before a standby"

    async def fall(self, scene: Scene) -> None:
        await scene.cluster.kill(self.service, "worker", self.fallen)

    async def heal(self, scene: Scene) -> None:
        await super().heal(scene)
        scene.cluster.start(self.service, "worker", self.fallen)
        await asyncio.sleep(2)
        await scene.cluster.kill(self.service, "worker", 2)


class Zombie(Replaced):
    """It is paused past its leases, and wakes and believes that it has them."""

    async def fall(self, scene: Scene) -> None:
        scene.cluster.signal(signal.SIGSTOP, self.service, "worker", self.fallen)

    async def heal(self, scene: Scene) -> None:
        await super().heal(scene)
        scene.cluster.signal(signal.SIGCONT, self.service, "worker", self.fallen)
        await asyncio.sleep(1)
        await scene.cluster.stop(self.service, "worker", 2)


class ZombieSealer(Zombie):
    name = "sealer and relay paused past their leases"


class ZombieConsumer(Zombie):
    name = "consumer paused past its lease"
    services = ("reporting",)


def _is_busy(name: str) -> bool:
    """Whether the work of that lease has something to do while commands come."""
    return name in LED or not any(f" in the log of {service}," in name for service in QUIET)


async def _until(
    told: Callable[[Scene], Awaitable[bool]], scene: Scene, otherwise: str, within: float = STANDBY_SECONDS
) -> None:
    try:
        async with asyncio.timeout(within):
            while not await told(scene):
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise NotWhole(otherwise) from None
