"""`python -m tests.rolling.serve RELEASE FLEET SERVICE ROLE`: a process of a release of the dock or the harbor."""

import sys
from typing import Literal

from steerco_service.process import Process
from steerco_service.runtime import Service
from steerco_service.serving import until_stopped
from steerco_service.settings import ServiceSettings
from tests.rolling.releases import EVENTS, Release, dock_service, harbor_service

type ServiceName = Literal["dock", "harbor"]


def name_of(fleet: str, service: ServiceName) -> str:
    """What a service of a fleet is called."""
    return f"{service}_{fleet}"


def service_of(release: Release, fleet: str, service: ServiceName) -> Service:
    """A service of a fleet as a release has it."""
    if service == "dock":
        return dock_service(release, name_of(fleet, service))
    return harbor_service(release, name_of(fleet, service), name_of(fleet, "dock"))


def main(release: Release, fleet: str, service: ServiceName, role: str) -> None:
    """Serve until a signal ends it."""
    process = Process(service_of(release, fleet, service), ServiceSettings(), EVENTS[release])
    until_stopped(process.serve_api() if role == "api" else process.serve_worker())


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
