"""`steerco verify`: whether the logs are what was sealed and signed; `steerco demo tamper`: what it says if not."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from steerco.archives.exporting import export_logs, is_edition_of, lines_of
from steerco.archives.files import KEY, ArchiveFile, NoArchive, archives_in, read_keys
from steerco.archives.tampering import flip_a_byte
from steerco.client import CommandFailed, connected, local_directory
from steerco.commands.log import Services
from steerco.commands.said import console, told
from steerco.edition.directory import DataDirectory
from steerco.logs import chosen
from steerco_events.archive.lines import Line
from steerco_events.archive.verifying import Altered, Verified, verify
from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import LOGS
from steerco_events.heads_file import HeadsFile
from steerco_events.positions import SignedHead
from steerco_service.log_key import PublicLogKey

KeyFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--key",
        help="The key that signed heads (JWK); may be repeated. Else those beside the data of this edition.",
    ),
]


def verify_logs(
    path: Annotated[
        Path | None, typer.Argument(help="An archive, or a folder of them. Else the logs of the running edition.")
    ] = None,
    services: Services = None,
    keys: KeyFiles = None,
    heads: Annotated[
        Path | None,
        typer.Option(
            "--heads", exists=True, file_okay=False, help="Folder with the signed heads that were kept outside."
        ),
    ] = None,
) -> None:
    """Check every event, seal and signature; names the first that was altered, and then exits with 1.

    So it does if a log is not signed, or signed by a key that was not given. Without any key nothing is said of that.
    """
    local = DataDirectory(local_directory())
    with told():
        if path is None:
            with connected() as client:
                is_local = is_edition_of(client, local)
                kept = heads or (local.heads if is_local else None)
                trusted = _keys(keys, *((local.log_key, local.earlier_log_keys) if is_local else ()))
                logs = {service: lines_of(client, service, {}) for service in chosen(services)}
                failed = _report(logs, trusted, kept)
        else:
            files = [ArchiveFile(path)] if path.is_file() else archives_in(path)
            trusted = _keys(keys, (path.parent if path.is_file() else path) / KEY)
            failed = _report({file.path.name.partition(".")[0]: file.lines() for file in files}, trusted, heads)
    if failed:
        raise typer.Exit(1)


def _keys(given: list[Path] | None, *beside: Path) -> list[PublicLogKey]:
    """Those that were given, or else those beside the data."""
    return [key for path in given or beside if given or path.exists() for key in read_keys(path)]


def _report(logs: Mapping[str, Iterator[Line]], keys: Sequence[PublicLogKey], heads: Path | None) -> bool:
    """Say of each log what it is; whether one is not what was sealed and signed."""
    failed = False
    if not keys:
        console.print("no key: signatures are not checked (--key FILE)")
    for service, lines in logs.items():
        try:
            verified = verify(lines, keys, _kept(heads, service))
            fault = verified.doubt(SystemClock().now())
        except (Altered, NoArchive) as error:
            fault = str(error)
        if fault:
            console.print(f"[red]✗[/] {service}: {escape(fault)}", highlight=False, soft_wrap=True)
            failed = True
        else:
            console.print(f"[green]✓[/] {escape(found(verified))}", highlight=False, soft_wrap=True)
    return failed


def _kept(heads: Path | None, service: str) -> Sequence[SignedHead]:
    if heads is None:
        return ()
    file = HeadsFile(heads / f"{service}.jsonl")
    try:
        return file.heads()
    except (OSError, ValueError) as error:
        raise CommandFailed(f"{file.path} holds no signed heads: {error}") from error


def found(verified: Verified) -> str:
    """What was verified, in one line: how much, how far it is signed, and what a part of a log can't show."""
    if not verified.seals:
        return f"{verified.service}: no events{_lost(verified)}"
    return (
        f"{verified.service}: {verified.events:,} events in {verified.seals:,} seals up to position"
        f" {verified.position:,} are what was sealed; {_signed(verified)}{_lost(verified)}{_part(verified)}"
    )


def _signed(verified: Verified) -> str:
    if not verified.keys:
        return "no signature checked"
    signed = f"signed up to {verified.signed_up_to:,}"
    if not verified.unsigned_since:
        return signed
    since = f"sealed since {verified.unsigned_since:%Y-%m-%d %H:%M:%S} UTC"
    if not verified.signatures:
        return f"not signed yet, {since}"
    return f"{signed}; {verified.unsigned:,} events after that, {since}, are not signed yet"


def _lost(verified: Verified) -> str:
    """The signed heads that nothing here answers to, since the log says that it was restored; nothing if none."""
    if not verified.lost:
        return ""
    heads = "1 signed head" if len(verified.lost) == 1 else f"{len(verified.lost):,} signed heads"
    up_to = max(head.position for head in verified.lost)
    return f"; {heads} up to {up_to:,} {'is' if len(verified.lost) == 1 else 'are'} of before a restore"


def _part(verified: Verified) -> str:
    """What a part of a log is, and what it does not show; nothing for a whole log."""
    beginning = verified.beginning
    places = [f"after position {beginning.after:,}"] if beginning.after else []
    places += [f"up to position {beginning.until:,}"] if beginning.until else []
    if beginning.whole:
        return f"; a part of the log: all {' and '.join(places)}" if places else ""
    subjects = dict.fromkeys([*beginning.subjects, *verified.versions])
    spans = [_span(subject, verified.versions.get(subject)) for subject in subjects]
    others = "before or after" if beginning.after else "after"
    what = f"; a part of the log: {', '.join(spans + places)}, none missing in between"
    return f"{what}; whether others came {others} is not shown"


def _span(subject: str, versions: tuple[int, int] | None) -> str:
    return f"{subject} version {versions[0]:,} to {versions[1]:,}" if versions else f"nothing of {subject}"


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
