"""`steerco verify`: whether the logs are what was sealed and signed; `steerco demo tamper`: what it says if not."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from steerco.archives.exporting import export_logs, lines_of
from steerco.archives.files import KEY, LOGS, ArchiveFile, archives_in, read_key
from steerco.archives.tampering import flip_a_byte
from steerco.client import CommandFailed, connected, local_directory
from steerco.commands.log import Services, chosen
from steerco.commands.said import console, told
from steerco.edition.directory import DataDirectory
from steerco_events.archive.lines import Line
from steerco_events.archive.verifying import Altered, Verified, verify
from steerco_events.positions import SignedHead
from steerco_events.signing import HeadsFile
from steerco_service.log_key import PublicLogKey

KeyFiles = Annotated[
    list[Path] | None,
    typer.Option("--key", help="The key that signed heads (JWK); may be repeated. Else the one beside the data."),
]


def verify_logs(
    path: Annotated[
        Path | None, typer.Argument(help="An archive, or a folder of them. Else the logs of the running edition.")
    ] = None,
    services: Services = None,
    keys: KeyFiles = None,
    heads: Annotated[
        Path | None, typer.Option("--heads", help="Folder with the signed heads that were kept outside of the logs.")
    ] = None,
) -> None:
    """Check every event, seal and signature; names the first that was altered, and then exits with 1."""
    local = DataDirectory(local_directory())
    with told():
        if path is None:
            kept = heads or local.heads
            with connected() as client:
                trusted = _keys(keys, local.log_key)
                logs = {service: lines_of(client, service, {}) for service in chosen(services)}
                failed = _report(logs, trusted, kept)
        else:
            files = [ArchiveFile(path)] if path.is_file() else archives_in(path)
            trusted = _keys(keys, (path.parent if path.is_file() else path) / KEY)
            failed = _report({file.path.name.partition(".")[0]: file.lines() for file in files}, trusted, heads)
    if failed:
        raise typer.Exit(1)


def _keys(given: list[Path] | None, beside: Path) -> list[PublicLogKey]:
    if given:
        return [read_key(path) for path in given]
    return [read_key(beside)] if beside.exists() else []


def _report(logs: dict[str, Iterator[Line]], keys: Sequence[PublicLogKey], heads: Path | None) -> bool:
    """Say of each log what it is; whether one was altered."""
    failed = False
    if not keys:
        console.print("no key: signatures are not checked (--key FILE)")
    for service, lines in logs.items():
        try:
            console.print(f"[green]✓[/] {_found(verify(lines, keys, _kept(heads, service)))}", highlight=False)
        except Altered as error:
            console.print(f"[red]✗[/] {service}: {escape(str(error))}", highlight=False, soft_wrap=True)
            failed = True
    return failed


def _kept(heads: Path | None, service: str) -> Sequence[SignedHead]:
    if heads is None:
        return ()
    file = HeadsFile(heads / f"{service}.jsonl")
    try:
        return file.heads()
    except (OSError, ValueError) as error:
        raise CommandFailed(f"{file.path} holds no signed heads: {error}") from error


def _found(verified: Verified) -> str:
    if not verified.events:
        return f"{verified.service}: no events"
    signed = f"signed up to {verified.signed_up_to:,}" if verified.signatures else "no signature checked"
    return (
        f"{verified.service}: {verified.events:,} events in {verified.seals:,} seals up to position"
        f" {verified.position:,} are what was sealed; {signed}"
    )


demo = typer.Typer(no_args_is_help=True, help="See for yourself.")


@demo.command("tamper")
def tamper(
    service: Annotated[str, typer.Option("--service", help=f"Whose log: {', '.join(LOGS)}.")] = "portfolio",
) -> None:
    """Alter one byte in a copy of a log, and let it be verified. The log itself is not touched."""
    with told(), tempfile.TemporaryDirectory() as folder, connected() as client:
        copy = ArchiveFile.of(Path(folder), *chosen([service]))
        export_logs(client, Path(folder), [service], {}, lambda *_: None)
        keys = _keys(None, Path(folder) / KEY)
        console.print("a copy of the log, as it is:")
        _report({service: copy.lines()}, keys, None)
        change = flip_a_byte(copy)
        console.print(f"one byte of it is altered now, at position {change.position}:", highlight=False)
        console.print(f"  {change.before}\n  {change.after}", highlight=False, markup=False, soft_wrap=True)
        if not _report({service: copy.lines()}, keys, None):
            raise CommandFailed("the altered byte was not noticed")
        console.print("so would `steerco verify` say of the running edition's log, and exit with 1")
