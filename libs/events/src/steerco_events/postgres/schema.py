"""The write side of a service's database: schema `log` (events, seals, commands, leases, checkpoints) and `views`.

Run by the owner role in a service's migrations, one revision each; the app role may SELECT and INSERT events and
never change one; the feed role sees sealed events and the head, nothing else.

Whatever the server's defaults are, a transaction of this database sees what is committed when each of its
statements begins (the sealer's barrier and every compare-and-swap need that), and one that stands idle, with
the lock that holds the seals up, is ended after a minute.
"""

from importlib.resources import files

LOG_LOCK = 0x57EE
"""Namespace of the advisory lock that every append shares and the sealer looks for."""

HOLDS_LOG_LOCK = (
    "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND classid = {LOG_LOCK} AND objid = 0 AND objsubid = 2"
)
"""Which rows of `pg_locks` are of appends that are under way."""

AS_WHO_LOGGED_IN = "SET LOCAL ROLE NONE"
"""`pg_stat_activity` shows what is one's own to the role that logged in, not to the one that it has since become."""

REVISIONS = (1, 2, 3, 4)
"""The revisions of the schema; one that was released is never changed, a new one is added."""


def log_statements(app: str, feed: str, revision: int) -> list[str]:
    """The statements that bring the log to a revision from the one before, one each (asyncpg takes one at a time)."""
    text = (files("steerco_events.postgres") / "revisions" / f"{revision:04}.sql").read_text(encoding="utf-8")
    text = text.replace("{app}", app).replace("{feed}", feed).replace("{lock}", str(LOG_LOCK))
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    statements: list[str] = []
    inside_function = False
    for part in text.split(";"):
        if inside_function:
            statements[-1] += ";" + part
        else:
            statements.append(part)
        if part.count("$$") % 2:
            inside_function = not inside_function
    return [statement.strip() for statement in statements if statement.strip()]
