"""What a deployment for one unit has received of the logs."""

from steerco_service.migrations import make_mirror

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables, which stay empty where the logs come from Kafka."""
    make_mirror()
