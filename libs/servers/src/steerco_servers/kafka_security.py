"""A broker that lets in only whom it knows, and lets them do only what they may."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from steerco_servers.directory import read_private, write_private

OPERATOR = "operator"
"""Who may do everything: the broker itself, and who says what others may do."""

_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256")


@dataclass(frozen=True)
class Operator:
    """The one user that a broker knows from its start on, by PLAIN; it lets in the others, by SCRAM.

    So also a broker that had no users when its log was made can be told of them.
    """

    password: str = field(repr=False)
    user: str = OPERATOR


def kept_passwords(file: Path, users: Iterable[str]) -> dict[str, str]:
    """The passwords of these users, kept in a private file (0600), made once."""
    known = read_private(file)
    users = list(users)
    if missing := {user: secrets.token_urlsafe(24) for user in users if user not in known}:
        known |= missing
        write_private(file, known)
    return {user: known[user] for user in users}


def security_of(listeners: Iterable[str], operator: Operator | None) -> Mapping[str, str]:
    """The broker's options for its listeners, the controller's too: for anybody, or for who logs in."""
    listeners = list(listeners)
    protocol = "SASL_PLAINTEXT" if operator else "PLAINTEXT"
    options = {"listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name in listeners)}
    if not operator:
        return options
    password = _quoted(operator.password)
    known = f'username="{operator.user}" password={password} user_{operator.user}={password}'
    for name in listeners:
        prefix = f"listener.name.{name.lower()}"
        options[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(("PLAIN", *_MECHANISMS))
        options[f"{prefix}.plain.sasl.jaas.config"] = f"{_PLAIN} required {known};"
        options |= {f"{prefix}.{each.lower()}.sasl.jaas.config": f"{_SCRAM} required;" for each in _MECHANISMS}
    return options | {
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{operator.user}",
        "allow.everyone.if.no.acl.found": "false",
    }


def _quoted(text: str) -> str:
    """A value of a Java login configuration."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
