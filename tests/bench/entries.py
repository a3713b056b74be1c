"""The load: entries in ledgers, events of some 300 bytes, as a service writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from steerco_events.decider import Decider, Refusal
from steerco_events.registry import Payload, Registry, event

BENCH = Registry("bench")
ENTRIES_PER_LEDGER = 10
ACCOUNT = "6120-external-services"
MEMO = "Advance on the second delivery, as agreed in the change request of the board of last month"


@event(BENCH, "entry-posted")
class EntryPosted:
    """An entry was posted."""

    ledger_id: UUID
    number: int
    account: str
    amount: str
    currency: str
    memo: str
    reference: str


@dataclass(frozen=True, slots=True)
class PostEntry:
    """Post an entry in a ledger."""

    ledger_id: UUID
    amount: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """How many entries there are, and what they amount to."""

    entries: int = 0
    total: int = 0


class NothingPosted(Refusal):
    """An entry of nothing."""

    kind = "invalid"


def decide(command: PostEntry, state: Ledger) -> Sequence[Payload]:
    """An entry of something."""
    if command.amount == 0:
        raise NothingPosted("an entry has an amount")
    return [entry(command.ledger_id, state.entries + 1, command.amount)]


def entry(ledger_id: UUID, number: int, amount: int) -> EntryPosted:
    """The event of an entry."""
    return EntryPosted(
        ledger_id=ledger_id,
        number=number,
        account=ACCOUNT,
        amount=f"{amount}.00",
        currency="EUR",
        memo=MEMO,
        reference=f"invoice-{number:06}-{amount:06}",
    )


def evolve(state: Ledger, event: Payload) -> Ledger:
    """The ledger after an entry."""
    match event:
        case EntryPosted(number=number, amount=amount):
            return Ledger(number, state.total + int(amount.partition(".")[0]))
        case _:
            return state


ledger = Decider(Ledger(), evolve, decide)
