"""Seals keep what they seal; shards, parked streams, timers, the progress of a build."""

from steerco_service.migrations import upgrade_log

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Bring the log to its second revision."""
    upgrade_log(2)
