"""Which tokens of an OIDC issuer are accepted, and that one which is not is refused by the rule that it breaks."""

import hashlib
import hmac
import json
import logging
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from steerco_events.clock import ManualClock
from steerco_service.identity.authenticator import LEEWAY, Authenticator, Expected
from steerco_service.identity.discovered_keys import DiscoveredKeys
from steerco_service.identity.tokens import LONGEST_TOKEN
from steerco_service.problems import Problem
from steerco_service.testkit.issuing import OidcIssuer, SigningKey, oidc_issuer, public, signed

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
LONG, SHORT = (LEEWAY + timedelta(seconds=1)), (LEEWAY - timedelta(seconds=1))


@dataclass(frozen=True)
class Trusted:
    """An issuer with a key of each type, and who checks its tokens."""

    issuer: OidcIssuer
    rsa: RSAKey
    ec: ECKey
    ed: OKPKey
    clock: ManualClock
    authenticator: Authenticator

    def claims(self, **changes: Any) -> dict[str, Any]:
        return self.issuer.claims(NOW, **changes)

    def token(self, **changes: Any) -> str:
        """A good token, but for what is changed of its claims."""
        return signed(self.rsa, "RS256", self.claims(**changes))

    async def refusal(self, token: str) -> Problem:
        """The problem that a token is, which shows nothing of it."""
        with pytest.raises(Problem) as raised:
            await self.authenticator.principal(f"Bearer {token}")
        problem = raised.value
        assert (problem.status, problem.code) == (401, "unauthorized")
        challenge = problem.headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer error="invalid_token", error_description="the bearer token is not valid: ')
        assert challenge.count('"') == 4
        for shown in (problem.detail, challenge):
            assert not [part for part in token.split(".") if len(part) > 4 and part in shown]
        return problem


@pytest.fixture(scope="module")
async def trusted() -> AsyncIterator[Trusted]:
    rsa, ec, ed = RSAKey.generate_key(2048), ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519")
    clock = ManualClock(NOW)
    async with oidc_issuer(rsa, ec, ed) as issuer:
        authenticator = Authenticator(DiscoveredKeys(issuer.url, clock), clock, Expected(issuer.url))
        yield Trusted(issuer, rsa, ec, ed, clock, authenticator)


@pytest.mark.parametrize(
    ("key", "algorithm"), [("rsa", "RS256"), ("rsa", "PS256"), ("ec", "ES256"), ("ed", "Ed25519"), ("ed", "EdDSA")]
)
async def test_a_token_of_each_pinned_algorithm_is_accepted(trusted: Trusted, key: str, algorithm: str) -> None:
    signing: SigningKey = getattr(trusted, key)
    if algorithm == "EdDSA":
        with pytest.warns(match="EdDSA is deprecated"):
            token = signed(signing, algorithm, trusted.claims())
    else:
        token = signed(signing, algorithm, trusted.claims())
    principal = await trusted.authenticator.principal(f"Bearer {token}")
    assert (str(principal.actor.id), principal.client) == (trusted.claims()["sub"], "workbench")


@pytest.mark.parametrize("kind", [None, "JWT", "at+jwt", "application/at+jwt", "AT+JWT"])
async def test_an_access_token_may_say_that_it_is_one(trusted: Trusted, kind: str | None) -> None:
    token = signed(trusted.rsa, "RS256", trusted.claims(), typ=kind)
    await trusted.authenticator.principal(f"bearer {token}")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "steerco"},
        {"exp": NOW.timestamp() - SHORT.total_seconds()},
        {"nbf": NOW.timestamp() + SHORT.total_seconds()},
        {"iat": NOW.timestamp() + SHORT.total_seconds()},
        {"iat": None},
        {"typ": None},
    ],
)
async def test_claims_that_hold_within_the_leeway_are_accepted(trusted: Trusted, changes: dict[str, Any]) -> None:
    await trusted.authenticator.principal(f"Bearer {trusted.token(**changes)}")


@pytest.mark.parametrize(
    ("claim", "value", "rule"),
    [
        ("exp", NOW.timestamp() - LONG.total_seconds(), "exp must be an instant that is not over"),
        ("exp", "tomorrow", "exp must be an instant"),
        ("exp", float("nan"), "exp must be an instant"),
        ("exp", None, "exp is missing"),
        ("nbf", NOW.timestamp() + LONG.total_seconds(), "nbf must be an instant that has come"),
        ("iat", NOW.timestamp() + LONG.total_seconds(), "iat must be an instant that has come"),
        ("iss", "https://other.example", "iss must be the issuer http://127.0.0.1:"),
        ("iss", ["https://other.example"], "iss must be the issuer"),
        ("iss", None, "iss is missing"),
        ("aud", "account", "aud must be steerco, or a list that has it"),
        ("aud", ["account"], "aud must be"),
        ("aud", [], "aud must be"),
        ("aud", {"steerco": True}, "aud must be"),
        ("aud", None, "aud is missing"),
        ("sub", "", "sub must be a text"),
        ("sub", 7, "sub must be a text"),
        ("sub", None, "sub is missing"),
        ("sub", "a\x00b", "sub must be one line"),
        ("sub", "\ud800", "sub must be one line"),
        ("sub", "a" * 256, "sub must be one line of at most 255 characters"),
        ("sub", " a", "sub must have no spaces around it"),
        ("groups", "finance", "groups must be a list of texts"),
        ("groups", ["finance", 7], "groups must be a list of texts"),
        ("groups", {"finance": True}, "groups must be a list of texts"),
        ("job_title", ["Project manager"], "job_title must be one line"),
        ("job_title", "Project\nmanager", "job_title must be one line"),
        ("azp", 7, "azp must be one line"),
        ("typ", "ID", "typ must be that of an access token"),
        ("typ", "Refresh", "typ must be that of an access token"),
    ],
)
async def test_a_claim_that_does_not_hold_is_named_with_its_rule(
    trusted: Trusted, claim: str, value: Any, rule: str
) -> None:
    refusal = await trusted.refusal(trusted.token(**{claim: value}))
    assert refusal.detail.startswith(f"the bearer token is not valid: {rule}")


def encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).decode().rstrip("=")


def made(header: Any, claims: Any, sign: Callable[[bytes], bytes] = lambda _: b"") -> str:
    """A token made by hand, as no library would."""
    content = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{content}.{encoded(sign(content.encode()))}"


def shared_secret(trusted: Trusted, secret: bytes) -> str:
    """HS256 with what everybody knows of an RSA key as its secret."""
    header = {"alg": "HS256", "kid": trusted.rsa.thumbprint()}
    return made(header, trusted.claims(), lambda content: hmac.digest(secret, content, hashlib.sha256))


def tampered(trusted: Trusted) -> str:
    header, _, signature = trusted.token().split(".")
    return f"{header}.{encoded(json.dumps(trusted.claims(job_title='Sponsor')).encode())}.{signature}"


def encrypted(trusted: Trusted) -> str:
    return jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A128GCM"}, json.dumps(trusted.claims()), trusted.rsa)


def in_json(trusted: Trusted) -> str:
    return json.dumps(jws.serialize_json({"protected": {"alg": "RS256"}}, json.dumps(trusted.claims()), trusted.rsa))


def with_its_own_key(trusted: Trusted) -> str:
    own = RSAKey.generate_key(2048)
    return signed(own, "RS256", trusted.claims(), jwk=public(own), kid=trusted.rsa.thumbprint())


BAD_TOKENS: dict[str, tuple[Callable[[Trusted], str], str]] = {
    "unsigned": (lambda t: made({"alg": "none"}, t.claims()), "alg in its header must be one of RS256, PS256, ES256"),
    "unsigned, in capitals": (lambda t: made({"alg": "NONE"}, t.claims()), "alg in its header must be one of"),
    "the public key's PEM as secret": (lambda t: shared_secret(t, t.rsa.as_pem()), "alg in its header must be one of"),
    "the public JWK as secret": (
        lambda t: shared_secret(t, json.dumps(public(t.rsa)).encode()),
        "alg in its header must be one of",
    ),
    "an algorithm that is not pinned": (lambda t: signed(t.rsa, "RS512", t.claims()), "alg in its header must be"),
    "an algorithm of another type of key": (
        lambda t: signed(t.ec, "ES256", t.claims(), kid=t.rsa.thumbprint()),
        "alg in its header is not for the issuer's key",
    ),
    "no algorithm": (lambda t: made({}, t.claims()), "it is no compact JWS"),
    "a list as algorithm": (lambda t: made({"alg": ["RS256"]}, t.claims()), "alg in its header must be one of"),
    "a list as header": (lambda t: made(["alg"], t.claims()), "alg in its header must be one of"),
    "another issuer's key under a known id": (
        lambda t: signed(RSAKey.generate_key(2048), "RS256", t.claims(), kid=t.rsa.thumbprint()),
        "its signature is not one of the issuer's key",
    ),
    "a key that it brings itself": (with_its_own_key, "its signature is not one of the issuer's key"),
    "other claims than were signed": (tampered, "its signature is not one of the issuer's key"),
    "no signature": (lambda t: t.token().rpartition(".")[0] + ".", "its signature is not one of the issuer's key"),
    "an unknown id": (lambda t: signed(t.rsa, "RS256", t.claims(), kid="else"), "kid in its header is of no key"),
    "a number as id": (lambda t: made({"alg": "RS256", "kid": 7}, t.claims()), "kid in its header must be a text"),
    "what is critical": (
        lambda t: made({"alg": "RS256", "crit": ["exp"], "exp": 1}, t.claims()),
        "crit in its header is not supported",
    ),
    "an unencoded payload": (
        lambda t: made({"alg": "RS256", "crit": ["b64"], "b64": False}, t.claims()),
        "crit in its header is not supported",
    ),
    "another type": (
        lambda t: signed(t.rsa, "RS256", t.claims(), typ="secevent+jwt"),
        "typ in its header must be JWT or at+jwt",
    ),
    "encrypted": (encrypted, "it is no compact JWS"),
    "in JSON": (in_json, "it is no compact JWS"),
    "detached": (lambda t: jws.detach_content(t.token()), "its signature is not one of the issuer's key"),
    "claims that are no object": (lambda t: signed(t.rsa, "RS256", ["exp"]), "it is no compact JWS of a JSON object"),
    "claims without an end": (
        lambda t: jws.serialize_compact({"alg": "RS256", "kid": t.rsa.thumbprint()}, "[" * 5000, t.rsa),
        "it is no compact JWS of a JSON object",
    ),
    "a word": (lambda _: "secret", "it is no compact JWS"),
    "other letters": (lambda _: "é.ü.ß", "it is no compact JWS"),
    "very long": (lambda t: t.token(note="x" * LONGEST_TOKEN), f"it is longer than {LONGEST_TOKEN} characters"),
}


@pytest.mark.parametrize("what", BAD_TOKENS)
async def test_a_token_that_is_made_otherwise_is_refused(trusted: Trusted, what: str) -> None:
    make, rule = BAD_TOKENS[what]
    refusal = await trusted.refusal(make(trusted))
    assert refusal.detail.startswith(f"the bearer token is not valid: {rule}")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer  ", "Basic c2VjcmV0", "Bearersecret"])
async def test_who_shows_no_bearer_token_is_asked_for_one(trusted: Trusted, authorization: str | None) -> None:
    with pytest.raises(Problem) as raised:
        await trusted.authenticator.principal(authorization)
    assert (raised.value.status, raised.value.headers) == (401, {"WWW-Authenticate": "Bearer"})


async def test_a_signature_is_checked_once_and_claims_at_every_request(trusted: Trusted) -> None:
    clock = ManualClock(NOW)
    keys = DiscoveredKeys(trusted.issuer.url, clock)
    authenticator = Authenticator(keys, clock, Expected(trusted.issuer.url))
    token = trusted.token()
    for _ in range(3):
        await authenticator.principal(f"Bearer {token}")
    checked = authenticator._tokens.claims.cache_info()
    assert (checked.misses, checked.hits) == (1, 2)
    clock.advance(timedelta(minutes=5) + LONG)
    with pytest.raises(Problem, match="exp must be an instant that is not over"):
        await authenticator.principal(f"Bearer {token}")


async def test_other_algorithms_audiences_and_leeways_can_be_set(trusted: Trusted) -> None:
    keys = DiscoveredKeys(trusted.issuer.url, trusted.clock)
    strict = Expected(trusted.issuer.url, "pmo", ("RS512",), timedelta(0))
    authenticator = Authenticator(keys, trusted.clock, strict)
    await authenticator.principal(f"Bearer {signed(trusted.rsa, 'RS512', trusted.claims(aud='pmo'))}")
    late = signed(trusted.rsa, "RS512", trusted.claims(aud="pmo", exp=NOW.timestamp()))
    for token, rule in (
        (trusted.token(), "alg in its header must be one of RS512"),
        (signed(trusted.rsa, "RS512", trusted.claims()), "aud must be pmo"),
        (late, "exp must be an instant that is not over"),
    ):
        with pytest.raises(Problem, match=rule):
            await authenticator.principal(f"Bearer {token}")


async def test_no_log_and_no_traceback_shows_a_token(trusted: Trusted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keys = DiscoveredKeys("http://127.0.0.1:1", trusted.clock)
    unreachable = Authenticator(keys, trusted.clock, Expected("http://127.0.0.1:1"))
    for authenticator, token in (
        (unreachable, trusted.token()),
        (trusted.authenticator, tampered(trusted)),
        (trusted.authenticator, trusted.token(aud="account")),
    ):
        with pytest.raises(Problem) as raised:
            await authenticator.principal(f"Bearer {token}")
        logging.getLogger("test").warning("%r failed", authenticator, exc_info=raised.value)
        assert not [part for part in token.split(".") if part in caplog.text]
    assert "could not be fetched" in caplog.text
