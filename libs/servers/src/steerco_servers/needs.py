"""`python -m steerco_servers.needs`: says in one line what the tests need and is missing, and leaves with 1."""

import os
import sys

from steerco_servers.child import ServerMissing
from steerco_servers.jars import demand_kafka, demand_keycloak
from steerco_servers.testing import KAFKA_VARIABLE, KEYCLOAK_VARIABLE

_NEEDS = (
    (KAFKA_VARIABLE, demand_kafka, "a broker", "host:port"),
    (KEYCLOAK_VARIABLE, demand_keycloak, "a Keycloak", "its URL"),
)


def main() -> None:
    """Of each server one is named, or one can be started."""
    for variable, demand, server, value in _NEEDS:
        try:
            if variable not in os.environ:
                demand()
        except ServerMissing as missing:
            sys.exit(f"{missing} (or name {server}: {variable}={value})")


if __name__ == "__main__":
    main()
