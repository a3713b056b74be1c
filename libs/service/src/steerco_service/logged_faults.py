"""Faults of ours are in the log, each once, by the trace in which they came to be."""

import logging

_IS_LOGGED = "steerco_is_logged"

_logger = logging.getLogger("steerco.http")


def log_fault(what: str, error: Exception) -> None:
    """Say in the log that it failed by a fault of ours, in the trace that is current; of an error once."""
    if not is_logged(error):
        _logger.error("%s failed", what, exc_info=error)
        setattr(error, _IS_LOGGED, True)


def is_logged(error: BaseException) -> bool:
    """Whether the log names it already."""
    return getattr(error, _IS_LOGGED, False)
