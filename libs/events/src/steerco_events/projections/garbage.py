"""Fewer looks for cyclic garbage while very many objects come and go, nearly none of them in a cycle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = 1_000_000
"""New objects between two looks at the young ones: more than are at work at once. With the usual 700, a third of the
time of a rebuild goes there."""

_inside: list[tuple[int, int, int]] = []
"""The usual thresholds, once for everybody who is inside."""


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Inside, by whomever it is entered, garbage is looked for rarely in the whole process."""
    usual = _inside[0] if _inside else gc.get_threshold()
    _inside.append(usual)
    gc.set_threshold(max(RARELY, usual[0]), *usual[1:])
    try:
        yield
    finally:
        _inside.pop()
        if not _inside:
            gc.set_threshold(*usual)
