"""Faults of the network: what goes between a worker and the broker is cut, held back or slowed down."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from tests.faults.cluster import LOGS, RUNNING
from tests.faults.faults import Fault
from tests.faults.operating import republish
from tests.faults.proxy import FAIR, Weather
from tests.faults.scene import Scene
from tests.faults.standing import events_up_to, published, sealed

PAST_THE_PRODUCER = 42.0
"""aiokafka's producer gives a request up after 40 seconds."""


async def _clear_up(scene: Scene) -> None:
    for proxy in scene.cluster.broker.proxies.values():
        await proxy.turn(FAIR)


class Network(Fault):
    """Something between the workers and the broker: each of `spells` by turns, for so many seconds."""

    spells: ClassVar[Sequence[tuple[Weather, float]]]
    workers: ClassVar[Sequence[str]] = RUNNING

    def __init__(self, time: int = 0) -> None:
        super().__init__(time)
        self._weather, self.lasts = self.spells[time % len(self.spells)]

    async def strike(self, scene: Scene) -> None:
        proxies = scene.cluster.broker.proxies
        workers = scene.random.sample(self.workers, scene.random.randint(1, len(self.workers)))
        self._held = {worker: proxies[worker].held for worker in workers}
        for worker in workers:
            await proxies[worker].turn(self._weather)

    async def heal(self, scene: Scene) -> None:
        for worker, before in self._held.items():
            if scene.cluster.broker.proxies[worker].held == before:
                scene.note(f"nothing between {worker} and the broker was held up by {self._weather}")
        await _clear_up(scene)


class NetworkCut(Network):
    """What was sealed since is not published before it is over.

    Short, the producer's request is answered in the end; a cut ends it at once. The last spell outlasts its patience.
    """

    name = "network cut between relay and broker"
    workers = LOGS
    spells = (
        (Weather(cut=True), 2.0),
        (Weather(deaf=True), 2.0),
        (Weather(mute=True), 2.0),
        (Weather(deaf=True, mute=True), 2.0),
        (Weather(deaf=True), PAST_THE_PRODUCER),
    )

    async def strike(self, scene: Scene) -> None:
        await super().strike(scene)
        await asyncio.sleep(1)
        self._sealed = {worker: await sealed(scene.cluster, worker) for worker in self._held}

    async def heal(self, scene: Scene) -> None:
        for worker, position in self._sealed.items():
            if await published(scene.cluster, worker) >= position:
                scene.note(f"the relay of {worker} went on, cut off as it was by {self._weather}")
        await super().heal(scene)


class Delayed(Network):
    name = "delayed delivery"
    spells = ((Weather(delay=0.4), 4.0), (Weather(delay=0.05, bytes_per_second=20_000), 4.0))


class Duplicated(Fault):
    """All that is in a topic comes again; and what was sent while no answer came is sent again."""

    name = "duplicate delivery"

    async def strike(self, scene: Scene) -> None:
        self._service = scene.random.choice(LOGS)
        topic = scene.topics[self._service]
        await topic.read_on()
        self._repeated = topic.repeated
        self._there = await events_up_to(scene.cluster, self._service, await published(scene.cluster, self._service))
        await scene.cluster.broker.proxies[self._service].turn(Weather(deaf=True))
        scene.note(await republish(scene.cluster, self._service))

    async def heal(self, scene: Scene) -> None:
        await _clear_up(scene)

    async def after(self, scene: Scene) -> None:
        topic = scene.topics[self._service]
        await topic.read_on()
        if (again := topic.repeated - self._repeated) < self._there:
            scene.note(f"of {self._there} records of {self._service} only {again} came again")
