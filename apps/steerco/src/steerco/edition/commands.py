"""`steerco up` and `steerco run-distributed`.

What runs the services is loaded by the command that runs them: reading a portfolio must not wait for it.
"""

from pathlib import Path
from typing import Annotated

import typer

from steerco.client import data_directory


def _directory(text: str) -> Path:
    if not text:
        raise typer.BadParameter("it is empty; name a directory")
    return Path(text)


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Where the data is kept.",
        envvar="STEERCO_DATA_DIR",
        parser=_directory,
        metavar="DIRECTORY",
    ),
]
Port = Annotated[
    int, typer.Option("--port", help="Where it answers, on this machine only.", min=1, max=65535, envvar="PORT")
]
"""Plain assignments: Typer does not look into a `type` statement."""


def up(
    example: Annotated[
        bool, typer.Option("--example/--empty", help="What an empty data directory is filled with.")
    ] = True,
    data_dir: DataDir = None,
    port: Port = 8080,
) -> None:
    """Run the whole of Steerco in this process, over a PostgreSQL of its own."""
    from steerco.edition.starting import run_embedded

    run_embedded("example" if example else "empty", data_dir or data_directory(), port)


def run_distributed(data_dir: DataDir = None, port: Port = 8080) -> None:
    """Run every service as processes of its own over a real Kafka, behind one port."""
    from steerco.edition.starting import run_every_service

    run_every_service(data_dir or data_directory("steerco-distributed"), port)
