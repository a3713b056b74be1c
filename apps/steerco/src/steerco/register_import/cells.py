"""What single cells say. Pure."""

import re
from datetime import UTC, datetime
from decimal import Context, Decimal

from slugify import slugify

from steerco.register_import.register_map import RegisterMap
from steerco_events.contracts.values import Money
from steerco_service.bodies import FigureBody, MoneyBody, StatedDateBody

_AMOUNT = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_EXACTLY = Context(prec=100)


def figure_of(cell: str, register: RegisterMap) -> FigureBody:
    """An amount at the map's scale; blank is not stated; anything else is kept as words.

    Raises `ValueError` for an amount that no service takes.
    """
    if not cell:
        return FigureBody()
    if not _AMOUNT.fullmatch(cell):
        return FigureBody(said=cell)
    money = Money.of(_EXACTLY.multiply(Decimal(cell), Decimal(register.scale)), register.currency)
    return FigureBody(money=MoneyBody(amount=str(money.amount), currency=money.currency))


def date_of(cell: str, register: RegisterMap) -> StatedDateBody:
    """A day in the map's format; blank is not stated; anything else is kept as words. Raises `ValueError`."""
    if not cell:
        return StatedDateBody()
    try:
        day = datetime.strptime(cell, register.date_format).replace(tzinfo=UTC).date()
    except ValueError:
        return StatedDateBody(said=cell)
    return StatedDateBody(on=day)


def code_of(pattern: str, cell: str, parent: str = "") -> str:
    """A code made by a pattern of the map."""
    return pattern.format(cell=cell, slug=slugify(cell), parent=parent)
