"""Alembic's entry: the migration runs on the connection that it was given."""

from steerco_service.migrations import run_environment

run_environment()
