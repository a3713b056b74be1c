"""`steerco token`: the running edition's token, for other HTTP clients."""

import typer

from steerco.client import address
from steerco.commands.said import told


def token() -> None:
    """Print the bearer token of the running edition, for curl and others. It is a secret."""
    with told():
        typer.echo(address().token)
