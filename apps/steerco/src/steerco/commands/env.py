"""`steerco env`: where the running edition is and its token, for other HTTP clients."""

import shlex

import typer

from steerco.client import address
from steerco.commands.said import told


def env() -> None:
    """Print STEERCO_URL and STEERCO_TOKEN for a shell: eval "$(steerco env)". The token is a secret."""
    with told():
        at = address()
        typer.echo(f"export STEERCO_URL={shlex.quote(at.url)} STEERCO_TOKEN={shlex.quote(at.token)}")
