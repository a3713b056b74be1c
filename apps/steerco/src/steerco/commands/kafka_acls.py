"""`steerco kafka-acls`: who may do what in Kafka, as commands of Kafka's own tool.

What knows of it is loaded by the command alone: others must not wait for it.
"""

from typing import Annotated

import typer

from steerco.commands.said import told
from steerco.logs import chosen


def kafka_acls(
    subscriber: Annotated[
        str | None,
        typer.Option("--subscriber", metavar="USER", help="Instead, for another system that reads by this user."),
    ] = None,
    logs: Annotated[
        list[str] | None, typer.Option("--log", metavar="SERVICE", help="Which logs it reads, if not all.")
    ] = None,
) -> None:
    """Print the commands that let each service's user do its part in Kafka, and nothing else."""
    from steerco.edition.services import SERVICES
    from steerco_events.kafka.permissions import acls_of_subscriber, command_lines
    from steerco_service.kafka_access import acls_of

    with told():
        if subscriber:
            acls = acls_of_subscriber(subscriber, chosen(logs))
        else:
            acls = [acl for service in SERVICES for acl in acls_of(service)]
        for line in command_lines(acls):
            typer.echo(line)
