"""What docker-compose.yml makes in PostgreSQL is what the editions make: same databases, roles and rights."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from steerco_events.ids import new_id
from steerco_servers.binaries import postgres_programs
from steerco_servers.provisioning import connect_as_admin, deprovision, provision, role_url
from steerco_servers.testing import TemporaryPostgres
from tests.deploy.compose import ROOT

SCRIPT = ROOT / "deploy" / "compose" / "postgres" / "provision.sh"
SECRET = "it's a secret"

DATABASE = """
SELECT datdba::regrole::text AS owner, pg_encoding_to_char(encoding) AS encoding, datlocprovider AS provider,
    datcollate AS collation, datctype AS characters, datacl::text AS rights
FROM pg_database WHERE datname = $1
"""
ROLES = """
SELECT rolname AS role, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
    ARRAY(SELECT roleid::regrole::text || inherit_option || set_option || admin_option
          FROM pg_auth_members WHERE member = pg_roles.oid) AS is_in
FROM pg_roles WHERE starts_with(rolname, $1) ORDER BY rolname
"""


@pytest.fixture
async def names(postgres: TemporaryPostgres) -> AsyncIterator[tuple[str, str]]:
    """Of two services, whose databases are dropped at the end."""
    found = f"a{new_id().hex[-8:]}", f"b{new_id().hex[-8:]}"
    yield found
    await deprovision(postgres.admin_url, found)


async def by_script(postgres: TemporaryPostgres, name: str) -> None:
    url = make_url(postgres.admin_url)
    told = {
        "PGHOST": url.host or str(url.query["host"]),
        "PGPORT": str(url.port or url.query.get("port", "")),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
    }
    path = f"{postgres_programs(None)}:{os.environ['PATH']}"
    environment = {"PATH": path, **{key: value for key, value in told.items() if value}}
    done = await asyncio.create_subprocess_exec(
        "sh", SCRIPT, SECRET, name, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await done.communicate()
    assert done.returncode == 0, said.decode()


async def described(postgres: TemporaryPostgres, service: str) -> str:
    """The database and the roles of a service as the server has them, under a common name."""
    connection = await connect_as_admin(postgres.admin_url)
    try:
        name = f"steerco_{service}"
        rows = [*await connection.fetch(DATABASE, name), *await connection.fetch(ROLES, name)]
        return "\n".join(str(dict(row)) for row in rows).replace(name, "steerco_service")
    finally:
        await connection.close()


async def test_a_database_is_made_as_the_editions_make_it(
    postgres: TemporaryPostgres, names: tuple[str, str], tmp_path: Path
) -> None:
    scripted, programmed = names
    await by_script(postgres, scripted)
    await provision(postgres.admin_url, [programmed], passwords=tmp_path / "roles.json")
    expected = await described(postgres, programmed)
    assert expected.count("steerco_service_owner") > 1
    assert await described(postgres, scripted) == expected
    await by_script(postgres, scripted)
    assert await described(postgres, scripted) == expected, "also a second time"


async def test_a_role_comes_in_by_the_secret_with_its_name_and_into_its_own_database_alone(
    postgres: TemporaryPostgres, names: tuple[str, str]
) -> None:
    for name in names:
        await by_script(postgres, name)
    own, other = (f"steerco_{name}" for name in names)

    async def comes_in(database: str, password: str) -> bool:
        url = role_url(postgres.admin_url, database, f"{own}_app", password).replace("+asyncpg", "")
        connection = await asyncpg.connect(url, timeout=30)
        await connection.close()
        return True

    assert await comes_in(own, f"{SECRET}-{own}_app")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await comes_in(own, SECRET)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await comes_in(other, f"{SECRET}-{own}_app")
