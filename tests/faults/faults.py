"""The faults, each a small class: what it does to the cluster under load, and what an operator does to heal it."""

import asyncio
import signal
from datetime import timedelta
from typing import ClassVar

from aiokafka.admin import AIOKafkaAdminClient

from steerco_events.kafka.topics import events_topic
from tests.faults.cluster import LOGS
from tests.faults.operating import republish
from tests.faults.scene import Scene


class Fault:
    """Strikes while commands come, lasts, and is healed while more come."""

    name: ClassVar[str]
    lasts: float = 1.5

    def __init__(self, time: int = 0) -> None:
        """`time`: how many times it has struck before; what there are several kinds of comes by turns."""

    async def run(self, scene: Scene) -> None:
        """One round, up to where the cluster has to become whole again by itself."""
        async with scene.load.running(scene.number):
            await asyncio.sleep(scene.random.uniform(0.3, 1.2))
            await self.strike(scene)
            await asyncio.sleep(self.lasts * scene.random.uniform(1.0, 1.3))
            await self.heal(scene)
            await asyncio.sleep(0.7)

    async def strike(self, scene: Scene) -> None:
        """Do it."""
        raise NotImplementedError

    async def heal(self, scene: Scene) -> None:
        """Undo it, as a supervisor or an operator would."""

    async def after(self, scene: Scene) -> None:
        """What is to be seen, beside the invariants, when the cluster is whole again."""


class ApiKilled(Fault):
    name = "kill -9 of an API"

    async def strike(self, scene: Scene) -> None:
        self._service = scene.random.choice(LOGS)
        await scene.cluster.kill(self._service, "api")

    async def heal(self, scene: Scene) -> None:
        scene.cluster.start(self._service, "api")
        await scene.cluster.until_ready()


class WorkerKilled(Fault):
    """All that runs in a worker of a service with a log: sealer, relay, view, reactions."""

    name = "kill -9 of a sealer and relay"

    async def strike(self, scene: Scene) -> None:
        self._service = scene.random.choice(LOGS)
        await scene.cluster.kill(self._service, "worker")

    async def heal(self, scene: Scene) -> None:
        scene.cluster.start(self._service, "worker")


class ConsumerKilled(Fault):
    name = "kill -9 of a consumer"

    async def strike(self, scene: Scene) -> None:
        await scene.cluster.kill("reporting", "worker")

    async def heal(self, scene: Scene) -> None:
        scene.cluster.start("reporting", "worker")


class PostgresKilled(Fault):
    name = "kill -9 of PostgreSQL"

    async def strike(self, scene: Scene) -> None:
        self._database = scene.random.choice((scene.cluster.stores, scene.cluster.stores, scene.cluster.views))
        await self._database.kill()

    async def heal(self, scene: Scene) -> None:
        await self._database.start()


class PostgresKilledForAMoment(PostgresKilled):
    name = "kill -9 of PostgreSQL, up again at once"
    lasts = 0.0


class KafkaKilled(Fault):
    name = "kill -9 of Kafka"

    async def strike(self, scene: Scene) -> None:
        await scene.cluster.broker.kill()

    async def heal(self, scene: Scene) -> None:
        await scene.cluster.broker.start()


class KafkaDown(KafkaKilled):
    name = "broker down for a minute"
    lasts = 60.0


class ApiPaused(Fault):
    """For longer than its clients wait: they send again what it then answers late."""

    name = "API paused beyond its clients' patience"
    lasts = 4.0

    async def strike(self, scene: Scene) -> None:
        self._service = scene.random.choice(LOGS)
        scene.cluster.signal(signal.SIGSTOP, self._service, "api")

    async def heal(self, scene: Scene) -> None:
        scene.cluster.signal(signal.SIGCONT, self._service, "api")


class TopicDeleted(Fault):
    """The operator publishes it again from the store."""

    name = "topic deleted"

    async def strike(self, scene: Scene) -> None:
        self._service = scene.random.choice(LOGS)
        admin = AIOKafkaAdminClient(bootstrap_servers=scene.cluster.broker.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([events_topic(self._service)])
        finally:
            await admin.close()
        scene.topics[self._service].forget()

    async def heal(self, scene: Scene) -> None:
        scene.note(await republish(scene.cluster, self._service))


class ClockBack(Fault):
    name = "clock jumps back"
    lasts = 2.0

    async def strike(self, scene: Scene) -> None:
        scene.cluster.shift_clock(-timedelta(seconds=scene.random.uniform(1, 7200)))

    async def heal(self, scene: Scene) -> None:
        scene.cluster.shift_clock(timedelta(0))
