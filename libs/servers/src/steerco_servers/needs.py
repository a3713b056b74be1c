"""`python -m steerco_servers.needs [NAME ...]`: says in one line what is missing for these, and leaves with 1."""

import os
import sys

from steerco_servers.child import ServerMissing
from steerco_servers.jars import demand_kafka, demand_keycloak
from steerco_servers.kustomize import KUSTOMIZE_VARIABLE, kustomize_command
from steerco_servers.promtool import PROMTOOL_VARIABLE, promtool
from steerco_servers.testing import KAFKA_VARIABLE, KEYCLOAK_VARIABLE

_NEEDS = {
    "kafka": (KAFKA_VARIABLE, demand_kafka, "a broker", "host:port"),
    "keycloak": (KEYCLOAK_VARIABLE, demand_keycloak, "a Keycloak", "its URL"),
    "kustomize": (KUSTOMIZE_VARIABLE, kustomize_command, "one", "its path"),
    "promtool": (PROMTOOL_VARIABLE, promtool, "it", "its path"),
}


def main(*servers: str) -> None:
    """Of each of these, else of all, one is named by the environment, or one can be started."""
    if unknown := set(servers) - _NEEDS.keys():
        sys.exit(f"{', '.join(sorted(unknown))}: none of {', '.join(_NEEDS)}")
    for variable, demand, server, value in (_NEEDS[each] for each in servers or _NEEDS):
        try:
            if variable not in os.environ:
                demand()
        except ServerMissing as missing:
            sys.exit(f"{missing} (or name {server}: {variable}={value})")


if __name__ == "__main__":
    main(*sys.argv[1:])
