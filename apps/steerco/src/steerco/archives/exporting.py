"""Exporting the logs of a running edition: a consistent whole that another edition can go on from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from steerco.archives.files import ArchiveFile, decoded_lines, write_key
from steerco.client import Client, CommandFailed
from steerco_events.archive.lines import ArchiveMalformed, End, Line, ReactionAt

type Progress = Callable[[str, int, int], None]
"""Is told the service, how far its archive has come, and how far it goes (positions)."""


def export_logs(
    client: Client, folder: Path, services: Sequence[str], part: Mapping[str, Any], progress: Progress
) -> dict[str, int]:
    """Write an archive of each log; the number of events of each.

    First it is asked how far every service's reactions have come, then every log is written: so each log has what
    the reactions had read of it, and each service's own log what they had done.
    """
    states = {service: client.get(f"/{service}/log") for service in services}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if key := next((state["public_key"] for state in states.values() if state["public_key"]), None):
            write_key(folder, key)
    except OSError as error:
        raise CommandFailed(f"{folder} can't be written: {error.strerror}") from error
    return {
        service: ArchiveFile.of(folder, service).write(_lines(client, service, state, part, progress))
        for service, state in states.items()
    }


def lines_of(client: Client, service: str, part: Mapping[str, Any]) -> Iterator[Line]:
    """The archive of one log, as the service writes it. Raises `CommandFailed`."""
    try:
        yield from decoded_lines(client.lines(f"/{service}/log/archive", part))
    except ArchiveMalformed as error:
        raise CommandFailed(f"{service} did not answer with an archive: {error}") from error


def _lines(client: Client, service: str, state: Any, part: Mapping[str, Any], progress: Progress) -> Iterator[Line]:
    for line in lines_of(client, service, part):
        progress(service, getattr(line, "position", 0), state["position"])
        yield msgspec.structs.replace(line, reactions=_reactions(state)) if isinstance(line, End) else line


def _reactions(state: Any) -> tuple[ReactionAt, ...]:
    return tuple(
        ReactionAt(each["reaction"], each["service"], each["generation"], tuple(each["positions"]))
        for each in state["reactions"]
    )
