"""The key that seals the cursors of those who see a part."""

from steerco_service.migrations import upgrade_log

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Bring the log to its fourth revision."""
    upgrade_log(4)
