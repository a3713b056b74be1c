"""An import from the file to the report."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from steerco.client import NOTHING_SEEN, Client, CommandFailed
from steerco.register_import.entries import Found, entries_of
from steerco.register_import.memory import KeptMemory
from steerco.register_import.organization import Units, needed, units_for
from steerco.register_import.plan import Plan, Step, plan
from steerco.register_import.present import present
from steerco.register_import.register_file import read_rows
from steerco.register_import.register_map import RegisterMap, read_map
from steerco.register_import.report import Report
from steerco.register_import.sending import open_units, send


class Register:
    """A register that was read: its map and what its rows say."""

    def __init__(self, file: Path, by_map: Path) -> None:
        """Raises `CommandFailed` with status 2 when nothing of the file can be loaded."""
        self.map = read_map(by_map)
        self.found = entries_of(read_rows(file, self.map), self.map)

    def load(self, client: Client, console: Console, *, dry_run: bool) -> Report:
        """Compare with what is there, and send what differs unless it is a dry run."""
        return _load(client, console, self.map, self.found, dry_run)


def _load(client: Client, console: Console, register: RegisterMap, found: Found, dry_run: bool) -> Report:
    there = present(client, register.source)
    units = units_for(found.entries, there.units, register)
    memory = KeptMemory(client, register.source)
    planned = plan(found, there, units, register, memory.said)
    units = needed(units, [step.entry for step in planned.steps if step.changes])
    if dry_run:
        return Report(found, units, planned, planned.steps, planned.refused, None, True)
    return _send(client, console, found, units, planned, memory)


def _send(client: Client, console: Console, found: Found, units: Units, planned: Plan, memory: KeptMemory) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("loading rows", total=len(planned.steps))

        kept = NOTHING_SEEN

        def finished(steps: Sequence[Step]) -> None:
            nonlocal kept
            with suppress(CommandFailed):  # then the next import compares with what is there
                kept = kept.merged(memory.remember(step.entry for step in steps))
            progress.advance(task, len(steps))

        open_units(client, units)
        unchanged = [step for step in planned.steps if not step.changes]
        finished(unchanged)
        sent = send(client, [step for step in planned.steps if step.changes], finished)
    seen = sent.seen.merged(kept)
    if seen.seen and not sent.lost:
        client.get("/portfolio/register-rows", {"limit": "1"}, after=seen)
        client.get("/reporting/sources", after=seen)
    refused = sorted([*planned.refused, *sent.refused], key=lambda each: each.row)
    return Report(found, units, planned, [*unchanged, *sent.done], refused, sent.lost, False, sent.cut_off, sent.taken)
