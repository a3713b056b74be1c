"""The checkpoints and builds of reporting, which stand beside a log that stays empty."""

from steerco_service.migrations import upgrade_log

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the schemas and their grants."""
    upgrade_log(1)
