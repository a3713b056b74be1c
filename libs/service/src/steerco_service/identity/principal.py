"""Who asks: what the claims of a token say of a person or machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_service.bodies import one_line
from steerco_service.identity.tokens import InvalidToken

NOT_STATED = "not stated"
"""The job title of a person whose token says none."""

UNKNOWN_CLIENT = "unknown"

SERVICE_ACCOUNT = "service-account-"
"""How Keycloak begins the name of a client's own user."""

LONGEST_TEXT = 255
"""Characters of a claim that is a text; a `sub` has no more (OpenID Connect Core 1.0)."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or machine that asks, and the client program it asks through.

    `groups` are the issuer's, a path without the slash in front. A machine asks for itself, for no person.
    """

    actor: Actor
    client: str
    groups: frozenset[str] = frozenset()
    is_machine: bool = False


def principal_of(claims: Mapping[str, Any], issuer: str) -> Principal:
    """Whom a token speaks for. Raises `InvalidToken` when a claim is not of the type that it has to be.

    The actor's id is the `sub` if that is a UUID, else derived from issuer and `sub`.
    """
    client = _text(claims, "azp") or _text(claims, "client_id") or UNKNOWN_CLIENT
    is_machine = _is_machine(claims)
    job_title = _text(claims, "job_title") or (client if is_machine else NOT_STATED)
    return Principal(Actor(_id_of(claims, issuer), job_title), client, _groups(claims), is_machine)


def _id_of(claims: Mapping[str, Any], issuer: str) -> UUID:
    subject = claims["sub"]
    if _text(claims, "sub") != subject:
        raise InvalidToken("sub must have no spaces around it")
    try:
        found = UUID(subject)
    except ValueError:
        return derived_id(issuer, subject)
    return found if str(found) == subject.lower() else derived_id(issuer, subject)


def _is_machine(claims: Mapping[str, Any]) -> bool:
    """Whether the token is of the client credentials grant, in which a client asks for itself.

    No claim is made for telling that. By RFC 9068 (2.2) the `sub` of such a token is the client, so it is one that is
    also its `client_id` or `azp`. Keycloak's `sub` is a user that it keeps for the client and names
    `service-account-<client>`; of Keycloak's tokens only those of this grant have the claim `client_id` (`clientId`
    by older mappers). Both must be there and agree: a person could choose such a name, and other issuers put
    `client_id` into everybody's tokens. Where it can't be told, it is a person's: that gives less.
    """
    clients = {found for name in ("client_id", "clientId") if (found := _text(claims, name))}
    if claims["sub"] in clients or claims["sub"] == _text(claims, "azp"):
        return True
    name = (_text(claims, "preferred_username") or "").lower()
    return any(name == SERVICE_ACCOUNT + client.lower() for client in clients)


def _groups(claims: Mapping[str, Any]) -> frozenset[str]:
    groups = claims.get("groups", [])
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise InvalidToken("groups must be a list of texts")
    return frozenset(group.removeprefix("/") for group in groups)


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    """The text of a claim; `None` if it is blank or not there."""
    value = claims.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, str) and len(value) <= LONGEST_TEXT:
            return one_line(value).strip() or None
    except ValueError:
        pass
    raise InvalidToken(f"{name} must be one line of at most {LONGEST_TEXT} characters")
