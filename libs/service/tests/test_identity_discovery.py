"""Where an issuer's keys come from: fetched when they are needed, not too often, and used on while it is away."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from steerco_service.identity import discovery
from steerco_service.identity.discovered_keys import BETWEEN_FETCHES, FRESH_FOR, KEPT_FOR
from steerco_service.identity.discovery import DISCOVERY, LARGEST_DOCUMENT
from steerco_service.problems import Problem
from steerco_service.testkit.asking_issuers import NOW, Asking, asking_an_issuer, new_key
from steerco_service.testkit.issuing import JWKS, public


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    async with asking_an_issuer() as asking:
        yield asking


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
