"""`steerco login`, `logout`, `token`: who we are at an edition."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from steerco import login as logins
from steerco.client import CommandFailed, local_directory
from steerco.commands.said import told
from steerco.edition.directory import DataDirectory
from steerco_events.clock import SystemClock
from steerco_events.envelope import Actor
from steerco_servers.child import ServerFailed

LONGEST_DAYS = 366


def login(
    url: Annotated[str, typer.Argument(help="Where the edition is, such as https://steerco.example.org.")],
    issuer: Annotated[str, typer.Option("--issuer", help="The identity provider, as it names itself (a URL).")],
    client: Annotated[str, typer.Option("--client", help="What the command line is called there.")] = logins.CLIENT,
) -> None:
    """Log in at an edition by its identity provider; later commands ask there until `steerco logout`."""

    def prompt(prompt: logins.Prompt) -> None:
        typer.echo(f"open {prompt.address} and let {client} in; the code is {prompt.code}", err=True)

    with told():
        try:
            kept = logins.keep(logins.log_in(url.rstrip("/"), issuer, client, prompt))
        except logins.LoginFailed as error:
            raise CommandFailed(str(error)) from error
        typer.echo(f"logged in at {kept.url}")


def logout() -> None:
    """Be logged in no more: later commands ask the local edition, and the provider gives no more tokens."""
    try:
        typer.echo("logged out" if logins.log_out() else "nobody was logged in")
    except logins.LoginFailed as error:
        typer.echo("logged out")
        typer.echo(f"steerco: the provider still takes what it gave: {error}", err=True)


def token(
    person: Annotated[UUID, typer.Argument(help="Whose token, by their id.")],
    job_title: Annotated[str, typer.Option("--job-title", help="What events call them.")] = "Local person",
    groups: Annotated[list[str] | None, typer.Option("--group", help="A group they are in; may be repeated.")] = None,
    machine: Annotated[str | None, typer.Option("--machine", help="A machine's token: the name of its client.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=LONGEST_DAYS, help="How long it is good.")] = 1,
) -> None:
    """Print a token of the local edition for somebody else, to see what they see. It is a secret.

    What they may do is up to their appointments: `steerco appoint`.
    """
    from steerco_service.identity.issuer import Issuer
    from steerco_service.identity.principal import Principal

    with told():
        try:
            key = DataDirectory(local_directory()).kept_issuer_key()
        except ServerFailed as error:
            raise CommandFailed(str(error)) from error
        if not key:
            raise CommandFailed(f"no edition in {local_directory()} gives tokens; start one with `steerco up`")
        principal = Principal(
            Actor(person, job_title), machine or "steerco", frozenset(groups or ()), is_machine=machine is not None
        )
        typer.echo(Issuer.from_private(key).token(principal, SystemClock().now(), timedelta(days=days)))
