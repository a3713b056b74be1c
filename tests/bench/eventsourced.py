"""The same load by the library `eventsourcing` with its PostgreSQL module, as its documentation has it.

Its defaults: an aggregate's events are JSON, every event gets a notification id, and whoever inserts locks the table,
so that readers of notifications miss nothing. An aggregate is kept in memory between its events, so nothing is read.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from sqlalchemy import make_url

from tests.bench.entries import ACCOUNT, ENTRIES_PER_LEDGER, MEMO


class Ledger(Aggregate):
    """A ledger, as the library has it."""

    def __init__(self) -> None:
        self.total = Decimal(0)

    @event("EntryPosted")
    def post(self, number: int, account: str, amount: str, currency: str, memo: str, reference: str) -> None:
        """Post an entry."""
        self.total += Decimal(amount)


class Ledgers(Application[UUID]):
    """The application, as the library has it."""

    def post(self, ledger: Ledger, number: int) -> None:
        """Post an entry and keep it."""
        ledger.post(number, ACCOUNT, f"{number}.00", "EUR", MEMO, f"invoice-{number:06}")
        self.save(ledger)


def open_ledgers(url: str, connections: int) -> Ledgers:
    """The application over a database, with a pool of so many connections."""
    target = make_url(url)
    return Ledgers(
        {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": target.database or "",
            "POSTGRES_HOST": str(target.query.get("host") or target.host),
            "POSTGRES_PORT": str(target.query.get("port") or target.port or 5432),
            "POSTGRES_USER": target.username or "",
            "POSTGRES_PASSWORD": target.password or "",
            "POSTGRES_POOL_SIZE": str(connections),
            "POSTGRES_CONNECT_TIMEOUT": "30",
        }
    )


def append_rate(ledgers: Ledgers, callers: int, seconds: float) -> float:
    """Appends a second of so many threads together."""
    began = time.perf_counter()

    def caller(_: int) -> int:
        done = 0
        while time.perf_counter() < began + seconds:
            number = done % ENTRIES_PER_LEDGER
            if number == 0:
                ledger = Ledger()
                ledgers.save(ledger)
            else:
                ledgers.post(ledger, number)
            done += 1
        return done

    with ThreadPoolExecutor(callers) as pool:
        done = sum(pool.map(caller, range(callers)))
    return done / (time.perf_counter() - began)
