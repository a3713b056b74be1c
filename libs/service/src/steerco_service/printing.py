"""Somebody else's value in a line of ours. It needs nothing, so a command may load it."""


def printable(value: object, limit: int = 80) -> str:
    """A value as it can be shown in an error: quoted, escaped, short."""
    shown = ascii(value)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
