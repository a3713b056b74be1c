"""Two kinds of issuers with the same persons: a realm of Keycloak, and a local one whose key is in a file."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from joserfc.jwk import OKPKey, RSAKey

from steerco_events.clock import ManualClock, SystemClock
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id
from steerco_servers.realm import CLI, ENTERPRISE_OFFICER, INTEGRATION, PAYROLL, PERSONS, SECRET, Person
from steerco_servers.testing import TemporaryKeycloak
from steerco_service.identity.authenticator import Authenticator
from steerco_service.identity.issuer import ALGORITHM, Issuer
from steerco_service.identity.principal import Principal
from steerco_service.process import authenticator_of
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.issuing import signed

LASTS = timedelta(minutes=5)
"""The same as in Keycloak."""

_NOWHERE = "postgresql+asyncpg://app@127.0.0.1:1/nowhere"


@dataclass(frozen=True)
class Trusted:
    """An issuer, who takes its tokens, and the tokens that it gave, by username and client.

    The clock stands where they were given. `wrong` are others, by what is wrong with them.
    """

    name: str
    authenticator: Authenticator
    clock: ManualClock
    tokens: Mapping[str, str]
    wrong: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Issuers:
    """The issuer that is trusted, and another one of its kind."""

    trusted: Trusted
    another: Trusted


def taking(clock: ManualClock, **told: Any) -> Authenticator:
    """Who checks tokens in a process that is told this by its settings."""
    return authenticator_of(ServiceSettings(database_url=_NOWHERE, **told), clock)


async def token_of(person: Person, realm: TemporaryKeycloak, client: str = CLI) -> str:
    """What Keycloak gives to a person."""
    return await realm.admin.password_token(client, person.username, person.password)


async def realm_trusted(realm: TemporaryKeycloak) -> Trusted:
    """A realm with what it gave to each."""
    tokens = {person.username: await token_of(person, realm) for person in PERSONS}
    tokens[INTEGRATION] = await realm.admin.client_token(INTEGRATION, SECRET)
    clock = ManualClock(SystemClock().now())
    return Trusted(realm.realm, taking(clock, issuer=realm.issuer), clock, tokens)


async def keycloak_issuers(realm: TemporaryKeycloak, other: TemporaryKeycloak) -> Issuers:
    """Two realms of a server."""
    trusted, another, officer = await realm_trusted(realm), await realm_trusted(other), ENTERPRISE_OFFICER
    given = await realm.admin.password_tokens(CLI, officer.username, officer.password)
    kid = header_of(given["access_token"])["kid"]
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.get(f"{realm.issuer}/protocol/openid-connect/certs")
    [key] = [RSAKey.import_key(each) for each in answer.json()["keys"] if each["kid"] == kid]
    wrong = {
        "of another audience": await token_of(officer, realm, PAYROLL),
        "of another issuer": another.tokens[officer.username],
        "an ID token": given["id_token"],
        "a refresh token": given["refresh_token"],
        **forged(given["access_token"], key.as_pem(private=False)),
    }
    return Issuers(replace(trusted, wrong=wrong), another)


def local_trusted(name: str, issuer: Issuer, keys: Path) -> Trusted:
    """A local issuer with what it gave to each."""
    clock = ManualClock(SystemClock().now())
    persons = {
        person.username: Principal(Actor(person.id_in(name), person.job_title), CLI, frozenset({person.group}))
        for person in PERSONS
    }
    machine = Principal(Actor(derived_id(name, INTEGRATION), INTEGRATION), INTEGRATION, is_machine=True)
    everybody = persons | {INTEGRATION: machine}
    tokens = {each: issuer.token(principal, clock.now(), LASTS) for each, principal in everybody.items()}
    keys.write_text(json.dumps(issuer.jwks()))
    return Trusted(name, taking(clock, issuer_key=keys), clock, tokens)


def local_issuers(folder: Path) -> Issuers:
    """Two local issuers."""
    issuer = Issuer.generate()
    trusted = local_trusted("local", issuer, folder / "local.json")
    another = local_trusted("another-local", Issuer.generate(), folder / "another.json")
    good, key = trusted.tokens[ENTERPRISE_OFFICER.username], OKPKey.import_key(issuer.private())

    def changed(**claims: str) -> str:
        return signed(key, ALGORITHM, claims_of(good) | claims)

    wrong = {
        "of another audience": changed(aud=PAYROLL),
        "of another issuer": another.tokens[ENTERPRISE_OFFICER.username],
        "an ID token": changed(typ="ID"),
        "a refresh token": changed(typ="Refresh"),
        **forged(good, key.as_pem(private=False)),
    }
    return Issuers(replace(trusted, wrong=wrong), another)


def forged(good: str, public_key: bytes) -> Mapping[str, str]:
    """What can be made of a good token without the issuer's private key."""
    header, claims = header_of(good), claims_of(good)
    unsigned = _told(header | {"alg": "none"}, claims)
    confused = _told(header | {"alg": "HS256"}, claims)
    code = hmac.new(public_key, confused.encode(), hashlib.sha256).digest()
    return {
        "without a signature": f"{unsigned}.",
        "with a code by the public key": f"{confused}.{_encoded(code)}",
        "of an unknown key": with_kid(good, "unknown"),
        "with other claims": f"{_told(header, claims | {'job_title': 'Director'})}.{good.rpartition('.')[2]}",
    }


def with_kid(token: str, kid: str) -> str:
    """A token that names another key."""
    return f"{_told(header_of(token) | {'kid': kid}, claims_of(token))}.{token.rpartition('.')[2]}"


def header_of(token: str) -> dict[str, Any]:
    """What a token says of its signature."""
    return _part(token, 0)


def claims_of(token: str) -> dict[str, Any]:
    """What a token says of who has it."""
    return _part(token, 1)


def id_in(token: str) -> UUID:
    """Whom a token speaks for."""
    return UUID(claims_of(token)["sub"])


def _part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def _told(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
