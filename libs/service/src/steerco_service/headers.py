"""The names of headers that clients and services share."""

CONSISTENCY_TOKEN = "Consistency-Token"  # noqa: S105 a name
