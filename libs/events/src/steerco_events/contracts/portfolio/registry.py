"""The event types of portfolio's log."""

from steerco_events.registry import Registry

PORTFOLIO = Registry("portfolio")
