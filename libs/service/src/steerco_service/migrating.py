"""Bringing a service's databases to their newest schema: by their owners, which no other process is told."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from steerco_service.database_urls import DatabaseUrl
from steerco_service.migrations import migrate
from steerco_service.privacy.key_database import MIGRATIONS
from steerco_service.runtime import Service
from steerco_service.secret_files import SecretSettings


class MigrationSettings(SecretSettings):
    """What a migration is told. Environment variables `STEERCO_<NAME>`."""

    model_config = SettingsConfigDict(
        env_prefix="STEERCO_", env_ignore_empty=True, hide_input_in_errors=True, validate_default=False
    )

    owner_url: DatabaseUrl = Field(repr=False, description="The owner role's SQLAlchemy URL of the service's database.")
    keys_owner_url: DatabaseUrl = Field(
        "",
        repr=False,
        description="The owner role's URL of the database with the keys of people's records: for portfolio.",
    )


async def migrate_service(service: Service, settings: MigrationSettings) -> None:
    """Bring the service's database to its newest schema, and that of the keys that it keeps."""
    await migrate(service.migrations, settings.owner_url)
    if service.keeps_keys and settings.keys_owner_url:
        await migrate(MIGRATIONS, settings.keys_owner_url)
