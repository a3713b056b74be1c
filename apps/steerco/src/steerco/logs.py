"""The services that have a log, as commands ask for them."""

from collections.abc import Iterable, Sequence

from steerco.client import CommandFailed
from steerco_events.contracts.catalog import LOGS


def chosen(services: Iterable[str] | None) -> Sequence[str]:
    """The services that were named, or all that have a log. Raises `CommandFailed` for one that has none."""
    named = list(services or LOGS)
    for service in named:
        if service not in LOGS:
            raise CommandFailed(f"there is no log of {service!r}; there is {', '.join(LOGS)}")
    return named
