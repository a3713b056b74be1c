"""What tests do to a realm of Keycloak: tokens, keys, users and groups, by its REST API."""

from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx

from steerco_servers.keycloak_program import Login
from steerco_servers.realm import Realm

type Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]

_KEYS: dict[Algorithm, tuple[str, dict[str, str]]] = {
    "RS256": ("rsa-generated", {"algorithm": "RS256"}),
    "PS256": ("rsa-generated", {"algorithm": "PS256"}),
    "ES256": ("ecdsa-generated", {"ecdsaEllipticCurveKey": "P-256"}),
    "EdDSA": ("eddsa-generated", {"eddsaEllipticCurveKey": "Ed25519"}),
}
"""What makes a key for an algorithm, and its options."""


class KeycloakRefused(Exception):
    """Keycloak answered with an error; the line has its status and what it said."""


class KeycloakAdmin:
    """One realm of a server. All calls raise KeycloakRefused, and httpx.TransportError when it can't be reached."""

    def __init__(self, client: httpx.AsyncClient, admin: httpx.Auth, url: str, realm: str) -> None:
        self.url = url
        self.realm = realm
        self._client = client
        self._admin = admin
        self._realm = f"{url}/realms/{realm}"

    @asynccontextmanager
    async def new_realm(self, realm: Realm) -> AsyncIterator["KeycloakAdmin"]:
        """That realm on the same server; removed on leaving."""
        made = KeycloakAdmin(self._client, self._admin, self.url, realm["realm"])
        await self._ask("POST", f"{self.url}/admin/realms", json=realm)
        try:
            yield made
        finally:
            await made._call("DELETE")

    async def issuer(self) -> str:
        """What the tokens of the realm say in `iss`."""
        said = await self._client.get(f"{self._realm}/.well-known/openid-configuration")
        issuer: str = _accepted(said).json()["issuer"]
        return issuer

    async def password_token(self, client: str, username: str, password: str) -> str:
        """An access token of a person."""
        return (await self.password_tokens(client, username, password))["access_token"]

    async def password_tokens(self, client: str, username: str, password: str) -> Mapping[str, str]:
        """All that a person is given: `access_token`, `id_token`, `refresh_token`."""
        return await self._tokens(
            grant_type="password", client_id=client, username=username, password=password, scope="openid"
        )

    async def client_token(self, client: str, secret: str) -> str:
        """An access token of a machine."""
        tokens = await self._tokens(grant_type="client_credentials", client_id=client, client_secret=secret)
        return tokens["access_token"]

    async def rotate_key(self, algorithm: Algorithm = "RS256") -> str:
        """Sign new tokens by a new key of that algorithm. Its `kid`; what the former keys signed stays valid."""
        kind, options = _KEYS[algorithm]
        priority = 1 + max(key["providerPriority"] for key in await self._keys())
        made = await self._call(
            "POST",
            "/components",
            json={
                "name": f"{algorithm} of priority {priority}",
                "providerId": kind,
                "providerType": "org.keycloak.keys.KeyProvider",
                "config": {name: [value] for name, value in (options | {"priority": str(priority)}).items()},
            },
        )
        await self._call("PUT", json={"defaultSignatureAlgorithm": algorithm})
        provider = made.headers["Location"].rpartition("/")[2]
        kid: str = next(key["kid"] for key in await self._keys() if key["providerId"] == provider)
        return kid

    async def retire_key(self, kid: str) -> None:
        """Publish that key no more: what it signed is not valid from now on."""
        [key] = [key for key in await self._keys() if key.get("kid") == kid]
        path = f"/components/{key['providerId']}"
        component = await self._read(path)
        await self._call("PUT", path, json=component | {"config": component["config"] | {"enabled": ["false"]}})

    async def disable_user(self, username: str) -> None:
        """Give the user no more tokens."""
        user = await self._user(username)
        await self._call("PUT", f"/users/{user['id']}", json=user | {"enabled": False})

    async def add_to_group(self, username: str, group: str) -> None:
        await self._call("PUT", await self._membership(username, group))

    async def remove_from_group(self, username: str, group: str) -> None:
        await self._call("DELETE", await self._membership(username, group))

    async def _membership(self, username: str, group: str) -> str:
        user = await self._user(username)
        found = await self._read("/groups", search=group, exact="true")
        if not found:
            raise KeycloakRefused(f"the realm {self.realm} has no group {group}")
        return f"/users/{user['id']}/groups/{found[0]['id']}"

    async def _user(self, username: str) -> dict[str, Any]:
        found = await self._read("/users", username=username, exact="true")
        if not found:
            raise KeycloakRefused(f"the realm {self.realm} has no user {username}")
        user: dict[str, Any] = found[0]
        return user

    async def _keys(self) -> list[dict[str, Any]]:
        keys: list[dict[str, Any]] = (await self._read("/keys"))["keys"]
        return keys

    async def _tokens(self, **form: str) -> Mapping[str, str]:
        answer = await self._client.post(f"{self._realm}/protocol/openid-connect/token", data=form)
        told = _accepted(answer).json()
        return {name: value for name, value in told.items() if name.endswith("_token")}

    async def _read(self, path: str, **params: str) -> Any:
        return (await self._call("GET", path, params=params)).json()

    async def _call(self, method: str, path: str = "", **request: Any) -> httpx.Response:
        return await self._ask(method, f"{self.url}/admin/realms/{self.realm}{path}", **request)

    async def _ask(self, method: str, url: str, **request: Any) -> httpx.Response:
        return _accepted(await self._client.request(method, url, auth=self._admin, **request))


@asynccontextmanager
async def keycloak_admin(url: str, realm: str, login: Login) -> AsyncIterator[KeycloakAdmin]:
    """One realm of the server at `url`, administered by an admin of `master`."""
    url = url.rstrip("/")
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        yield KeycloakAdmin(client, _Bearer(url, login), url, realm)


class _Bearer(httpx.Auth):
    """Gets a token when there is none yet and when it is not good any more.

    It is good for a minute, and in older versions not for realms that were made after it.
    """

    requires_response_body = True

    def __init__(self, url: str, login: Login) -> None:
        self._token_url = f"{url}/realms/master/protocol/openid-connect/token"
        self._form = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": login.username,
            "password": login.password,
        }
        self._token = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
            answer = yield request
            if answer.status_code not in (401, 403):
                return
        self._token = _accepted((yield httpx.Request("POST", self._token_url, data=self._form))).json()["access_token"]
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def _accepted(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        said = " ".join(answer.text.split())[:500]
        raise KeycloakRefused(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {said}")
    return answer
