"""Waking other processes."""

import pytest

from steerco_events.postgres.wakeups import asyncpg_dsn


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        (
            "postgresql+asyncpg://app:s%40@db:5432/risk?ssl=require",
            "postgresql://app:s%40@db:5432/risk?sslmode=require",
        ),
        ("postgresql+asyncpg://app:s@/risk?host=%2Frun%2Fpg", "postgresql://app:s@/risk?host=%2Frun%2Fpg"),
    ],
)
def test_the_listener_connects_as_the_engine_does(url: str, dsn: str) -> None:
    assert asyncpg_dsn(url) == dsn
