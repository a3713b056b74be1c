"""Giving Kafka's users their passwords, and what they may do: by who may alter the cluster.

aiokafka's administration knows neither; these are the protocol's own requests.
"""

import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from hashlib import pbkdf2_hmac
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaTimeoutError, for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1, DescribeAclsRequest_v1
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, Int8, Int16, Int32, Schema, TaggedFields

from steerco_events.kafka.broker import Broker, Mechanism
from steerco_events.kafka.permissions import Acl, Kind, Operation
from steerco_events.kafka.requests import TEXT, ask
from steerco_events.kafka.seeing import seen

ITERATIONS = 8192
"""How often a password is hashed; Kafka takes 4096 to 16384."""

_SCRAM: Mapping[Mechanism, tuple[int, str]] = {"SCRAM-SHA-256": (1, "sha256"), "SCRAM-SHA-512": (2, "sha512")}
_KINDS: Mapping[Kind, int] = {"topic": 2, "group": 3}
_OPERATIONS = {
    Operation.READ: 3,
    Operation.WRITE: 4,
    Operation.CREATE: 5,
    Operation.DELETE: 6,
    Operation.DESCRIBE: 8,
    Operation.DESCRIBE_CONFIGS: 10,
    Operation.ALTER_CONFIGS: 11,
}
_USER = "User:"
_ANY, _LITERAL, _ALLOW, _EVERY_HOST = 1, 3, 3, "*"

type _Told = tuple[int, str, int, str, str, int, int]
"""What a user may or may not: kind and name of the thing, kind of name, user, host, operation, whether it may."""


class _Passwords(Response):
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", CompactArray(("user", TEXT), ("error_code", Int16), ("message", TEXT), ("tags", TaggedFields))),
        ("tags", TaggedFields),
    )


class _SetPasswords(RequestStruct):
    """AlterUserScramCredentials."""

    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Passwords
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", TEXT), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", TEXT),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


async def grant(
    broker: Broker, passwords: Mapping[str, str], acls: Collection[Acl], mechanism: Mechanism = "SCRAM-SHA-512"
) -> None:
    """Let users in by these passwords, and let each of them do what is listed for it, and nothing else.

    What is said of such a user in any other way goes away: over names that begin so, from one host only, over the
    cluster, or that it may not. What everybody may (`User:*`) stays, and the password that a user has for another
    mechanism. All is so on return. Raises `BrokerRefuses` if we may not, aiokafka's `KafkaError`, also if it is not so
    after some seconds.
    """
    wanted = {_told(acl) for acl in acls}
    async with _administering(broker) as admin:
        await admin.set_passwords(passwords, mechanism)
        granted = await admin.granted(passwords)
        await admin.take(granted - wanted)
        await admin.give(wanted - granted)
        await seen(partial(admin.not_granted, passwords, wanted))
    for user, password in passwords.items():
        await seen(replace(broker, mechanism=mechanism, user=user, password=password).refused)


@asynccontextmanager
async def _administering(broker: Broker) -> AsyncIterator["_Administration"]:
    client = AIOKafkaClient(**broker.options)
    try:
        await broker.begin(client.bootstrap)
        yield _Administration(broker, client)
    finally:
        await client.close()


class _Administration:
    """The requests, and what is made of the answers."""

    def __init__(self, broker: Broker, client: AIOKafkaClient) -> None:
        self._broker = broker
        self._client = client

    async def set_passwords(self, passwords: Mapping[str, str], mechanism: Mechanism) -> None:
        """Those with which users log in by a mechanism; what they have for another one stays."""
        number, digest = _SCRAM[mechanism]
        salted: list[tuple[Any, ...]] = []
        for user, password in passwords.items():
            salt = secrets.token_bytes(16)
            hashed = pbkdf2_hmac(digest, password.encode(), salt, ITERATIONS)
            salted.append((user, number, ITERATIONS, salt, hashed, {}))
        answer = await ask(self._client, _SetPasswords, [], salted, {})
        for user, code, message, _ in answer.results:
            self._check(code, message, f"set the password of user {user}")

    async def granted(self, users: Collection[str]) -> set[_Told]:
        """All that is said of what these users may do, as the broker that we ask knows."""
        answer = await ask(self._client, DescribeAclsRequest_v1, _ANY, None, _ANY, None, None, _ANY, _ANY)
        self._check(answer.error_code, answer.error_message, "read who may do what")
        return {
            (kind, name, pattern, principal, host, operation, allowed)
            for kind, name, pattern, acls in answer.resources
            for principal, host, operation, allowed in acls
            if principal.startswith(_USER) and principal.removeprefix(_USER) in users
        }

    async def not_granted(self, users: Collection[str], wanted: Collection[_Told]) -> KafkaTimeoutError | None:
        """That something else is said of these users, if so."""
        if await self.granted(users) == wanted:
            return None
        return KafkaTimeoutError("Kafka does not know yet who may do what, or somebody else says it, too")

    async def give(self, acls: Collection[_Told]) -> None:
        """Let users do this, too."""
        answer = await ask(self._client, CreateAclsRequest_v1, list(acls))
        for code, message in answer.creation_responses:
            self._check(code, message, "say who may do what")

    async def take(self, acls: Collection[_Told]) -> None:
        """Let users do this no more."""
        answer = await ask(self._client, DeleteAclsRequest_v1, list(acls))
        for code, message, _ in answer.filter_responses:
            self._check(code, message, "say who may do what")

    def _check(self, code: int, message: str | None, what: str) -> None:
        if code:
            with self._broker.doing(what):
                raise for_code(code)(f"{what}: {message}")


def _told(acl: Acl) -> _Told:
    return _KINDS[acl.kind], acl.name, _LITERAL, _USER + acl.user, _EVERY_HOST, _OPERATIONS[acl.operation], _ALLOW
