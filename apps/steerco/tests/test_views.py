"""What commands know of the services without loading them is what the services are."""

from steerco.edition.services import BY_NAME
from steerco.views import EVERY_SERVICE, VIEWS


def test_commands_know_the_services_that_there_are() -> None:
    assert list(EVERY_SERVICE) == list(BY_NAME)
    assert {name: service.view.name for name, service in BY_NAME.items()} == {of: view for view, of in VIEWS.items()}
