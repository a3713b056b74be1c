"""Which berth a ship is on: what the release that writes keeps beside the log."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a table, and a column that the releases before leave empty."""
    op.execute("CREATE TABLE log.berths (ship text PRIMARY KEY, berth text NOT NULL)")
    op.execute("ALTER TABLE log.events ADD COLUMN berth text")
    op.execute("ALTER TABLE log.streams ADD COLUMN berths integer NOT NULL DEFAULT 0")
