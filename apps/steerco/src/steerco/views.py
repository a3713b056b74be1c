"""The services of an edition and the view of each, as commands ask for them; and what lets a stopped consumer go on."""

from collections.abc import Sequence

from steerco_events.consumer_names import view_of

VIEWS = {
    "intake": "intake",
    "portfolio": "portfolio",
    "finance": "finance",
    "risk": "risk",
    "training": "training",
    "portfolio_register": "reporting",
}
"""The service of each view."""

EVERY_SERVICE: Sequence[str] = tuple(VIEWS.values())


def way_out(service: str, consumer: str) -> str:
    """The command that lets a consumer go on that stopped for a restore."""
    view = view_of(consumer)
    if view is not None and VIEWS.get(view) == service:
        return f"steerco rebuild {view}"
    return f"steerco log accept-loss {service} {consumer} --reason WHY"
