"""The one place that makes identifiers: UUIDv7 at the edge, uuid5 of the cause everywhere else."""

from uuid import UUID

from uuid_utils.compat import uuid5, uuid7

STEERCO = UUID("6f0d2c1e-7c5b-5b0e-9a59-3d0f6b8f6a10")
"""Namespace of every derived Steerco identifier."""


def new_id() -> UUID:
    """A fresh, time-ordered identifier (UUIDv7). Called at an edge only, never by domain code."""
    return uuid7()


def derived_id(*parts: object) -> UUID:
    """The identifier that the same parts always give (uuid5): running a cause again doubles nothing."""
    return uuid5(STEERCO, "\x1f".join(str(part) for part in parts))
