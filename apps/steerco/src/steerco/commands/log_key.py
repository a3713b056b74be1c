"""`steerco log key`: the key that signs the heads of logs, made and changed."""

from pathlib import Path
from typing import Annotated

import typer

from steerco.client import CommandFailed, data_directory
from steerco.commands.said import console, told
from steerco.edition.commands import DataDir

key = typer.Typer(no_args_is_help=True, help="The key that signs the heads of the logs: make one, change it.")


@key.command("make")
def make_key(
    file: Annotated[Path, typer.Argument(help="Where the private key (JWK) is written; none may be there.")],
) -> None:
    """Make a key for services that are told it by STEERCO_LOG_KEY, and beside it its public half, for who verifies."""
    from steerco.archives.files import write_keys
    from steerco_servers.directory import write_private
    from steerco_service.log_key import LogKey, PublicLogKey

    public = file.with_suffix(".public.json")
    with told():
        made = LogKey.generate()
        try:
            for each in (file, public):
                if each.exists():
                    raise CommandFailed(f"{each} is there already, and may be what signed a log; name another file")
            write_private(file, made.private())
            write_keys(public, [PublicLogKey.of(made.public())])
        except OSError as error:
            raise CommandFailed(f"{error.filename} can't be written: {error.strerror}") from error
        console.print(f"{file} signs (keep it secret), {public} verifies", highlight=False, soft_wrap=True)


@key.command("rotate")
def rotate_key(data_dir: DataDir = None) -> None:
    """Sign by a new key from the next start of an edition on; what the present one signed stays verifiable."""
    from steerco.archives.files import read_keys, write_keys
    from steerco.edition.directory import DataDirectory
    from steerco_service.log_key import PublicLogKey

    directory = DataDirectory(data_dir or data_directory())
    with told():
        if not directory.log_key.exists():
            raise CommandFailed(f"{directory.path} holds no edition that has a key yet")
        present = read_keys(directory.log_key)
        earlier = read_keys(directory.earlier_log_keys) if directory.earlier_log_keys.exists() else []
        kept = {each.key_id: each for each in (*present, *earlier)}
        try:
            write_keys(directory.earlier_log_keys, list(kept.values()))
            new = directory.renew_log_key()
        except OSError as error:
            raise CommandFailed(f"{error.filename} can't be written: {error.strerror}") from error
        console.print(
            f"signed by {PublicLogKey.of(new.public()).key_id} from the next start on;"
            f" keys that signed before and are kept: {len(kept)}",
            highlight=False,
            soft_wrap=True,
        )
