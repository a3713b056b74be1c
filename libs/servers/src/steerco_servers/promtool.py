"""promtool, which checks alert rules as Prometheus reads them: where it is."""

import os
import shutil

from steerco_servers.child import ServerMissing

PROMTOOL_VARIABLE = "STEERCO_TEST_PROMTOOL"


def promtool() -> str:
    """The program, by the environment or on the path. Raises `ServerMissing` without it."""
    found = os.environ.get(PROMTOOL_VARIABLE) or shutil.which("promtool")
    if found is None:
        raise ServerMissing("promtool is missing: the alert rules need it; Debian has it in the package prometheus")
    return found
