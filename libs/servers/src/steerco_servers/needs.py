"""`python -m steerco_servers.needs`: says in one line what the tests need and is missing, and leaves with 1."""

import os
import sys

from steerco_servers.child import ServerMissing
from steerco_servers.jars import demand_kafka
from steerco_servers.testing import KAFKA_VARIABLE


def main() -> None:
    """A broker is named, or one can be started."""
    if KAFKA_VARIABLE in os.environ:
        return
    try:
        demand_kafka()
    except ServerMissing as missing:
        sys.exit(f"{missing} (or name a broker: {KAFKA_VARIABLE}=host:port)")


if __name__ == "__main__":
    main()
