"""`only_own.py MEMBER`: fails where the environment of a service has another service in it."""

import sys
from importlib.metadata import distributions
from pathlib import Path

member = Path(sys.argv[1])
if member.parent.name == "services":
    others = {f"steerco-{each.name}" for each in member.parent.iterdir()} - {f"steerco-{member.name}"}
    if found := others & {each.metadata["Name"] for each in distributions()}:
        sys.exit(f"{member} has {', '.join(sorted(found))} with it")
