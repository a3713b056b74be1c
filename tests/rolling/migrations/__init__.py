"""The dock's database, as the release that writes needs it."""
