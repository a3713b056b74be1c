"""The `steerco` command: its table of contents."""

from importlib.metadata import version
from typing import Annotated

import typer

from steerco.commands.appointments import appoint, appointments
from steerco.commands.audit import audit
from steerco.commands.backup import backup, restore
from steerco.commands.doctor import doctor
from steerco.commands.env import env
from steerco.commands.identity import login, logout, token
from steerco.commands.import_projects import import_projects
from steerco.commands.kafka_acls import kafka_acls
from steerco.commands.log import log
from steerco.commands.log_key import key
from steerco.commands.log_parked import parked
from steerco.commands.move import move
from steerco.commands.people import people, privacy
from steerco.commands.rebuild import rebuild
from steerco.commands.show import show_portfolio
from steerco.commands.story import story
from steerco.commands.timers import timers
from steerco.commands.trace import trace
from steerco.commands.verify import demo, verify_logs
from steerco.commands.watch import watch
from steerco.edition.commands import run_distributed, up

app = typer.Typer(
    name="steerco",
    help="An event-sourced project management office: pitches, projects, money, risks and training at every scope.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
show = typer.Typer(no_args_is_help=True, help="Read a portfolio at a scope.")
imports = typer.Typer(no_args_is_help=True, help="Take over what runs elsewhere.")

app.command("up", rich_help_panel="Editions")(up)
app.command("run-distributed", rich_help_panel="Editions")(run_distributed)
app.add_typer(show, name="show", rich_help_panel="Portfolio")
show.command("portfolio")(show_portfolio)
app.command("story", rich_help_panel="Portfolio")(story)
app.command("watch", rich_help_panel="Portfolio")(watch)
app.command("move", rich_help_panel="Portfolio")(move)
app.command("appoint", rich_help_panel="Portfolio")(appoint)
app.add_typer(appointments, name="appointments", rich_help_panel="Portfolio")
app.add_typer(people, name="people", rich_help_panel="Portfolio")
app.add_typer(imports, name="import", rich_help_panel="Portfolio")
imports.command("projects")(import_projects)
app.command("rebuild", rich_help_panel="Operations")(rebuild)
app.add_typer(log, name="log", rich_help_panel="Operations")
log.add_typer(timers, name="timers")
log.add_typer(parked, name="parked")
log.add_typer(key, name="key")
app.command("doctor", rich_help_panel="Operations")(doctor)
app.add_typer(backup, name="backup", rich_help_panel="Operations")
app.command("restore", rich_help_panel="Operations")(restore)
app.add_typer(audit, name="audit", rich_help_panel="Operations")
app.command("verify", rich_help_panel="Operations")(verify_logs)
app.add_typer(demo, name="demo", rich_help_panel="Operations")
app.add_typer(privacy, name="privacy", rich_help_panel="Operations")
app.command("kafka-acls", rich_help_panel="Operations")(kafka_acls)
app.command("trace", rich_help_panel="Operations")(trace)
app.command("env", rich_help_panel="Operations")(env)
app.command("login", rich_help_panel="Operations")(login)
app.command("logout", rich_help_panel="Operations")(logout)
app.command("token", rich_help_panel="Operations")(token)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"steerco {version('steerco')}")
        raise typer.Exit


@app.callback()
def steerco(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """What every command shares."""
