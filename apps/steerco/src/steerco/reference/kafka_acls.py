"""What the services may do in Kafka, as lines for Kafka's own tool: `deploy/compose/kafka/acls.sh`."""

import sys
from pathlib import Path

from steerco.edition.services import SERVICES
from steerco_events.kafka.permissions import command_lines
from steerco_service.kafka_access import acls_of

_HEAD = (
    "# Written by `make docs` from what each service is declared to read and write. $KAFKA is where the broker is.\n"
)


def kafka_acls() -> str:
    """The file's text."""
    lines = command_lines([acl for service in SERVICES for acl in acls_of(service)])
    return _HEAD + "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(kafka_acls(), encoding="utf-8")
