"""Exporting the logs of a running edition: a consistent whole that another edition can go on from."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from steerco.archives.files import KEY, ArchiveFile, NoArchive, decoded_lines, read_keys, write_keys
from steerco.client import Client, CommandFailed, local_directory
from steerco.edition.directory import DataDirectory
from steerco_events.archive.lines import ArchiveMalformed, End, Line, ReactionAt
from steerco_events.contracts.catalog import LOGS
from steerco_servers.child import ServerFailed
from steerco_service.log_key import PublicLogKey

type Progress = Callable[[str, int, int], None]
"""Is told the service, how far its archive has come, and how far it goes (positions)."""


def export_logs(
    client: Client, folder: Path, services: Sequence[str], part: Mapping[str, Any], progress: Progress
) -> dict[str, int]:
    """Write an archive of each log; the number of events of each.

    First it is asked how far every service's reactions have come, then every log is written: so each log has what
    the reactions had read of it, and each service's own log what they had done. Raises `CommandFailed`, for a whole
    also where a reaction has something parked: it stands after that in what another edition would go on from.
    """
    states = {service: client.get(f"/{service}/log") for service in services}
    if not part and set(services) == set(LOGS):
        _check_nothing_is_parked(client, states)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if keys := _keys(client, states.values()):
            write_keys(folder / KEY, keys)
    except OSError as error:
        raise CommandFailed(f"{folder} can't be written: {error.strerror}") from error
    return {
        service: ArchiveFile.of(folder, service).write(_lines(client, service, state, part, progress))
        for service, state in states.items()
    }


def _check_nothing_is_parked(client: Client, states: Mapping[str, Any]) -> None:
    for service, state in states.items():
        reactions = {each["reaction"] for each in state["reactions"]}
        for parked in client.get(f"/{service}/log/parked"):
            if parked["consumer"] in reactions:
                raise CommandFailed(
                    f"{parked['consumer']} of {service} has parked {parked['stream']} of {parked['service']}, which no"
                    " export has: who goes on from it would never react to that; first retry or skip it: steerco log"
                    " parked list"
                )


def lines_of(client: Client, service: str, part: Mapping[str, Any]) -> Iterator[Line]:
    """The archive of one log, as the service writes it. Raises `NoArchive`, or `CommandFailed` if none comes."""
    try:
        yield from decoded_lines(client.lines(f"/{service}/log/archive", part))
    except ArchiveMalformed as error:
        raise NoArchive(f"the answer is no archive: {error}") from error


def _lines(client: Client, service: str, state: Any, part: Mapping[str, Any], progress: Progress) -> Iterator[Line]:
    for line in lines_of(client, service, part):
        progress(service, getattr(line, "position", 0), state["position"])
        yield msgspec.structs.replace(line, reactions=_reactions(state)) if isinstance(line, End) else line


def _keys(client: Client, states: Iterable[Any]) -> list[PublicLogKey]:
    """That of the services, and of the local edition those that signed the logs before it took them over."""
    present = next((PublicLogKey.of(state["public_key"]) for state in states if state["public_key"]), None)
    directory = DataDirectory(local_directory())
    has_earlier = directory.earlier_log_keys.exists() and is_edition_of(client, directory)
    earlier = read_keys(directory.earlier_log_keys) if has_earlier else []
    return list({key.key_id: key for key in (*([present] if present else []), *earlier)}.values())


def is_edition_of(client: Client, directory: DataDirectory) -> bool:
    """Whether the client speaks to the edition that runs in the directory. Raises `CommandFailed` if none can tell."""
    try:
        return directory.announced() == client.at.url
    except ServerFailed as error:
        raise CommandFailed(str(error)) from error


def _reactions(state: Any) -> tuple[ReactionAt, ...]:
    return tuple(
        ReactionAt(each["reaction"], each["service"], each["generation"], tuple(each["positions"]))
        for each in state["reactions"]
    )
