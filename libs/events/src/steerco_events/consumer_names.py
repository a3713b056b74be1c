"""The names of consumers: a build of a view is one of its own, and all builds of a version have a name in common."""

import re

_BUILD = re.compile(r"(?<=_v)(\d+)_b\d+\Z")
_OF_A_VIEW = re.compile(r"(.+)_v\d+_b\d+")


def consumer_name(view: str, version: int, build: int) -> str:
    """The name of the consumer whose checkpoints say how far a build has come."""
    return f"{view}_v{version}_b{build}"


def without_build(consumer: str) -> str:
    """What all builds of a view's version are called together, such as `closures_v1`; else the consumer itself."""
    return _BUILD.sub(r"\1", consumer)


def view_of(consumer: str) -> str | None:
    """The view that a consumer builds; `None` if it builds none."""
    found = _OF_A_VIEW.fullmatch(consumer)
    return found[1] if found else None
