"""What faults happen to."""

from dataclasses import dataclass, field
from random import Random

from tests.faults.cluster import Cluster
from tests.faults.load import Load
from tests.faults.topic import Topic


class NotWhole(Exception):
    """The cluster did not come to rest; the text says what is missing."""


@dataclass(slots=True)
class Scene:
    """The cluster, its load, its topics as a plain reader has read them, and chance."""

    cluster: Cluster
    load: Load
    topics: dict[str, Topic]
    random: Random
    number: int = 0
    findings: list[str] = field(default_factory=list)
    """What has gone wrong in the round."""

    lost: set[str] = field(default_factory=set)
    """Streams of approved pitches that a restoration has lost."""

    def note(self, finding: str) -> None:
        """Keep what has been seen to go wrong, if it has."""
        if finding:
            self.findings.append(finding)
