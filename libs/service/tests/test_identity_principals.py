"""What a token says of who asks: the actor, the client, groups, and whether it is a machine."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from steerco_events.clock import SystemClock
from steerco_events.envelope import Actor
from steerco_events.ids import derived_id, new_id
from steerco_service.identity.authenticator import Authenticator
from steerco_service.identity.issuer import Issuer
from steerco_service.identity.keys import KnownKeys
from steerco_service.identity.principal import Principal, principal_of

ISSUER = "https://id.example/realms/pmo"
PERSON = "0198c1de-0000-7000-8000-0000000000ff"


def said(**claims: Any) -> Principal:
    return principal_of({"sub": PERSON, "azp": "workbench"} | claims, ISSUER)


@pytest.mark.parametrize("subject", [PERSON, PERSON.upper()])
def test_a_subject_that_is_a_uuid_is_the_actor(subject: str) -> None:
    assert said(sub=subject).actor.id == UUID(PERSON)


@pytest.mark.parametrize("subject", ["auth0|7", "7", f"urn:uuid:{PERSON}", "{" + PERSON + "}", PERSON.replace("-", "")])
def test_another_subject_is_an_actor_of_its_own(subject: str) -> None:
    actor = said(sub=subject).actor
    assert actor.id == derived_id(ISSUER, subject) == said(sub=subject).actor.id
    assert actor.id != principal_of({"sub": subject}, "https://else.example").actor.id
    assert actor.id != UUID(PERSON)


@pytest.mark.parametrize(
    ("claims", "client"),
    [
        ({"azp": "workbench", "client_id": "else"}, "workbench"),
        ({"azp": None, "client_id": "else"}, "else"),
        ({"azp": " "}, "unknown"),
        ({"azp": None}, "unknown"),
    ],
)
def test_the_client_is_who_was_authorized(claims: dict[str, Any], client: str) -> None:
    assert said(**claims).client == client


@pytest.mark.parametrize(
    ("title", "job_title"), [("Sponsor", "Sponsor"), (" Sponsor ", "Sponsor"), ("", "not stated"), (None, "not stated")]
)
def test_a_person_has_the_job_title_that_is_stated(title: str | None, job_title: str) -> None:
    assert said(job_title=title).actor.job_title == job_title


def test_groups_come_without_the_slash_of_a_full_path() -> None:
    assert said(groups=["/finance/leads", "risk", "/risk"]).groups == {"finance/leads", "risk"}
    assert said().groups == said(groups=[]).groups == frozenset()


@pytest.mark.parametrize(
    ("claims", "is_machine"),
    [
        ({"client_id": "workbench", "preferred_username": "service-account-workbench"}, True),
        ({"client_id": "Ledger", "azp": "Ledger", "preferred_username": "service-account-ledger"}, True),
        ({"clientId": "workbench", "preferred_username": "service-account-workbench"}, True),
        ({"sub": "workbench"}, True),
        ({"sub": "workbench", "azp": None, "client_id": "workbench"}, True),
        ({}, False),
        ({"client_id": "workbench"}, False),
        ({"client_id": "workbench", "preferred_username": "ada"}, False),
        ({"preferred_username": "service-account-workbench"}, False),
        ({"client_id": "workbench", "preferred_username": "service-account-ledger"}, False),
        ({"sub": "ledger", "client_id": "workbench"}, False),
    ],
)
def test_a_machine_is_told_by_what_no_person_can_choose(claims: dict[str, Any], is_machine: bool) -> None:
    principal = said(**claims)
    assert principal.is_machine is is_machine
    assert principal.actor.job_title == (principal.client if is_machine else "not stated")
    assert said(job_title="Nightly import", **claims).actor.job_title == "Nightly import"


@pytest.mark.parametrize(
    "principal",
    [
        Principal(Actor(new_id(), "Project manager"), "workbench"),
        Principal(Actor(new_id(), "Sponsor"), "workbench", frozenset({"board", "finance/leads"})),
        Principal(Actor(new_id(), "ledger"), "ledger", is_machine=True),
    ],
)
async def test_the_local_issuer_speaks_for_whom_it_is_told(principal: Principal) -> None:
    issuer, clock = Issuer.generate(), SystemClock()
    token = issuer.token(principal, clock.now(), timedelta(hours=1))
    for key in (issuer.public(), issuer.jwks(), Issuer.from_private(issuer.private()).public()):
        assert await Authenticator(KnownKeys(key), clock).principal(f"Bearer {token}") == principal
