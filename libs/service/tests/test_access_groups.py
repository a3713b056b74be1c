"""Groups of an identity provider as roles: what a setting says of them, and which part of it is wrong."""

import pytest
from pydantic import ValidationError

from steerco_service.access.groups import GroupRole, group_roles
from steerco_service.access.permissions import ROLES
from steerco_service.settings import ServiceSettings

URL = "postgresql+asyncpg://app@127.0.0.1:1/risk"
ISSUER = "https://id.example/realms/pmo"


def test_a_group_is_a_role_at_a_unit_or_in_the_whole_enterprise() -> None:
    assert group_roles("pmo-staff=pmo_officer@SUP, auditors = auditor") == {
        "pmo-staff": [GroupRole("pmo_officer", "SUP")],
        "auditors": [GroupRole("auditor")],
    }


def test_a_group_may_be_several_roles() -> None:
    assert group_roles("a=viewer,a=sponsor@SUP,a=sponsor@COR") == {
        "a": [GroupRole("viewer"), GroupRole("sponsor", "SUP"), GroupRole("sponsor", "COR")]
    }


def test_nothing_said_is_no_group() -> None:
    assert group_roles("") == group_roles(" , ,") == {}


def test_a_group_may_be_named_by_a_path_and_with_signs_of_our_own() -> None:
    assert group_roles("pmo/staff=viewer,cn=pmo@org=viewer") == {
        "pmo/staff": [GroupRole("viewer")],
        "cn=pmo@org": [GroupRole("viewer")],
    }


def test_the_slash_that_a_token_s_path_begins_with_is_not_part_of_the_group() -> None:
    assert group_roles("/pmo/staff=viewer") == {"pmo/staff": [GroupRole("viewer")]}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_role_can_be_a_group_s(role: str) -> None:
    ((granted,),) = group_roles(f"group={role}@SUP").values()
    assert (granted.role, granted.unit_code) == (role, "SUP")


@pytest.mark.parametrize(
    "part", ["staff", "staff=", "=viewer", "/=viewer", "staff=king", "staff=viewer@", "staff=@SUP"]
)
def test_what_is_no_group_with_a_role_is_named(part: str) -> None:
    with pytest.raises(ValueError, match="is not GROUP=ROLE or GROUP=ROLE@UNIT, with one of the roles") as raised:
        group_roles(f"good=viewer, {part}")
    assert str(raised.value).startswith(repr(part))


def test_a_service_is_told_its_groups_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DATABASE_URL": URL, "ISSUER": ISSUER, "GROUP_ROLES": "staff=pmo_officer@SUP"}.items():
        monkeypatch.setenv(f"STEERCO_{name}", value)
    assert ServiceSettings().group_roles == {"staff": [GroupRole("pmo_officer", "SUP")]}
    monkeypatch.setenv("STEERCO_GROUP_ROLES", "staff=king")
    with pytest.raises(ValidationError, match="'staff=king' is not GROUP=ROLE"):
        ServiceSettings()
