"""In which form an answer is wanted, by the `Accept` header."""

from collections.abc import Mapping


def best_form[Form](accept: str, forms: Mapping[str, Form]) -> Form | None:
    """The form that is liked best, of equals the first; `forms` by the media ranges that mean them. `None`: no one."""
    best, form = 0.0, None
    for each in accept.split(","):
        name, *parameters = (part.strip().lower() for part in each.split(";"))
        quality = next((_number(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
        if name in forms and quality > best:
            best, form = quality, forms[name]
    return form


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
