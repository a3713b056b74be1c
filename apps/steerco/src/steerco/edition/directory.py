"""The data directory of an edition: what is in it, and what it was started as."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from steerco_servers.directory import read_private, write_private
from steerco_service.log_key import LogKey, Signing

type Content = Literal["empty", "example", "seeding"]


class EditionFailed(Exception):
    """The edition can't start or go on; the text says why in one line."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Where an edition keeps its database, its issuer's key and what it was started as."""

    path: Path

    @property
    def postgres(self) -> Path:
        """The database server's part."""
        return self.path / "postgres"

    @property
    def kafka(self) -> Path:
        """The broker's part, in the distributed edition."""
        return self.path / "kafka"

    @property
    def roles(self) -> Path:
        """The passwords of the database roles."""
        return self.path / "roles.json"

    @property
    def kafka_users(self) -> Path:
        """The passwords of the broker's users."""
        return self.path / "kafka-users.json"

    @property
    def issuer_key(self) -> Path:
        """The token issuer's private key."""
        return self.path / "issuer.json"

    @property
    def log_key(self) -> Path:
        """The private key that signs the heads of the logs."""
        return self.path / "log-key.json"

    @property
    def earlier_log_keys(self) -> Path:
        """The public keys that signed the heads of logs which were taken over from elsewhere."""
        return self.path / "earlier-log-keys.json"

    @property
    def heads(self) -> Path:
        """The signed heads of the logs, a file per service."""
        return self.path / "heads"

    @property
    def run_file(self) -> Path:
        """Where clients find the running edition."""
        return self.path / "run.json"

    @property
    def _edition(self) -> Path:
        return self.path / "edition.json"

    def content(self) -> Content | None:
        """What the directory holds; `None` before the first start."""
        return read_private(self._edition).get("content")

    def mark(self, content: Content) -> None:
        """Remember what the directory holds."""
        write_private(self._edition, {"content": content})

    def kept_issuer_key(self) -> dict[str, Any]:
        """The token issuer's private key; empty before the first start."""
        return read_private(self.issuer_key)

    def keep_issuer_key(self, key: dict[str, Any]) -> None:
        """Keep the token issuer's private key (0600)."""
        write_private(self.issuer_key, key)

    def signing(self) -> Signing:
        """With what the heads of the logs are signed, with the key that is kept (0600), and where they are kept."""
        kept = read_private(self.log_key)
        return Signing(LogKey.from_private(kept) if kept else self.renew_log_key(), self.heads)

    def renew_log_key(self) -> LogKey:
        """Keep a new key to sign with, in the place of the one that was kept."""
        key = LogKey.generate()
        write_private(self.log_key, key.private())
        return key

    def announce(self, url: str, token: str, operations: Mapping[str, str] = MappingProxyType({})) -> None:
        """Tell clients where the edition runs, and where its processes tell operations how they do (0600)."""
        told = {"operations": dict(operations)} if operations else {}
        write_private(self.run_file, {"url": url, "token": token, "pid": os.getpid(), **told})

    def announced(self) -> str | None:
        """The address that clients were told; `None` while no edition runs here."""
        return read_private(self.run_file).get("url")

    def announced_operations(self) -> dict[str, str]:
        """Where each process of the edition that runs here tells how it does, by its name; none if all are one."""
        return dict(read_private(self.run_file).get("operations", {}))

    def withdraw(self) -> None:
        """The edition runs no more."""
        self.run_file.unlink(missing_ok=True)
