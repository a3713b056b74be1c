"""The keys of people's records, and whose was forgotten."""

from alembic import op
from sqlalchemy import text

revision = "0001"
down_revision = None

_STATEMENTS = (
    "CREATE SCHEMA privacy",
    "CREATE TABLE privacy.keys (subject uuid PRIMARY KEY, key bytea NOT NULL, made_at timestamptz NOT NULL)"
    " WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0)",
    "CREATE TABLE privacy.erasures (subject uuid PRIMARY KEY, erased_at timestamptz NOT NULL)",
    'GRANT USAGE ON SCHEMA privacy TO "{app}"',
    'GRANT SELECT, INSERT, DELETE ON privacy.keys TO "{app}"',
    'GRANT SELECT, INSERT ON privacy.erasures TO "{app}"',
)


def upgrade() -> None:
    """Make the tables, granted to the app role; what was erased stays so."""
    database = op.get_bind().execute(text("SELECT current_database()")).scalar_one()
    for statement in _STATEMENTS:
        op.get_bind().exec_driver_sql(statement.replace("{app}", f"{database}_app"))
