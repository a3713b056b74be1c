"""docker-compose.yml as Compose reads it: with its variables from `.env`, and what runs in which profile."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"

type Described = dict[str, Any]

_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?::(?P<kind>[-+])(?P<other>[^}]*))?\})")


def defaults() -> Mapping[str, str]:
    """What `.env` says."""
    lines = (ROOT / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@cache
def composed(profiles: str | None = None) -> Described:
    """The file with the variables of `.env`, or with other profiles than it has; not to be changed."""
    told = {**defaults(), **({} if profiles is None else {"COMPOSE_PROFILES": profiles})}
    document: Described = yaml.safe_load(interpolated(FILE.read_text(), told))
    return document


def interpolated(text: str, told: Mapping[str, str]) -> str:
    """`$$` and `${NAME}`, `${NAME:-if it is empty}`, `${NAME:+if it is not}`. A `$` of another kind fails."""
    rest = _VARIABLE.sub("", text)
    assert "$" not in rest, rest[max(0, rest.find("$") - 40) :][:80]

    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        own = told.get(found["name"], "")
        match found["kind"]:
            case "-":
                return own or found["other"]
            case "+":
                return found["other"] if own else ""
            case _:
                return told[found["name"]]

    return _VARIABLE.sub(value, text)


def running(profiles: str | None = None) -> Mapping[str, Described]:
    """What `docker compose up` starts, by name."""
    document = composed(profiles)
    active = set((defaults()["COMPOSE_PROFILES"] if profiles is None else profiles).split(","))
    return {
        name: each
        for name, each in document["services"].items()
        if not each.get("profiles") or active & set(each["profiles"])
    }
