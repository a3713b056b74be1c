"""Where an issuer's keys come from: fetched when they are needed, not too often, and used on while it is away."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey
from starlette.responses import JSONResponse, RedirectResponse, Response

from steerco_events.clock import ManualClock
from steerco_service.identity import discovery
from steerco_service.identity.authenticator import Authenticator, Expected
from steerco_service.identity.discovered_keys import BETWEEN_FETCHES, FRESH_FOR, KEPT_FOR, DiscoveredKeys
from steerco_service.identity.discovery import DISCOVERY, LARGEST_DOCUMENT, Way
from steerco_service.identity.principal import Principal
from steerco_service.problems import Problem
from steerco_service.testkit.issuing import JWKS, OidcIssuer, SigningKey, oidc_issuer, public, signed

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
ALGORITHM = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}


@dataclass(frozen=True)
class Asking:
    """Somebody who asks with tokens of an issuer."""

    issuer: OidcIssuer
    clock: ManualClock
    keys: DiscoveredKeys
    authenticator: Authenticator

    def token(self, key: SigningKey, **header: Any) -> str:
        claims = self.issuer.claims(self.clock.now(), exp=(NOW + 3 * KEPT_FOR).timestamp())
        return signed(key, ALGORITHM[key.key_type], claims, **header)

    async def ask(self, key: SigningKey, **header: Any) -> Principal:
        return await self.authenticator.principal(f"Bearer {self.token(key, **header)}")

    async def refusal(self, key: SigningKey, **header: Any) -> Problem:
        with pytest.raises(Problem) as raised:
            await self.ask(key, **header)
        return raised.value

    async def fetched(self) -> None:
        """Return when no fetch is under way."""
        if self.keys._fetching:
            await self.keys._fetching

    @property
    def asked(self) -> tuple[int, int]:
        """How often the issuer was asked about itself, and for its keys."""
        return self.issuer.asked[DISCOVERY], self.issuer.asked[JWKS]


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    async with oidc_issuer() as issuer:
        clock = ManualClock(NOW)
        keys = DiscoveredKeys(issuer.url, clock)
        yield Asking(issuer, clock, keys, Authenticator(keys, clock, Expected(issuer.url)))


def new_key() -> ECKey:
    return ECKey.generate_key("P-256")


async def test_fifty_requests_at_a_cold_start_ask_once(asking: Asking) -> None:
    key = new_key()
    asking.issuer.published = [public(key)]
    await asyncio.gather(*(asking.ask(key) for _ in range(50)))
    assert asking.asked == (1, 1)


async def test_one_who_gives_up_does_not_end_the_fetch_of_the_others(asking: Asking) -> None:
    key = new_key()
    asking.issuer.published = [public(key)]
    first, second = (asyncio.create_task(asking.ask(key)) for _ in range(2))
    while not asking.keys._fetching:
        await asyncio.sleep(0)
    first.cancel()
    await second
    assert (first.cancelled(), asking.asked) == (True, (1, 1))


async def test_an_unknown_id_has_the_keys_fetched_but_not_again_and_again(asking: Asking) -> None:
    key, rotated = new_key(), new_key()
    asking.issuer.published = [public(key)]
    await asking.ask(key)
    asking.clock.advance(BETWEEN_FETCHES)
    asking.issuer.published.append(public(rotated))
    await asking.ask(rotated)
    assert asking.asked == (2, 2)
    for n in range(20):
        problem = await asking.refusal(key, kid=f"made up {n}")
        assert (problem.status, problem.detail) == (
            401,
            "the bearer token is not valid: kid in its header is of no key of the issuer",
        )
    assert asking.asked == (2, 2)
    asking.clock.advance(BETWEEN_FETCHES)
    await asyncio.gather(*(asking.refusal(key, kid=f"made up {n}") for n in range(20)))
    await asking.ask(key)
    assert asking.asked == (3, 3)


async def test_a_key_that_vanished_is_refused_also_for_a_token_seen_before(asking: Asking) -> None:
    former, present = new_key(), new_key()
    asking.issuer.published = [public(former), public(present)]
    await asking.ask(former)
    token = asking.token(former)
    await asking.authenticator.principal(f"Bearer {token}")
    asking.issuer.published = [public(present)]
    asking.clock.advance(FRESH_FOR)
    await asking.ask(present)
    await asking.fetched()
    with pytest.raises(Problem, match="kid in its header is of no key of the issuer"):
        await asking.authenticator.principal(f"Bearer {token}")
    asking.issuer.published = [public(present) | {"kid": former.thumbprint()}]
    asking.clock.advance(BETWEEN_FETCHES)
    with pytest.raises(Problem, match="its signature is not one of the issuer's key"):
        await asking.authenticator.principal(f"Bearer {token}")


async def test_old_keys_are_fetched_anew_while_requests_go_on(asking: Asking) -> None:
    key = new_key()
    asking.issuer.published = [public(key)]
    await asking.ask(key)
    asking.issuer.answers[DISCOVERY] = asking.issuer.held
    asking.clock.advance(FRESH_FOR - timedelta(seconds=1))
    await asking.ask(key)
    assert asking.asked == (1, 1)
    asking.clock.advance(timedelta(seconds=1))
    for _ in range(5):
        await asking.ask(key)
    while asking.asked != (2, 1):
        await asyncio.sleep(0.001)
    asking.clock.advance(BETWEEN_FETCHES)
    await asking.ask(key)
    asking.issuer.released.set()
    await asking.fetched()
    assert asking.authenticator.degraded == {
        f"keys of {asking.issuer.url}": f"{asking.issuer.url}{DISCOVERY} answered 500"
    }
    asking.issuer.answers.clear()
    asking.clock.advance(BETWEEN_FETCHES)
    await asking.ask(key)
    await asking.fetched()
    assert (asking.asked, asking.authenticator.degraded) == ((3, 2), {})


async def test_keys_are_used_for_a_day_while_the_issuer_is_away(asking: Asking) -> None:
    key = new_key()
    asking.issuer.published = [public(key)]
    await asking.ask(key)
    await asking.issuer.go()
    asking.clock.advance(KEPT_FOR - timedelta(seconds=1))
    await asking.ask(key)
    await asking.authenticator.prepare()
    await asking.fetched()
    unknown = await asking.refusal(key, kid="perhaps a new one")
    assert (unknown.status, unknown.code) == (503, "issuer-unreachable")
    asking.clock.advance(timedelta(seconds=1))
    assert (await asking.refusal(key)).code == "issuer-unreachable"
    with pytest.raises(Problem, match=r"the keys of http://127\.0\.0\.1:\d+ can't be fetched now"):
        await asking.authenticator.prepare()
    await asking.issuer.come()
    asking.clock.advance(BETWEEN_FETCHES)
    await asking.ask(key)


async def test_an_issuer_that_was_never_reached_is_a_503_until_it_comes(asking: Asking) -> None:
    key = new_key()
    asking.issuer.published = [public(key)]
    await asking.issuer.go()
    for problem in (await asking.refusal(key), await asking.refusal(key)):
        assert (problem.status, problem.code, problem.headers) == (503, "issuer-unreachable", {"Retry-After": "10"})
        assert problem.detail == f"the keys of {asking.issuer.url} can't be fetched now: " + (
            "the request failed with ConnectError"
        )
    await asking.issuer.come()
    assert (await asking.refusal(key)).code == "issuer-unreachable"
    asking.clock.advance(BETWEEN_FETCHES)
    await asking.authenticator.prepare()
    await asking.ask(key)
    assert asking.asked == (1, 1)


async def test_a_clock_that_was_put_back_keeps_no_key_for_long(asking: Asking) -> None:
    key = new_key()
    asking.issuer.published = [public(key)]
    asking.clock.advance(timedelta(days=2))
    await asking.authenticator.prepare()
    asking.clock.set(NOW)
    await asking.ask(key)
    assert asking.asked == (2, 2)


def held(asking: Asking) -> Callable[[], Awaitable[Response]]:
    return asking.issuer.held


def dripping(asking: Asking) -> Callable[[], Awaitable[Response]]:
    return asking.issuer.dripping


def answering(response: Response) -> Callable[[Asking], Callable[[], Awaitable[Response]]]:
    async def answer() -> Response:
        return response

    return lambda _: answer


UNUSABLE: Sequence[tuple[str, Callable[[Asking], Callable[[], Awaitable[Response]]], str]] = [
    (DISCOVERY, held, "it has not answered within 0.2 s"),
    (JWKS, dripping, "it has not answered within 0.2 s"),
    (DISCOVERY, answering(RedirectResponse("https://else.example/")), "answered 307"),
    (JWKS, answering(RedirectResponse("https://else.example/")), "answered 307"),
    (DISCOVERY, answering(Response(status_code=503)), "answered 503"),
    (DISCOVERY, answering(Response("<html>")), "answered with what is no JSON"),
    (DISCOVERY, answering(Response("[" * 100_000)), "answered with what is no JSON"),
    (DISCOVERY, answering(JSONResponse(["issuer"])), "answered with what is no JSON object"),
    (DISCOVERY, answering(JSONResponse({})), "its discovery document is of another issuer, None"),
    (JWKS, answering(Response(b" " * (LARGEST_DOCUMENT + 1))), f"answered with more than {LARGEST_DOCUMENT} bytes"),
    (
        JWKS,
        answering(Response(gzip.compress(b" " * LARGEST_DOCUMENT * 20), headers={"Content-Encoding": "gzip"})),
        "answered with what is no JSON",
    ),
    (JWKS, answering(JSONResponse({"keys": {}})), "holds no JWK Set"),
]


@pytest.mark.parametrize(("path", "answer", "reason"), UNUSABLE)
async def test_an_answer_that_is_of_no_use_is_told(
    asking: Asking,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    answer: Callable[[Asking], Callable[[], Awaitable[Response]]],
    reason: str,
) -> None:
    if answer in (held, dripping):
        monkeypatch.setattr(discovery, "FETCH_SECONDS", 0.2)
    asking.issuer.answers[path] = answer(asking)
    problem = await asking.refusal(new_key())
    assert (problem.status, problem.code) == (503, "issuer-unreachable")
    assert problem.detail.endswith(reason)


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
