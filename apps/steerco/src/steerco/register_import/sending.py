"""Sending the steps of a plan in batches: portfolio first, then finance with what portfolio answered."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from steerco.client import NOTHING_SEEN, Client, CommandFailed, problem_in
from steerco.register_import.entries import RowRefused
from steerco.register_import.organization import Units
from steerco.register_import.plan import Command, Step, unit_commands
from steerco_events.positions import Token

LARGEST_BATCH = 500
ROWS_AT_ONCE = 100
CHUNKS_AT_ONCE = 2


@dataclass(slots=True)
class Sent:
    """What came of the steps: `seen` covers all that was done, `lost` says why the rest could not be sent.

    `taken` counts the commands that were taken; `cut_off` are the steps that portfolio took, and finance perhaps not.
    """

    done: list[Step] = field(default_factory=list)
    refused: list[RowRefused] = field(default_factory=list)
    seen: Token = NOTHING_SEEN
    lost: str | None = None
    taken: int = 0
    cut_off: list[Step] = field(default_factory=list)

    def add(self, other: "Sent") -> None:
        """Take over what came of other steps."""
        self.done += other.done
        self.refused += other.refused
        self.seen = self.seen.merged(other.seen)
        self.lost = self.lost or other.lost
        self.taken += other.taken
        self.cut_off += other.cut_off


def open_units(client: Client, units: Units) -> None:
    """Open what is missing, parents first. Raises `CommandFailed`."""
    commands = unit_commands(units)
    for start in range(0, len(commands), LARGEST_BATCH):
        for answer in client.batch("portfolio", commands[start : start + LARGEST_BATCH], NOTHING_SEEN):
            if answer["status"] >= 400:
                raise CommandFailed(f"a unit was refused: {problem_in(answer['body'])}")


def send(client: Client, steps: Sequence[Step], finished: Callable[[Sequence[Step]], None]) -> Sent:
    """Send the steps, some rows at once; `finished` is told the rows of each chunk that are loaded whole."""
    sent = Sent()
    with ThreadPoolExecutor(CHUNKS_AT_ONCE) as pool:
        running = [pool.submit(_send_chunk, client, chunk) for chunk in _chunks(steps)]
        try:
            for future in as_completed(running):
                if future.cancelled():
                    continue
                chunk = future.result()
                sent.add(chunk)
                finished(chunk.done)
                if chunk.lost:
                    _cancel(running)
        except BaseException:
            _cancel(running)
            raise
    return sent


def _cancel(running: Sequence[Future[Sent]]) -> None:
    for each in running:
        each.cancel()


def _chunks(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Parts of which neither service gets more than a batch holds."""
    start, portfolio, finance = 0, 0, 0
    for n, step in enumerate(steps):
        portfolio, finance = portfolio + len(step.portfolio), finance + len(step.finance)
        if n - start == ROWS_AT_ONCE or (n > start and max(portfolio, finance) > LARGEST_BATCH):
            yield steps[start:n]
            start, portfolio, finance = n, len(step.portfolio), len(step.finance)
    if start < len(steps):
        yield steps[start:]


def _send_chunk(client: Client, steps: Sequence[Step]) -> Sent:
    """A row is done when both services took all of it."""
    sent = Sent()
    taken: Sequence[Step] = ()
    try:
        taken = _send_to(client, "portfolio", steps, sent)
        sent.done = _send_to(client, "finance", taken, sent)
    except CommandFailed as failure:
        sent.lost = str(failure)
        sent.done = [step for step in taken if not step.finance]
        sent.cut_off = [step for step in taken if step.portfolio and step.finance]
    return sent


def _send_to(client: Client, service: str, steps: Sequence[Step], sent: Sent) -> list[Step]:
    """The steps that the service took whole; the others are noted as refused."""
    commands: list[tuple[Step, Command]] = [(step, each) for step in steps for each in getattr(step, service)]
    answers = client.batch(service, [each for _, each in commands], sent.seen) if commands else []
    refused: dict[int, RowRefused] = {}
    for (step, _), answer in zip(commands, answers, strict=True):
        if answer["status"] >= 400:
            row = step.entry.row
            refused.setdefault(row, RowRefused(row, "", problem_in(answer["body"])))
        else:
            sent.taken += 1
            sent.seen = sent.seen.merged(Token.decode(answer["headers"]["consistency-token"]))
    sent.refused += refused.values()
    return [step for step in steps if step.entry.row not in refused]
