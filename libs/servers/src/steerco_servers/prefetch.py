"""`python -m steerco_servers.prefetch`: fetches what the tests' servers are made of, so that no test waits for it."""

import asyncio
import os
import sys

from steerco_servers.child import ServerFailed
from steerco_servers.jars import kafka_jars, kafka_tools
from steerco_servers.keycloak_program import keycloak_program
from steerco_servers.testing import KAFKA_VARIABLE, KEYCLOAK_VARIABLE


async def _fetch() -> None:
    if KAFKA_VARIABLE not in os.environ:
        await kafka_jars(print)
        await kafka_tools(print)
    if KEYCLOAK_VARIABLE not in os.environ:
        await keycloak_program(print)


def main() -> None:
    """What is there already, or belongs to a server that is named, is passed over."""
    try:
        asyncio.run(_fetch())
    except ServerFailed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
