"""The tables of what is received of logs, in any database of a test."""

from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from steerco_service.mirror.store import MIRROR_STATEMENTS


async def make_mirror_tables(owner_url: str, database: str) -> None:
    """Make them, for the app role of the database."""
    owner = create_async_engine(owner_url, poolclass=NullPool)
    async with owner.begin() as tx:
        for statement in MIRROR_STATEMENTS:
            await tx.exec_driver_sql(statement.replace("{app}", f"{database}_app"))
    await owner.dispose()
