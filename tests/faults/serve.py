"""`python -m tests.faults.serve SERVICE ROLE`: a process of a service, by a clock that can be shifted from outside.

`STEERCO_FAULTS_CLOCK` names a file with the shift in seconds.
"""

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

from steerco.edition.services import BY_NAME
from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import CATALOG
from steerco_service.process import Process
from steerco_service.serving import until_stopped
from steerco_service.settings import ServiceSettings

CLOCK_VARIABLE = "STEERCO_FAULTS_CLOCK"


class ClockFile:
    """The machine's clock, shifted by what a file says at that moment."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._clock = SystemClock()

    def now(self) -> datetime:
        """The shifted instant, UTC."""
        return self._clock.now() + timedelta(seconds=float(self._file.read_text()))


def main(service: str, role: str) -> None:
    """Serve until a signal ends it."""
    process = Process(BY_NAME[service], ServiceSettings(), CATALOG, ClockFile(Path(os.environ[CLOCK_VARIABLE])))
    until_stopped(process.serve_api() if role == "api" else process.serve_worker())


if __name__ == "__main__":
    main(*sys.argv[1:])
