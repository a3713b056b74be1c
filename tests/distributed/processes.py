"""The processes of an edition, as the system knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.editions.running import RunningEdition

type Environments = Mapping[tuple[str, str], Mapping[str, str]]


@dataclass(frozen=True)
class ServiceProcess:
    """One of a service, in one role, and what its environment tells it."""

    pid: int
    service: str
    role: str
    environment: Mapping[str, str]


def processes_of(edition: RunningEdition) -> list[ServiceProcess]:
    """Those that run now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            *_, module, role = (folder / "cmdline").read_text().split("\0")[:-1] or ("", "")
            told = (folder / "environ").read_text()
        except (OSError, ValueError):
            continue  # it has ended, or is none of ours
        if int(parent) == edition.process.pid and module.startswith("steerco_"):
            pairs = (each.partition("=") for each in told.split("\0") if each)
            environment = {name: value for name, _, value in pairs}
            found.append(ServiceProcess(int(folder.name), module.removeprefix("steerco_"), role, environment))
    return found


def environments(edition: RunningEdition) -> Environments:
    """What each process of the edition was told, by service and role."""
    return {(each.service, each.role): each.environment for each in processes_of(edition)}
