"""Every service while its issuer is away or has other keys, as a process that is told of it, and as its client."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from joserfc.jwk import RSAKey

from steerco_events.clock import ManualClock, SystemClock
from steerco_servers.keycloak_admin import KeycloakRefused
from steerco_servers.realm import ENTERPRISE_OFFICER, INTEGRATION, SECRET
from steerco_servers.testing import TemporaryKeycloak
from steerco_service.identity.authenticator import LEEWAY
from steerco_service.identity.discovered_keys import BETWEEN_FETCHES
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.own_token import ClientCredentials
from steerco_service.privacy.keys import KeptKeys, KeysUnavailable
from steerco_service.privacy.remote_keys import RemoteKeys
from steerco_service.testkit.issuing import oidc_issuer, signed
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import Served
from tests.access.hosted import LISTED, NAMES, hosted
from tests.access.issuers import (
    LASTS,
    Trusted,
    header_of,
    local_trusted,
    realm_trusted,
    taking,
    token_of,
    with_kid,
)
from tests.access.worlds import created
from tests.editions.running import free_port

GROUPS = "enterprise-office=pmo_officer"
OFFICER = ENTERPRISE_OFFICER.username
START_SECONDS = 60


@pytest.fixture(scope="module", autouse=True)
async def enterprise(served: Served, clients: dict[str, httpx.AsyncClient]) -> None:
    """Without one, reporting has nothing to answer about."""
    await created(clients["portfolio"], "/units", code="ENT", name="Enterprise", kind="enterprise")
    await served.settled()


@pytest.fixture
async def own_realm(keycloak: TemporaryKeycloak) -> AsyncIterator[TemporaryKeycloak]:
    """A realm that the test may change."""
    async with keycloak.another() as own:
        yield own


@pytest.mark.keycloak
async def test_a_new_key_is_taken_at_once_and_a_retired_one_until_the_keys_are_fetched_anew(
    served: Served, own_realm: TemporaryKeycloak
) -> None:
    issuer = await realm_trusted(own_realm)
    services = await hosted(served, issuer, GROUPS)
    former = issuer.tokens[OFFICER]
    await services.all_answer(200, former)
    await own_realm.admin.rotate_key("ES256")
    present = await token_of(ENTERPRISE_OFFICER, own_realm)
    assert header_of(present)["kid"] != header_of(former)["kid"]
    issuer.clock.advance(BETWEEN_FETCHES)
    await services.all_answer(200, present)
    await services.all_answer(200, former)
    await own_realm.admin.retire_key(header_of(former)["kid"])
    await services.all_answer(200, former)
    issuer.clock.advance(BETWEEN_FETCHES)
    await services.all_answer(401, with_kid(present, "unknown"))
    await services.all_answer(401, former)
    await services.all_answer(200, present)


async def test_a_local_key_that_is_added_to_the_file_or_removed_counts_from_the_next_start(
    served: Served, tmp_path: Path
) -> None:
    file, former, present = tmp_path / "issuer.json", Issuer.generate(), Issuer.generate()
    before = local_trusted("former", former, file)
    started = await hosted(served, before, GROUPS)
    after = local_trusted("present", present, tmp_path / "present.json")
    await started.all_answer(401, after.tokens[OFFICER])
    file.write_text(json.dumps({"keys": [former.public(), present.public()]}))
    await started.all_answer(401, after.tokens[OFFICER])
    both = replace(before, authenticator=taking(before.clock, issuer_key=file))
    restarted = await hosted(served, both, GROUPS)
    await restarted.all_answer(200, before.tokens[OFFICER])
    await restarted.all_answer(200, after.tokens[OFFICER])
    restarted = await hosted(served, after, GROUPS)
    await restarted.all_answer(401, before.tokens[OFFICER])
    await restarted.all_answer(200, after.tokens[OFFICER])


@pytest.mark.keycloak
async def test_who_is_disabled_gets_no_token_and_the_last_one_is_good_until_its_time_is_over(
    served: Served, own_realm: TemporaryKeycloak
) -> None:
    issuer = await realm_trusted(own_realm)
    services = await hosted(served, issuer, GROUPS)
    await own_realm.admin.disable_user(OFFICER)
    with pytest.raises(KeycloakRefused, match="Account disabled"):
        await token_of(ENTERPRISE_OFFICER, own_realm)
    await services.all_answer(200, issuer.tokens[OFFICER])
    issuer.clock.advance(LASTS + LEEWAY)
    await services.all_answer(401, issuer.tokens[OFFICER])


async def test_a_service_is_not_ready_before_its_issuer_was_reached_once_and_then_goes_on_without_it(
    served: Served,
) -> None:
    async with oidc_issuer(key := RSAKey.generate_key(2048)) as away:
        clock = ManualClock(SystemClock().now())
        token = signed(key, "RS256", away.claims(clock.now(), groups=["enterprise-office"]))
        await away.go()
        issuer = Trusted("away", taking(clock, issuer=away.url), clock, {OFFICER: token})
        services = await hosted(served, issuer, GROUPS)
        for name in NAMES:
            for path in ("/readyz", LISTED[name][0]):
                answer = await services.ask(name, OFFICER, path)
                assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:issuer-unreachable")
            assert (await services.ask(name, OFFICER, "/livez")).status_code == 204
        await away.come()
        clock.advance(BETWEEN_FETCHES)
        await services.all_answer(200, token)
        await away.go()
        for name in NAMES:
            assert (await services.ask(name, OFFICER, "/readyz")).json()["ready"] is True
        await services.all_answer(200, token)


@asynccontextmanager
async def api_of(service: str, served: Served, issuer: str) -> AsyncIterator[httpx.AsyncClient]:
    """A process of its own over the database of a service that runs; a client of it, once it listens."""
    port, runtime = free_port(), served.runtime(service)
    keys = runtime.key_database.engine.url.render_as_string(hide_password=False) if runtime.key_database else ""
    told = {
        "STEERCO_DATABASE_URL": runtime.engine.url.render_as_string(hide_password=False),
        "STEERCO_KEYS_URL": keys,
        "STEERCO_ISSUER": issuer,
        "STEERCO_GROUP_ROLES": GROUPS,
        "STEERCO_PORT": str(port),
        "STEERCO_OPERATIONS_PORT": "0",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"steerco_{service}", "api"), env={**os.environ, **told}
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            async with asyncio.timeout(START_SECONDS):
                while not await _listens(client):
                    assert process.returncode is None, f"it ended with {process.returncode}"
                    await asyncio.sleep(0.05)
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/livez")).status_code == 204
    except httpx.TransportError:
        return False


@pytest.mark.keycloak
async def test_a_process_that_is_told_the_issuer_takes_its_tokens(served: Served, keycloak: TemporaryKeycloak) -> None:
    token = await token_of(ENTERPRISE_OFFICER, keycloak)
    async with api_of("portfolio", served, keycloak.issuer) as client:
        assert (await client.get("/readyz")).json()["ready"] is True
        for shown, status in ((token, 200), (with_kid(token, "unknown"), 401)):
            answer = await client.get("/projects", headers={"Authorization": f"Bearer {shown}"})
            assert answer.status_code == status, answer.text
        assert (await client.get("/projects")).status_code == 401


async def test_a_process_whose_issuer_cannot_be_reached_when_it_starts_lives_and_is_not_ready(served: Served) -> None:
    async with api_of("portfolio", served, f"http://127.0.0.1:{free_port()}/realms/steerco") as client:
        for path in ("/readyz", "/startupz"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:steerco:problem:issuer-unreachable")


@pytest.mark.keycloak
async def test_a_service_shows_names_by_keys_that_portfolio_gives_to_its_own_client(
    served: Served, clients: dict[str, httpx.AsyncClient], keycloak: TemporaryKeycloak
) -> None:
    (unit,) = (await clients["portfolio"].get("/units")).json()
    ada = UUID(await created(clients["portfolio"], "/people", name="Ada", unit_id=unit["unit_id"]))
    await served.settled()
    clock = SystemClock()
    checked = taking(ManualClock(clock.now()), issuer=keycloak.issuer)
    known = served.apart("portfolio", authenticator=checked, service_clients=frozenset({INTEGRATION}))
    strange = served.apart("portfolio", authenticator=checked, service_clients=frozenset({"another"}))
    async with listening(known) as portfolio, listening(strange) as another:
        own = ClientCredentials(keycloak.issuer, INTEGRATION, SECRET, clock)
        keys = RemoteKeys(portfolio.url, own)
        assert list(await keys.find([ada])) == [ada]
        shown = served.apart("reporting", keys=KeptKeys(keys))
        headers = clients["reporting"].headers
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(shown), base_url="http://r", headers=headers
        ) as asks:
            assert "Ada" in [each["name"] for each in (await asks.get("/people")).json()]
        for refused in (
            RemoteKeys(another.url, own),
            RemoteKeys(portfolio.url, ClientCredentials(keycloak.issuer, INTEGRATION, "wrong", clock)),
        ):
            with pytest.raises(KeysUnavailable):
                await refused.find([ada])
