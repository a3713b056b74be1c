"""Who asked for what, and in whose place."""

from steerco_service.migrations import upgrade_log

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Bring the log to its third revision."""
    upgrade_log(3)
