"""Who may do what in Kafka: a service in its own topics, and what it reads in those of others. Nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Literal

from steerco_events.kafka.topics import events_topic, head_topic

type Kind = Literal["topic", "group"]


class Operation(StrEnum):
    """What may be done, as Kafka's own tools name it."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DELETE = "Delete"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"
    ALTER_CONFIGS = "AlterConfigs"


@dataclass(frozen=True, slots=True)
class Acl:
    """That a user may do something with a topic, or as a group of consumers."""

    user: str
    operation: Operation
    name: str
    kind: Kind = "topic"


PUBLISHING = (
    Operation.WRITE,
    Operation.CREATE,
    Operation.DESCRIBE,
    Operation.DESCRIBE_CONFIGS,
    Operation.ALTER_CONFIGS,
    Operation.DELETE,
)
"""What a relay does with the topics of its log: it makes them, sets them right, fills them, and makes anew one that was
cut. Where it may not delete, it says that somebody has to."""

READING = (Operation.READ, Operation.DESCRIBE)
"""What a consumer does with the topics of a log."""


def user_of(service: str) -> str:
    """The user that a service's worker logs in as."""
    return f"steerco-{service}"


def acls_of_worker(service: str, reads: Iterable[str], *, owns_log: bool = True) -> Sequence[Acl]:
    """All that the worker of a service may do: in the topics of its log, if it has one, and of those that it reads."""
    user = user_of(service)
    own = _over(user, PUBLISHING, service) if owns_log else []
    return [*own, *(acl for log in sorted(set(reads) - {service}) for acl in _over(user, READING, log))]


def acls_of_subscriber(user: str, reads: Iterable[str]) -> Sequence[Acl]:
    """All that another system may do: read logs, also as a group of consumers that is named as its user is."""
    return [*(acl for log in sorted(reads) for acl in _over(user, READING, log)), *_as_group(user)]


def _over(user: str, operations: Sequence[Operation], service: str) -> Sequence[Acl]:
    topics = events_topic(service), head_topic(service)
    return [Acl(user, operation, topic) for topic in topics for operation in operations]


def _as_group(user: str) -> Sequence[Acl]:
    return [Acl(user, operation, user, "group") for operation in READING]


def together(acls: Iterable[Acl]) -> Sequence[tuple[str, Kind, Sequence[str], Sequence[Operation]]]:
    """The same with fewer words: user, kind, the names in a row with which the user may do the same, and what."""
    by_name = [
        (user, kind, name, tuple(acl.operation for acl in found))
        for (user, kind, name), found in groupby(acls, lambda acl: (acl.user, acl.kind, acl.name))
    ]
    return [
        (user, kind, [name for _, _, name, _ in found], operations)
        for (user, kind, operations), found in groupby(by_name, lambda each: (each[0], each[1], each[3]))
    ]


def command_lines(acls: Iterable[Acl]) -> Sequence[str]:
    """The same for Kafka's own tool, to be run by who may alter the cluster (`$KAFKA`, operator.properties)."""
    return [
        " ".join(
            [
                'kafka-acls.sh --bootstrap-server "$KAFKA" --command-config operator.properties',
                f"--add --allow-principal User:{user}",
                *(f"--operation {operation}" for operation in operations),
                *(f"--{kind} {name}" for name in names),
            ]
        )
        for user, kind, names, operations in together(acls)
    ]
