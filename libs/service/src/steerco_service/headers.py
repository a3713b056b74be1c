"""The names of headers that clients and services share."""

CONSISTENCY_TOKEN = "Consistency-Token"  # noqa: S105 a name
COMPLETE_TO = "Complete-To"
"""Of a page of a scope's share of a log: up to when it is whole."""
