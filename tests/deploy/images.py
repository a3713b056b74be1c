"""The images as `make images` builds them, and what is in them by what the members declare."""

import re
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "image" / "Dockerfile"
MEMBERS = {folder.name: folder for kind in ("libs", "services", "apps") for folder in (ROOT / kind).iterdir()}


@dataclass(frozen=True, slots=True)
class Image:
    """One that is built."""

    name: str
    member: Path
    target: str


@cache
def built() -> Mapping[str, Image]:
    """All images, by their name with its tag: what `make images` would run."""
    done = subprocess.run(["make", "-n", "images"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    told = re.compile(r"--build-arg MEMBER=(\S+).*?--target (\S+).*?--tag (\S+)", re.DOTALL)
    return {name: Image(name, ROOT / member, target) for member, target, name in told.findall(done.stdout)}


def project(member: Path) -> dict[str, Any]:
    """What a member's pyproject.toml says of it."""
    return tomllib.loads((member / "pyproject.toml").read_text())


def needed(member: Path) -> set[Path]:
    """The members that an image of one has: it, and all that it depends on."""
    folders = {project(folder)["project"]["name"]: folder for folder in MEMBERS.values()}
    found, left = set[Path](), [member]
    while left:
        each = left.pop()
        found.add(each)
        names = {re.split(r"[\s\[<>=~!;]", said)[0] for said in project(each)["project"]["dependencies"]}
        left += [folders[name] for name in names & folders.keys() if folders[name] not in found]
    return found
