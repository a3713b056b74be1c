"""An issuer is the one that tokens name, and says where its keys are."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from steerco_events.clock import ManualClock
from steerco_service.identity.authenticator import Authenticator, Expected
from steerco_service.identity.discovered_keys import BETWEEN_FETCHES, FRESH_FOR, DiscoveredKeys
from steerco_service.identity.discovery import Way
from steerco_service.problems import Problem
from steerco_service.testkit.asking_issuers import NOW, Asking, asking_an_issuer, new_key
from steerco_service.testkit.issuing import oidc_issuer, public, signed


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    async with asking_an_issuer() as asking:
        yield asking


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"issuer": "https://else.example"}, "its discovery document is of another issuer, 'https://else.example'"),
        ({"jwks_uri": None}, "its jwks_uri is no https URL"),
        ({"jwks_uri": "http://else.example/keys"}, "its jwks_uri is no https URL"),
        ({"jwks_uri": "file:///etc/keys"}, "its jwks_uri is no https URL"),
    ],
)
async def test_an_issuer_says_who_it_is_and_where_its_keys_are(
    asking: Asking, about: dict[str, Any], reason: str
) -> None:
    asking.issuer.about = about
    problem = await asking.refusal(new_key())
    assert problem.detail == f"the keys of {asking.issuer.url} can't be fetched now: {reason}"
    assert asking.asked == (1, 0)


async def test_an_issuer_is_named_exactly_as_it_names_itself(asking: Asking) -> None:
    keys = DiscoveredKeys(asking.issuer.url + "/", asking.clock)
    with pytest.raises(Problem, match="its discovery document is of another issuer"):
        await keys.keys_of(None)
    asking.issuer.about = {"issuer": asking.issuer.url + "/"}
    asking.clock.advance(BETWEEN_FETCHES)
    await keys.keys_of(None)


async def test_a_token_without_an_id_is_accepted_if_one_key_alone_can_be_meant(asking: Asking) -> None:
    first, second, other = new_key(), new_key(), OKPKey.generate_key("Ed25519")
    asking.issuer.published = [public(first), public(other)]
    await asking.ask(first, kid=None)
    await asking.ask(other, kid=None)
    asking.issuer.published.append(public(second))
    asking.clock.advance(FRESH_FOR)
    await asking.ask(first, kid=None)
    await asking.fetched()
    await asking.ask(other, kid=None)
    assert (await asking.refusal(first, kid=None)).detail.endswith("its header must have a kid that is of one key only")


async def test_an_issuer_that_is_reached_elsewhere_is_still_the_one_that_tokens_name() -> None:
    key, name = new_key(), "https://id.example/realms/pmo"
    async with oidc_issuer(key) as issuer:
        issuer.about["issuer"] = name
        clock = ManualClock(NOW)
        keys = DiscoveredKeys(name, clock, Way(issuer.url))
        authenticator = Authenticator(keys, clock, Expected(name))
        token = signed(key, "ES256", issuer.claims(NOW, iss=name))
        assert (await authenticator.principal(f"Bearer {token}")).actor.job_title == "Project manager"
        issuer.about["issuer"] = issuer.url
        with pytest.raises(Problem, match="of another issuer"):
            await DiscoveredKeys(name, clock, Way(issuer.url)).keys_of(None)


def test_an_address_that_the_issuer_names_is_asked_by_plain_http_only_at_hosts_that_were_told() -> None:
    inside = Way("http://keycloak:8080/realms/pmo", ("keycloak",))
    assert inside.trusts("http://keycloak:8080/keys")
    assert inside.trusts("https://id.example/keys")
    assert not inside.trusts("http://id.example/keys")
    assert not inside.trusts(None)
    assert not Way("http://keycloak:8080/realms/pmo").trusts("http://keycloak:8080/keys")
