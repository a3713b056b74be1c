"""A round: a fault under load, the cluster whole again, and every invariant held against it."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from steerco_events.kafka.broker import Broker
from tests.faults.cluster import LOGS, running_cluster
from tests.faults.faults import Fault
from tests.faults.invariants import broken, settled
from tests.faults.load import Load
from tests.faults.scene import NotWhole, Scene
from tests.faults.topic import Topic


@dataclass(frozen=True, slots=True)
class Round:
    """What came of a round. Times in seconds; `whole_after` is counted from when the fault was healed."""

    number: int
    fault: str
    acknowledged: int
    refused: int
    unclear: int
    sent_again: int
    whole_after: float
    took: float
    findings: Sequence[str]

    @property
    def line(self) -> str:
        """One line for the reader."""
        said = "held" if not self.findings else "; ".join(self.findings)
        return (
            f"{self.number:>3} {self.fault:<48} {self.acknowledged:>5} acknowledged {self.unclear:>3} unclear"
            f"  whole after {self.whole_after:>5.1f} s  took {self.took:>5.1f} s  {said}"
        )


@asynccontextmanager
async def scene_of(seed: int, keep: Path | None = None, first: int = 0) -> AsyncIterator[Scene]:
    """A cluster with an organization, at rest. `first`: how many rounds were run on others before."""
    async with running_cluster(keep) as cluster:
        load = Load(cluster, seed)
        await load.prepare()
        topics = {service: Topic(service, Broker(cluster.broker.bootstrap)) for service in LOGS}
        try:
            await settled(cluster)
            yield Scene(cluster, load, topics, Random(f"{seed} {first}"), first)
        finally:
            await load.close()


async def run_round(scene: Scene, fault: Fault) -> Round:
    """Strike, heal, wait until whole, check."""
    scene.number += 1
    scene.findings = []
    load, began = scene.load, time.monotonic()
    before = {each: load.count(each) for each in ("acknowledged", "refused", "unclear")}
    repeated = sum(topic.repeated for topic in scene.topics.values())
    healed = whole = began
    try:
        await fault.run(scene)
        healed = whole = time.monotonic()
        await settled(scene.cluster)
        whole = time.monotonic()
        await fault.after(scene)
        scene.findings += await broken(scene)
    except NotWhole as error:
        scene.findings.append(str(error))
    return Round(
        number=scene.number,
        fault=fault.name,
        acknowledged=load.count("acknowledged") - before["acknowledged"],
        refused=load.count("refused") - before["refused"],
        unclear=load.count("unclear") - before["unclear"],
        sent_again=sum(topic.repeated for topic in scene.topics.values()) - repeated,
        whole_after=whole - healed,
        took=time.monotonic() - began,
        findings=tuple(scene.findings),
    )
