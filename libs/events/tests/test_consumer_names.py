"""All builds of a view's version have a name in common, and no other consumer has it."""

import pytest

from steerco_events.consumer_names import consumer_name, view_of, without_build


@pytest.mark.parametrize(("version", "build"), [(1, 1), (12, 345)])
def test_the_builds_of_a_version_have_its_name_in_common(version: int, build: int) -> None:
    assert without_build(consumer_name("portfolio_register", version, build)) == f"portfolio_register_v{version}"


@pytest.mark.parametrize(("version", "build"), [(1, 1), (12, 345)])
def test_a_build_is_of_its_view(version: int, build: int) -> None:
    assert view_of(consumer_name("portfolio_register", version, build)) == "portfolio_register"


@pytest.mark.parametrize("name", ["portfolio_register_v3", "mirror_b7", "mirror_v_b7", "x_v1_b2_more", "x_v1_b2\n"])
def test_any_other_consumer_is_called_as_it_is(name: str) -> None:
    assert without_build(name) == name
    assert view_of(name) is None
