"""A log without a service."""

from steerco_service.migrations import upgrade_log

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the log and its grants."""
    upgrade_log(1)
