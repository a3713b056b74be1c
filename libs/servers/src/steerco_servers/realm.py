"""Steerco's realm as Keycloak imports it: the clients, what their tokens say, and persons for tests.

`python -m steerco_servers.realm examples/keycloak-realm.json` writes that of a deployment, and with `local` after it
that of one on a machine of one's own.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

type Realm = dict[str, Any]
"""Keycloak's representation of a realm."""

REALM = "steerco"
AUDIENCE = "steerco"

CLI = "steerco-cli"
"""A person's command line: public, by browser or by a code on another device."""

INTEGRATION = "steerco-integration"
"""A machine: it asks for itself, by a secret."""

PAYROLL = "payroll"
"""For tests: a client of the same issuer whose tokens are for another service."""

REPORTING = "steerco-reporting"
"""The service that shows names: it asks for their keys, by a secret."""

SECRET = "a secret for tests"
"""For tests: of the client `steerco-integration`."""

_LONGEST_TEXT = 255
_PERSONS = UUID("7b0c3a52-6c5e-4f0e-9d43-0f3f5f6a1c11")


@dataclass(frozen=True)
class Person:
    """For tests: a user of the realm, in one group."""

    username: str
    group: str
    job_title: str

    @property
    def password(self) -> str:
        return f"password of {self.username}"

    def id_in(self, realm: str) -> UUID:
        """The `sub` of their tokens, the same each time. A server knows an id once, so each realm has its own."""
        return uuid5(_PERSONS, f"{realm}/{self.username}")


ENTERPRISE_OFFICER = Person("enterprise-officer", "enterprise-office", "Head of the project office")
BUSINESS_UNIT_OFFICER = Person("business-unit-officer", "business-unit-office", "Project officer")
DEPARTMENT_VIEWER = Person("department-viewer", "department", "Head of department")
ADMINISTRATOR = Person("administrator", "administrators", "Administrator")
PERSONS = (ENTERPRISE_OFFICER, BUSINESS_UNIT_OFFICER, DEPARTMENT_VIEWER)


def steerco_realm(name: str = REALM) -> Realm:
    """The realm of a deployment: nobody is in it yet, and Keycloak makes the secret of `steerco-integration`.

    Access tokens of its clients are for Steerco (`aud`) and say the person's `groups`, by name, and `job_title`, an
    attribute that only an admin may change: events state it.
    """
    cli = {
        "clientId": CLI,
        "publicClient": True,
        "standardFlowEnabled": True,
        "redirectUris": ["http://127.0.0.1/*"],  # of any port (RFC 8252, 7.3)
        "attributes": {
            "oauth2.device.authorization.grant.enabled": "true",
            "pkce.code.challenge.method": "S256",
        },
        "protocolMappers": _mappers(AUDIENCE),
    }
    integration = {
        "clientId": INTEGRATION,
        "publicClient": False,
        "standardFlowEnabled": False,
        "serviceAccountsEnabled": True,
        "protocolMappers": _mappers(AUDIENCE),
    }
    return {
        "realm": name,
        "enabled": True,
        "clients": [_CLIENT | cli, _CLIENT | integration],
        "components": {"org.keycloak.userprofile.UserProfileProvider": [_profile()]},
    }


def local_realm() -> Realm:
    """That of a deployment with everything in it, to try on one's own machine: somebody who administers, by a group.

    Keycloak puts the secrets in as it imports it: `${LOCAL_SECRET}` is of its environment.
    """
    realm = steerco_realm()
    cli, integration = realm["clients"]
    known = {"secret": "${LOCAL_SECRET}"}
    reporting = integration | {"clientId": REPORTING} | known
    administrator = _user(ADMINISTRATOR, REALM)
    administrator["credentials"] = [{"type": "password", "value": "${LOCAL_SECRET}"}]
    return realm | {
        "clients": [cli | {"directAccessGrantsEnabled": True}, integration | known, reporting],
        "groups": [{"name": ADMINISTRATOR.group}],
        "users": [administrator],
    }


def text_of(realm: Realm) -> str:
    """The file that Keycloak imports."""
    return json.dumps(realm, indent=2) + "\n"


def realm_for_tests(name: str = REALM) -> Realm:
    """The same with `PERSONS`, whose passwords are known and good for a token, and with the client `payroll`."""
    realm = steerco_realm(name)
    cli, integration = realm["clients"]
    payroll = {"clientId": PAYROLL, "publicClient": True, "protocolMappers": _mappers(PAYROLL)}
    by_password = {"directAccessGrantsEnabled": True}
    return realm | {
        "clients": [cli | by_password, integration | {"secret": SECRET}, _CLIENT | payroll | by_password],
        "groups": [{"name": person.group} for person in PERSONS],
        "users": [_user(person, name) for person in PERSONS],
    }


_CLIENT = {
    "enabled": True,
    "directAccessGrantsEnabled": False,
    "webOrigins": [],
    "fullScopeAllowed": False,  # a token has no role of Keycloak's own
}


def _mappers(audience: str) -> list[dict[str, Any]]:
    """They stand at each client: a realm that names client scopes of its own would get none of Keycloak's."""
    return [
        _mapper("audience", "oidc-audience-mapper", {"included.custom.audience": audience}),
        _mapper("groups", "oidc-group-membership-mapper", {"claim.name": "groups", "full.path": "false"}),
        _mapper(
            "job title",
            "oidc-usermodel-attribute-mapper",
            {"claim.name": "job_title", "user.attribute": "job_title", "jsonType.label": "String"},
        ),
    ]


def _mapper(name: str, kind: str, options: dict[str, str]) -> dict[str, Any]:
    elsewhere = {f"{token}.claim": "false" for token in ("id.token", "userinfo.token", "lightweight")}
    config = elsewhere | {"access.token.claim": "true", "introspection.token.claim": "true"} | options
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}


def _profile() -> dict[str, Any]:
    """What Keycloak knows of a user. It drops attributes that are not named here."""
    anybody = {"view": ["admin", "user"], "edit": ["admin", "user"]}
    attributes = [{"name": name, "permissions": anybody} for name in ("username", "email", "firstName", "lastName")]
    job_title = {
        "name": "job_title",
        "displayName": "Job title",
        "permissions": {"view": ["admin", "user"], "edit": ["admin"]},
        "validations": {"length": {"max": _LONGEST_TEXT}},
    }
    config = json.dumps({"attributes": [*attributes, job_title]})
    return {"providerId": "declarative-user-profile", "config": {"kc.user.profile.config": [config]}}


def _user(person: Person, realm: str) -> dict[str, Any]:
    return {
        "id": str(person.id_in(realm)),
        "username": person.username,
        "enabled": True,
        "groups": [person.group],
        "realmRoles": [f"default-roles-{realm}"],  # as whoever an admin makes, but an import does not give it
        "attributes": {"job_title": [person.job_title]},
        "credentials": [{"type": "password", "value": person.password}],
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text_of(local_realm() if sys.argv[2:] == ["local"] else steerco_realm()))
