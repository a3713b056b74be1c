"""What renders the manifests of a deployment: kustomize, by itself or as a part of kubectl. For tests."""

import os
import shutil
from collections.abc import Sequence

from steerco_servers.child import ServerMissing

KUSTOMIZE_VARIABLE = "STEERCO_TEST_KUSTOMIZE"
"""Names a kustomize of one's own."""


def kustomize_command() -> Sequence[str]:
    """The program and what it is told before the folder to render. Raises ServerMissing when there is none."""
    if named := os.environ.get(KUSTOMIZE_VARIABLE):
        return named, "build"
    for program, renders in (("kustomize", "build"), ("kubectl", "kustomize")):
        if found := shutil.which(program):
            return found, renders
    raise ServerMissing("kustomize is missing, and so is kubectl, which has it: install one of them")
