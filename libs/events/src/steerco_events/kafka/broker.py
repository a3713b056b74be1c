"""Where Kafka is, how one comes in, and what is said when it does not let us: the one place that clients come from."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLError, create_default_context
from typing import Any, Literal

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

type Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
type Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]

KAFKA_FAULTS = (KafkaError, OSError)
"""What is raised when Kafka can't be reached, or refuses."""

NOT_AUTHORIZED = TopicAuthorizationFailedError.errno
"""The code of an answer about a topic with which we may not do that."""

ANSWER_SECONDS = 15.0
"""How long a broker may take to answer a client; so long for each that is to be asked first."""

REASON_SECONDS = 5.0
"""How long all of them may take to say why they do not let us in."""

_NOT_AUTHORIZED = TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError
_NOT_LET_IN = SaslAuthenticationFailed, UnsupportedSaslMechanismError, IllegalSaslStateError, SSLError


class BrokerRefuses(KafkaError):
    """Kafka does not let us in, or lets us in and not do what we have to; the text says who may not do what."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Broker:
    """A cluster as its clients are told of it. `authority`: the file (PEM) of who signs its certificates, if own."""

    bootstrap: str
    security: Security = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str = ""
    password: str = field(default="", repr=False)
    authority: Path | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What aiokafka's clients are made with. Raises `OSError` if the file can't be read."""
        return {"bootstrap_servers": self.bootstrap, **self._credentials, **_within(ANSWER_SECONDS)}

    @property
    def _credentials(self) -> dict[str, Any]:
        told: dict[str, Any] = {"security_protocol": self.security}
        if self.security.startswith("SASL"):
            told |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        if self.security.endswith("SSL"):
            told["ssl_context"] = create_default_context(cafile=self.authority)
        return told

    async def begin(self, start: Callable[[], Awaitable[None]]) -> None:
        """Let a client start. Raises `BrokerRefuses` if it is not let in, else aiokafka's `KafkaError`."""
        try:
            await start()
        except KafkaConnectionError as error:  # aiokafka logs why, and does not tell us
            raise await self.refused() or error from error

    async def refused(self) -> BrokerRefuses | None:
        """Why we are not let in; `None` if we are, or nobody answers."""
        hosts = [(host, port) for host, port, _ in collect_hosts(self.bootstrap)]
        reasons = await asyncio.gather(*(self._refused_at(host, port) for host, port in hosts))
        return next((reason for reason in reasons if reason), None)

    async def _refused_at(self, host: str, port: int) -> BrokerRefuses | None:
        try:
            connection = await create_conn(host, port, **self._credentials, **_within(REASON_SECONDS))
            with closing(connection):
                await connection.send(MetadataRequest([]))
        except _NOT_LET_IN as error:
            return BrokerRefuses(f"Kafka at {host}:{port} does not let {self._who} in: {error}")
        except KafkaConnectionError as error:
            what = f"closes a connection that begins with {self.security}: it may want another"
            return BrokerRefuses(f"Kafka at {host}:{port} {what} ({error})")
        except (OSError, TimeoutError, KafkaError):
            pass
        return None

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Name what was done, such as "read topic t", to whom it is refused. Raises `BrokerRefuses`."""
        try:
            yield
        except _NOT_AUTHORIZED as error:
            raise self.refusal(what) from error

    def refusal(self, what: str) -> BrokerRefuses:
        """That we may not do this."""
        return BrokerRefuses(f"Kafka does not let {self._who} {what}")

    @property
    def _who(self) -> str:
        if self.security.startswith("SASL"):
            return f"user {self.user} ({self.mechanism})"
        return f"anybody without a user ({self.security})"


def _within(seconds: float) -> dict[str, Any]:
    return {"request_timeout_ms": round(seconds * 1000)}
