"""A folder with the archives of an edition's logs, a file each, and the public keys that signed their heads."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from steerco.client import CommandFailed
from steerco_events.archive.lines import ArchiveMalformed, End, Line, decoded, encoded
from steerco_events.contracts.catalog import CATALOG, LOGS
from steerco_events.envelope import Recorded
from steerco_service.log_key import PublicLogKey

SUFFIX = ".log.jsonl"
KEY = "log-key.public.json"


class NoArchive(CommandFailed):
    """What should be an archive has a line that is none of one; the text names the line."""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """The archive of one log."""

    path: Path

    @classmethod
    def of(cls, folder: Path, service: str) -> "ArchiveFile":
        """Where a service's archive is in a folder."""
        return cls(folder / f"{service}{SUFFIX}")

    def write(self, lines: Iterable[Line]) -> int:
        """Write it whole, or leave what was there; the number of its events. Raises `CommandFailed`."""
        draft, events = self.path.with_name(f"{self.path.name}.part"), 0
        try:
            with draft.open("wb") as file:
                last: Line | None = None
                for last in lines:
                    file.write(encoded(last))
                    events += isinstance(last, Recorded)
                if not isinstance(last, End):
                    raise CommandFailed(f"{self.path.name}: the answer broke off; export again")
            draft.replace(self.path)
        except OSError as error:
            raise CommandFailed(f"{self.path} can't be written: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)
        return events

    def lines(self) -> Iterator[Line]:
        """Its lines. Raises `NoArchive`, or `CommandFailed` if it can't be read."""
        try:
            with self.path.open("rb") as file:
                yield from decoded_lines(line.rstrip(b"\n") for line in file)
        except OSError as error:
            raise CommandFailed(f"{self.path} can't be read: {error.strerror}") from error
        except ArchiveMalformed as error:
            raise NoArchive(f"{self.path}: {error}") from error


def decoded_lines(lines: Iterable[bytes]) -> Iterator[Line]:
    """Lines of an archive from their bytes. Raises `ArchiveMalformed`."""
    for number, line in enumerate(lines, 1):
        yield decoded(line, CATALOG, number)


def archives_in(folder: Path) -> list[ArchiveFile]:
    """Those of a folder, in the order of the services. Raises `CommandFailed` if there is none."""
    found = [archive for service in LOGS if (archive := ArchiveFile.of(folder, service)).path.exists()]
    if not found:
        raise CommandFailed(f"{folder} holds no archive; one is called {LOGS[0]}{SUFFIX}")
    return found


def read_keys(path: Path) -> list[PublicLogKey]:
    """The public keys of a file (a JWK, or a set of them). Raises `CommandFailed`."""
    try:
        found = json.loads(path.read_text())
        jwks = found["keys"] if isinstance(found, dict) and "keys" in found else [found]
        return [PublicLogKey.of(jwk) for jwk in jwks]
    except OSError as error:
        raise CommandFailed(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise CommandFailed(f"{path} holds no Ed25519 key (JWK)") from error


def write_keys(path: Path, keys: Sequence[PublicLogKey]) -> None:
    """Keep public keys, all or none: one as a JWK, several as a set of them."""
    jwks = [key.public() for key in keys]
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.write_text(json.dumps(jwks[0] if len(jwks) == 1 else {"keys": jwks}, indent=1) + "\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
