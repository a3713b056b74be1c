from pathlib import Path

import asyncpg
import pytest

from steerco_servers import provisioning
from steerco_servers.postgres import ServerFailed, deprovision, provision
from steerco_servers.provisioning import connect_as_admin, role_url
from steerco_servers.testing import TemporaryPostgres


def plain(url: str) -> str:
    """For asyncpg."""
    return url.replace("postgresql+asyncpg://", "postgresql://")


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(plain(url))


async def test_each_role_enters_its_own_database_and_no_other(postgres: TemporaryPostgres) -> None:
    async with postgres.databases("finance", "risk") as databases:
        finance, risk = databases["finance"], databases["risk"]
        for url in (finance.owner_url, finance.app_url, finance.feed_url):
            connection = await connect(url)
            assert await connection.fetchval("SELECT current_database()") == finance.name
            await connection.close()
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
                await connect(url.replace(f"/{finance.name}?", f"/{risk.name}?"))
            if postgres.server:
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
                    await connect(url.replace(f"/{finance.name}?", "/postgres?"))


async def test_the_owner_makes_schemas_for_the_app_and_the_others_make_none(postgres: TemporaryPostgres) -> None:
    async with postgres.databases("finance") as databases:
        finance = databases["finance"]
        owner = await connect(finance.owner_url)
        await owner.execute(f'CREATE SCHEMA views AUTHORIZATION "{finance.name}_app"')
        await owner.execute("CREATE SCHEMA log CREATE TABLE events (position bigint)")
        await owner.close()
        for url in (finance.app_url, finance.feed_url):
            connection = await connect(url)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("CREATE SCHEMA mine")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch("SELECT * FROM log.events")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("CREATE TABLE public.mine ()")
            await connection.close()
        app = await connect(finance.app_url)
        await app.execute("CREATE TABLE views.register (id bigint)")
        await app.close()


async def test_provisioning_again_changes_nothing(postgres: TemporaryPostgres, tmp_path: Path) -> None:
    passwords = tmp_path / "roles.json"
    try:
        once = await provision(postgres.admin_url, ["finance"], passwords=passwords, prefix="again")
        owner = await connect(once["finance"].owner_url)
        await owner.execute("CREATE TABLE kept ()")
        await owner.close()
        twice = await provision(postgres.admin_url, ["risk", "finance"], passwords=passwords, prefix="again")
        assert twice["finance"] == once["finance"]
        assert passwords.stat().st_mode & 0o777 == 0o600
        owner = await connect(once["finance"].owner_url)
        assert await owner.fetchval("SELECT to_regclass('kept') IS NOT NULL")
        await owner.close()
    finally:
        await deprovision(postgres.admin_url, ["finance", "risk", "never_made"], prefix="again")


async def test_a_lost_file_of_passwords_is_replaced_and_the_roles_follow(
    postgres: TemporaryPostgres, tmp_path: Path
) -> None:
    passwords = tmp_path / "roles.json"
    try:
        before = await provision(postgres.admin_url, ["risk"], passwords=passwords, prefix="lost")
        passwords.unlink()
        after = await provision(postgres.admin_url, ["risk"], passwords=passwords, prefix="lost")
        await (await connect(after["risk"].app_url)).close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await connect(before["risk"].app_url)
    finally:
        await deprovision(postgres.admin_url, ["risk"], prefix="lost")


async def test_an_admin_need_not_be_a_superuser(postgres: TemporaryPostgres, tmp_path: Path) -> None:
    admin = await connect_as_admin(postgres.admin_url)
    await admin.execute("CREATE ROLE steerco_test_maker LOGIN CREATEDB CREATEROLE PASSWORD 'maker'")
    database = await admin.fetchval("SELECT current_database()")
    await admin.execute(f'GRANT CONNECT ON DATABASE "{database}" TO steerco_test_maker')
    maker = role_url(postgres.admin_url, database, "steerco_test_maker", "maker")
    try:
        for _ in range(2):
            made = await provision(maker, ["risk"], passwords=tmp_path / "roles.json", prefix="maker")
        await (await connect(made["risk"].feed_url)).close()
        await deprovision(maker, ["risk"], prefix="maker")
    finally:
        await deprovision(postgres.admin_url, ["risk"], prefix="maker")
        await admin.execute(f'REVOKE ALL ON DATABASE "{database}" FROM steerco_test_maker')
        await admin.execute("DROP ROLE steerco_test_maker")
        await admin.close()


async def test_a_server_that_is_too_old_is_refused_by_name(
    postgres: TemporaryPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioning, "OLDEST", 99)
    with pytest.raises(ServerFailed, match=r"is version \d+: 99 or newer is needed"):
        await connect_as_admin(postgres.admin_url)


@pytest.mark.parametrize("service", ["Finance", "fin-ance", 'x"; DROP DATABASE postgres; --', "", "f" * 60])
async def test_a_name_that_can_t_be_one_is_refused(postgres: TemporaryPostgres, tmp_path: Path, service: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        await provision(postgres.admin_url, [service], passwords=tmp_path / "roles.json")


async def test_a_server_that_isn_t_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="cannot be reached"):
        await provision("postgresql://a:b@127.0.0.1:1/postgres", ["risk"], passwords=tmp_path / "roles.json")


def test_a_role_s_url_keeps_host_and_options_of_the_admin_s() -> None:
    assert (
        role_url("postgresql://admin:x@db.example:6432/postgres?sslmode=require", "steerco_risk", "app", "p@/w")
        == "postgresql+asyncpg://app:p%40%2Fw@db.example:6432/steerco_risk?ssl=require"
    )
