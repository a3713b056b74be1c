"""`steerco backup` and `steerco restore`: a consistent copy of all databases, and an edition that goes on from it."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from steerco.client import CommandFailed, data_directory
from steerco.commands.instants import to_the_second
from steerco.commands.said import console, told
from steerco.edition.commands import DataDir
from steerco.views import way_out

if TYPE_CHECKING:
    from steerco.backups.manifest import Manifest
    from steerco.backups.restoring import Beyond

TAKE = "take"


class TakesUnlessNamed(TyperGroup):
    """What is no command's name is the folder of a backup to take."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Called by click."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [TAKE, *args]
        return super().parse_args(ctx, args)


backup = typer.Typer(
    cls=TakesUnlessNamed, no_args_is_help=True, help="Copy all databases of an edition, of one cut: steerco backup DIR."
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the backup.")]
Keys = Annotated[
    Path | None,
    typer.Option("--keys", metavar="DIR", help="The folder with the keys; keep it apart. Else DIR-keys, beside it."),
]
Databases = Annotated[
    Path | None,
    typer.Option(
        "--databases",
        exists=True,
        help="Instead of a data directory: a JSON file of the owner's URL of each database, or a folder of such files.",
    ),
]


@backup.command(TAKE)
def take_backup(folder: Folder, keys: Keys = None, data_dir: DataDir = None, databases: Databases = None) -> None:
    """Copy all databases, while the edition runs or not. DIR must not be there, or be empty; the same for the keys."""
    from steerco.backups.places import beside_in, databases_in, databases_told, not_told
    from steerco.backups.reading import keys_beside
    from steerco.backups.taking import KEYS, Beside, take
    from steerco.edition.directory import DataDirectory

    folder = folder.absolute()
    into = keys.absolute() if keys else keys_beside(folder)
    kept = f"the keys are in {into}: keep them elsewhere"

    async def work() -> "Manifest":
        nonlocal kept
        if databases is not None:
            urls = databases_told(databases)
            if absent := not_told(urls):
                if KEYS[0] in absent:
                    kept = "it has no keys"
                _say(f"not in {databases}, so not in the backup: {', '.join(absent)}")
            return await take(urls, Beside(), folder, into, _say)
        directory = DataDirectory(data_dir or data_directory())
        async with databases_in(directory, _say) as urls:
            return await take(urls, beside_in(directory), folder, into, _say)

    with told():
        manifest = _run(work())
        for service, log in manifest.logs.items():
            console.print(f"{service}: up to position {log.position:,} of generation {log.generation}", highlight=False)
        at = to_the_second(manifest.taken_at.isoformat())
        _print(f"taken into {folder}, of {at} UTC; {kept}")


@backup.command("verify")
def verify_backup(
    folder: Folder,
    keys: Keys = None,
    without_keys: Annotated[bool, typer.Option("--without-keys", help="The keys are not at hand.")] = False,
) -> None:
    """Check every byte of a backup against its manifest, and that each copy can be read. Needs no edition."""
    from steerco.backups.reading import checked, checked_without_keys
    from steerco_servers.child import quiet

    folder, keys = folder.absolute(), keys and keys.absolute()
    with told():
        found = _run(checked_without_keys(folder, quiet) if without_keys else checked(folder, keys, quiet))
        for name, (file, dump) in found.dumps.items():
            _print(f"[green]✓[/] {name}: schema {dump.revision}, {file.stat().st_size / 1e6:,.1f} MB")
        at = to_the_second(found.manifest.taken_at.isoformat())
        _print(f"whole: {at} UTC, by release {found.manifest.release} over PostgreSQL {found.manifest.postgresql}")


def restore(
    folder: Folder,
    keys: Keys = None,
    data_dir: DataDir = None,
    databases: Databases = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="This database alone, such as `finance`; may be repeated. Else all."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of what is there, which is lost.")
    ] = False,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="The keys are gone: no name of a person will be readable.")
    ] = False,
) -> None:
    """Bring an edition back from a backup, which is checked first. It must not run; an error leaves it as it was."""
    from steerco.backups.directories import restore_directory
    from steerco.backups.places import databases_told
    from steerco.backups.reading import checked, checked_without_keys
    from steerco.backups.restoring import restore as restore_databases
    from steerco.backups.taking import KEYS

    target = data_dir or data_directory()
    at, theirs = folder.absolute(), keys and keys.absolute()
    needs_keys = not without_keys and (not only or any(name in KEYS for name in only))

    async def work() -> "Sequence[Beyond]":
        found = await (checked(at, theirs, _say) if needs_keys else checked_without_keys(at, _say))
        if databases is not None:
            return await restore_databases(found, databases_told(databases), only or (), _say, replace=replace)
        return await restore_directory(found, target, only or (), _say, replace=replace)

    with told():
        beyond = _run(work())
        _print(f"restored{' ' + ', '.join(only) if only else ''} from {folder}")
        _say_what_is_next(beyond, None if databases else target)


def _say_what_is_next(beyond: "Sequence[Beyond]", data_dir: Path | None) -> None:
    if data_dir:
        _print(f"start it: steerco up --data-dir {data_dir}, or steerco run-distributed; then: steerco doctor")
    else:
        _print("start migrate, then the workers and APIs; then: steerco doctor")
    if not beyond:
        return
    _print("these have read more than what they read from has now; they stop and say so, until:")
    for each in beyond:
        _print(
            f"  {each.consumer} of {each.service}, at {each.position:,} of {each.source}, which has {each.kept:,}:"
            f" {way_out(each.service, each.consumer)}"
        )


def _run[Found](work: Coroutine[Any, Any, Found]) -> Found:
    from steerco.edition.directory import EditionFailed
    from steerco_servers.child import ServerFailed

    try:
        return asyncio.run(work)
    except (EditionFailed, ServerFailed) as error:
        raise CommandFailed(str(error)) from error
    except OSError as error:
        raise CommandFailed(f"{error.filename or 'a file'}: {error.strerror or repr(error)}") from error


def _say(step: str) -> None:
    console.print(f"· {step}", highlight=False, markup=False, soft_wrap=True)


def _print(line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)
