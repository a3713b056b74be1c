"""A database and three roles per service, on any PostgreSQL of 16 or newer."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

import asyncpg

from steerco_servers.child import ServerFailed
from steerco_servers.directory import read_private, write_private

ROLES_FILE = "roles.json"
OLDEST = 16
"""The oldest major version of PostgreSQL that is supported."""

_ONE_AT_A_TIME = 0x57EE_2C00
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST = 63 - len("_owner")

type _Connection = asyncpg.Connection[asyncpg.Record]


@dataclass(frozen=True)
class ServiceDatabase:
    """One service's database. A role is named like the database, with `_owner`, `_app` or `_feed` after it."""

    service: str
    name: str
    owner_url: str
    """Owns the database, migrates it, is a member of the app role."""
    app_url: str
    """May connect; migrations grant the rest."""
    feed_url: str
    """May connect; migrations grant it the sealed events and nothing else."""


async def provision(
    admin_url: str, services: Iterable[str], *, passwords: Path, prefix: str = "steerco"
) -> dict[str, ServiceDatabase]:
    """Make each service's database `<prefix>_<service>` and its roles; what is there already is kept.

    `admin_url` names a superuser, or a role with CREATEDB and CREATEROLE; an asyncpg or SQLAlchemy URL.
    `passwords` is a private file (0600) that keeps the roles' passwords, made once; the roles get what it says.
    The URLs are SQLAlchemy's, with the host and the options of `admin_url`. Raises ServerFailed for a server
    that is older than 16, can't be reached or refuses; ValueError for a name that can't be one.
    """
    names = {service: database_name(prefix, service) for service in services}
    connection = await connect_as_admin(admin_url)
    try:
        await connection.execute(f"SELECT pg_advisory_lock({_ONE_AT_A_TIME})")
        known = read_private(passwords)
        roles = [f"{name}_{kind}" for name in names.values() for kind in ("owner", "app", "feed")]
        if missing := {role: secrets.token_urlsafe(24) for role in roles if role not in known}:
            known |= missing
            write_private(passwords, known)
        for name in names.values():
            await _make(connection, name, known)
    except asyncpg.PostgresError as error:
        raise ServerFailed(f"PostgreSQL refused to make the databases: {error}") from error
    finally:
        await connection.close()

    def url(name: str, kind: str) -> str:
        return role_url(admin_url, name, f"{name}_{kind}", known[f"{name}_{kind}"])

    return {
        service: ServiceDatabase(service, name, url(name, "owner"), url(name, "app"), url(name, "feed"))
        for service, name in names.items()
    }


async def deprovision(admin_url: str, services: Iterable[str], *, prefix: str = "steerco") -> None:
    """Drop the databases, with all their data, and the roles. What isn't there is passed over."""
    connection = await connect_as_admin(admin_url)
    try:
        await connection.execute(f"SELECT pg_advisory_lock({_ONE_AT_A_TIME})")
        for service in services:
            name = database_name(prefix, service)
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            for kind in ("owner", "app", "feed"):
                await connection.execute(f'DROP ROLE IF EXISTS "{name}_{kind}"')
    except asyncpg.PostgresError as error:
        raise ServerFailed(f"PostgreSQL refused to drop the databases: {error}") from error
    finally:
        await connection.close()


async def connect_as_admin(admin_url: str) -> "_Connection":
    """An asyncpg connection by either kind of URL. Raises ServerFailed, also for a server older than 16."""
    parts = urlsplit(admin_url)
    where = f"{parts.hostname or 'unix socket'}{parts.path}"
    dsn = parts._replace(scheme="postgresql", query=_renamed(parts.query, "ssl", "sslmode")).geturl()
    if not parts.netloc:  # geturl() drops the empty authority that asyncpg wants to see
        dsn = dsn.replace("postgresql:", "postgresql://", 1)
    try:
        connection = await asyncpg.connect(dsn, timeout=30, statement_cache_size=0)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise ServerFailed(f"PostgreSQL ({where}) cannot be reached: {error}") from error
    major = connection.get_server_version().major
    if major < OLDEST:
        await connection.close()
        raise ServerFailed(f"PostgreSQL ({where}) is version {major}: {OLDEST} or newer is needed")
    return connection


def role_url(admin_url: str, database: str, role: str, password: str) -> str:
    """The SQLAlchemy URL of another role and database on the same server."""
    parts = urlsplit(admin_url)
    place = parts.netloc.rpartition("@")[2]
    who = f"{quote(role, safe='')}:{quote(password, safe='')}"
    query = _renamed(parts.query, "sslmode", "ssl")
    return SplitResult("postgresql+asyncpg", f"{who}@{place}", f"/{quote(database)}", query, "").geturl()


async def _make(connection: "_Connection", name: str, passwords: dict[str, str]) -> None:
    """One service's roles and database. Names are checked and verifiers have no quotes: no value needs escaping."""
    owner, app, feed = (f"{name}_{kind}" for kind in ("owner", "app", "feed"))
    for role in (owner, app, feed):
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
            await connection.execute(f'CREATE ROLE "{role}"')
        await connection.execute(f"ALTER ROLE \"{role}\" LOGIN PASSWORD '{_verifier(passwords[role])}'")
    await connection.execute(f'GRANT "{app}" TO "{owner}"')
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            await connection.execute(f'GRANT "{owner}" TO CURRENT_USER WITH SET TRUE')
        await connection.execute(
            f'CREATE DATABASE "{name}" OWNER "{owner}" TEMPLATE template0 ENCODING \'UTF8\' '
            "LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{app}", "{feed}"')


def _verifier(password: str) -> str:
    """What PostgreSQL stores of a password (SCRAM-SHA-256, RFC 5803): no statement or log carries the password."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256$4096:{salt64}${stored64}:{server64}"


def database_name(prefix: str, service: str) -> str:
    """What a service's database is called. Raises ValueError for a name that can't be one."""
    name = f"{prefix}_{service}"
    if not (_NAME.fullmatch(prefix) and _NAME.fullmatch(service)) or len(name) > _LONGEST:
        raise ValueError(f"{name!r} cannot be the name of a database: lowercase letters, digits, _; {_LONGEST} at most")
    return name


def _renamed(query: str, option: str, name: str) -> str:
    return urlencode([(name if key == option else key, value) for key, value in parse_qsl(query)])
