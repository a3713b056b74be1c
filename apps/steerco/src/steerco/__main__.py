"""`python -m steerco`."""

from steerco.cli import app

app()
