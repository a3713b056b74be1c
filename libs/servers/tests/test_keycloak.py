import asyncio
import base64
import json
import os
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from steerco_servers.child import runs
from steerco_servers.keycloak import ServerFailed, remove_keycloak, start_keycloak
from steerco_servers.keycloak_admin import Algorithm, KeycloakRefused, keycloak_admin
from steerco_servers.realm import (
    CLI,
    DEPARTMENT_VIEWER,
    ENTERPRISE_OFFICER,
    INTEGRATION,
    PAYROLL,
    PERSONS,
    REALM,
    SECRET,
    Person,
    realm_for_tests,
    steerco_realm,
)
from steerco_servers.testing import TemporaryKeycloak, temporary_keycloak

pytestmark = [pytest.mark.keycloak, pytest.mark.usefixtures("own_keycloak")]

type Script = Callable[..., Awaitable[Process]]
type Eventually = Callable[[Callable[[], bool]], Awaitable[None]]

ALGORITHMS: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256", "EdDSA")

PARENT = """
import asyncio, sys
from pathlib import Path
from steerco_servers.keycloak import start_keycloak
from steerco_servers.realm import realm_for_tests

async def main():
    server = await start_keycloak(Path(sys.argv[1]), realm=realm_for_tests())
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
async def directory(scratch: Path) -> AsyncIterator[Path]:
    yield scratch / "dätä dir"
    await remove_keycloak(scratch / "dätä dir")


@pytest.fixture
async def own_realm(keycloak: TemporaryKeycloak) -> AsyncIterator[TemporaryKeycloak]:
    """A realm that the test may change."""
    async with keycloak.another() as own:
        yield own


def part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def key_of(token: str) -> str:
    return str(part(token, 0)["kid"])


def claims_of(token: str) -> dict[str, Any]:
    return part(token, 1)


async def fetched(url: str, **params: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return await client.get(url, params=params)


async def published(keycloak: TemporaryKeycloak) -> set[str]:
    told = (await fetched(f"{keycloak.issuer}/.well-known/openid-configuration")).json()
    return {key["kid"] for key in (await fetched(told["jwks_uri"])).json()["keys"]}


async def token_of(person: Person, keycloak: TemporaryKeycloak, client: str = CLI) -> str:
    return await keycloak.admin.password_token(client, person.username, person.password)


@pytest.mark.parametrize("person", PERSONS, ids=lambda person: person.username)
async def test_a_person_s_token_says_who_they_are_and_that_it_is_for_steerco(
    keycloak: TemporaryKeycloak, person: Person
) -> None:
    token = await token_of(person, keycloak)
    claims = claims_of(token)
    assert claims["iss"] == keycloak.issuer
    assert claims["aud"] == "steerco"
    assert claims["sub"] == str(person.id_in(keycloak.realm))
    assert claims["azp"] == CLI
    assert claims["groups"] == [person.group]
    assert claims["job_title"] == person.job_title
    assert key_of(token) in await published(keycloak)


async def test_a_machine_s_token_says_which_client_it_is_and_no_person(keycloak: TemporaryKeycloak) -> None:
    claims = claims_of(await keycloak.admin.client_token(INTEGRATION, SECRET))
    assert claims["iss"] == keycloak.issuer
    assert claims["aud"] == "steerco"
    assert claims["azp"] == claims["client_id"] == INTEGRATION
    assert claims["preferred_username"] == f"service-account-{INTEGRATION}"
    assert not claims.keys() & {"groups", "job_title"}


async def test_a_token_of_another_client_is_for_another_service(keycloak: TemporaryKeycloak) -> None:
    claims = claims_of(await token_of(ENTERPRISE_OFFICER, keycloak, PAYROLL))
    assert (claims["iss"], claims["aud"]) == (keycloak.issuer, "payroll")


async def test_the_command_line_is_let_in_by_browser_and_by_a_code_with_proof_of_its_key(
    keycloak: TemporaryKeycloak,
) -> None:
    asked = {"client_id": CLI, "response_type": "code", "scope": "openid"}
    proof = {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
    authorize = f"{keycloak.issuer}/protocol/openid-connect/auth"
    for port in (4711, 52011):
        redirect = f"http://127.0.0.1:{port}/callback"
        assert (await fetched(authorize, **asked, **proof, redirect_uri=redirect)).status_code == 200
        unproved = await fetched(authorize, **asked, redirect_uri=redirect)
        assert "error=invalid_request" in unproved.headers["Location"]
    assert (await fetched(authorize, **asked, **proof, redirect_uri="http://elsewhere.test/")).status_code == 400
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        code = await client.post(f"{authorize}/device", data={"client_id": CLI} | proof)
    assert code.json().keys() >= {"device_code", "user_code", "verification_uri"}


async def test_a_new_key_signs_and_the_former_one_is_published_until_it_is_retired(
    own_realm: TemporaryKeycloak,
) -> None:
    former = key_of(await token_of(ENTERPRISE_OFFICER, own_realm))
    for algorithm in ALGORITHMS:
        new = await own_realm.admin.rotate_key(algorithm)
        token = await token_of(ENTERPRISE_OFFICER, own_realm)
        assert part(token, 0) == {"alg": algorithm, "typ": "JWT", "kid": new}
        assert await published(own_realm) >= {former, new}
        await own_realm.admin.retire_key(former)
        assert former not in await published(own_realm)
        former = new


async def test_groups_come_and_go_and_whoever_is_disabled_gets_no_token(own_realm: TemporaryKeycloak) -> None:
    person = DEPARTMENT_VIEWER
    await own_realm.admin.add_to_group(person.username, ENTERPRISE_OFFICER.group)
    await own_realm.admin.remove_from_group(person.username, person.group)
    claims = claims_of(await token_of(person, own_realm))
    assert claims["groups"] == [ENTERPRISE_OFFICER.group]
    assert claims["job_title"] == person.job_title
    await own_realm.admin.disable_user(person.username)
    with pytest.raises(KeycloakRefused, match=r"400 .*Account disabled"):
        await token_of(person, own_realm)
    with pytest.raises(KeycloakRefused, match="has no group nowhere"):
        await own_realm.admin.add_to_group(person.username, "nowhere")


async def test_a_deployment_s_realm_has_nobody_in_it_and_gives_no_token_for_a_password(
    keycloak: TemporaryKeycloak,
) -> None:
    async with keycloak.another(steerco_realm) as deployed:
        with pytest.raises(KeycloakRefused, match="has no user enterprise-officer"):
            await deployed.admin.disable_user(ENTERPRISE_OFFICER.username)
        with pytest.raises(KeycloakRefused, match="unauthorized_client"):
            await token_of(ENTERPRISE_OFFICER, deployed)
        with pytest.raises(KeycloakRefused, match="unauthorized_client"):
            await deployed.admin.client_token(INTEGRATION, SECRET)


async def test_a_killed_parent_takes_its_server_with_it_and_whoever_starts_next_keeps_the_realm_as_it_became(
    directory: Path, script: Script, eventually: Eventually
) -> None:
    parent = await script(PARENT, directory)
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 240))
    parent.kill()
    async with await start_keycloak(directory, realm=realm_for_tests()) as server:
        await eventually(lambda: not runs(pid))
        assert server.alive
        first = server.pid
        async with keycloak_admin(server.url, REALM, server.admin) as admin:
            assert await admin.issuer() == server.issuer(REALM)
            new = await admin.rotate_key()
        with pytest.raises(ServerFailed, match=f"is in use by process {os.getpid()}$"):
            await start_keycloak(directory, realm=realm_for_tests())
    assert not runs(first)
    async with (
        await start_keycloak(directory, realm=realm_for_tests()) as server,
        keycloak_admin(server.url, REALM, server.admin) as admin,
    ):
        assert key_of(await admin.client_token(INTEGRATION, SECRET)) == new
    await server.stop()
    assert not server.alive
    await remove_keycloak(directory)
    assert not directory.exists()


async def test_a_realm_that_is_none_and_a_port_in_use_are_one_clear_error(directory: Path) -> None:
    with pytest.raises(ServerFailed, match=r'ended with code 1 .*Unrecognized field "realmm"') as refused:
        await start_keycloak(directory, realm={"realmm": "steerco"})
    assert "\n" not in str(refused.value)
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(ServerFailed, match="Address already in use"):
        await start_keycloak(directory, realm=realm_for_tests(), port=port)
    taken.close()
    await taken.wait_closed()


async def test_a_server_that_does_not_come_up_in_time_is_told_with_its_log_and_gone(directory: Path) -> None:
    with pytest.raises(ServerFailed, match=r"^Keycloak was not ready after 0\.1 s; log .*keycloak\.log: "):
        await start_keycloak(directory, realm=realm_for_tests(), within=0.1)
    await remove_keycloak(directory)
    assert not directory.exists()


async def test_a_server_of_one_s_own_gets_a_realm_of_its_own_and_is_left_alone(
    keycloak: TemporaryKeycloak, monkeypatch: pytest.MonkeyPatch
) -> None:
    if keycloak.server is not None:
        monkeypatch.setenv("STEERCO_TEST_KEYCLOAK", keycloak.server.url)
        monkeypatch.setenv("STEERCO_TEST_KEYCLOAK_ADMIN", keycloak.server.admin.username)
        monkeypatch.setenv("STEERCO_TEST_KEYCLOAK_PASSWORD", keycloak.server.admin.password)
    async with temporary_keycloak() as first, temporary_keycloak() as second:
        assert first.server is None
        assert len({keycloak.realm, first.realm, second.realm}) == 3
        claims = claims_of(await token_of(ENTERPRISE_OFFICER, first))
        assert claims["iss"] == first.issuer
        assert claims["sub"] == str(ENTERPRISE_OFFICER.id_in(first.realm))
    assert (await fetched(f"{first.issuer}/.well-known/openid-configuration")).status_code == 404
    assert await token_of(ENTERPRISE_OFFICER, keycloak)


async def test_a_server_of_one_s_own_that_can_t_be_used_is_named(
    keycloak: TemporaryKeycloak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEERCO_TEST_KEYCLOAK_PASSWORD", "wrong")
    for url in ("http://127.0.0.1:1", keycloak.admin.url):
        monkeypatch.setenv("STEERCO_TEST_KEYCLOAK", url)
        with pytest.raises(ServerFailed, match=f"^STEERCO_TEST_KEYCLOAK: {url} cannot be used: ."):
            await temporary_keycloak().__aenter__()
