"""Whether who asks may do what is asked, where the thing is: judged in the transaction in which it is decided."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal
from uuid import UUID

from steerco_events.decider import Refusal

type Judge = Callable[[Sequence[UUID]], bool]
"""Of the units that a thing concerns: whether it is there for who asks. Raises `Forbidden`."""


type Behalf = Callable[[Sequence[UUID]], UUID | None]
"""Of the units that a thing concerns: on whose behalf who asks does it, if on somebody else's."""


class Forbidden(Refusal):
    """Who asks may see the thing, but not do this with it."""

    kind: ClassVar[Literal["forbidden"]] = "forbidden"


class IdTaken(Refusal):
    """The id names something already, which is not there for who asks."""
