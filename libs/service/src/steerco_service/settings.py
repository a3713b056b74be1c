"""What a service process is told by its environment: the only module that reads it."""

import json
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from steerco_events.consuming.consumer import PARKED_LIMIT
from steerco_events.positions import PARTITIONS

DRIVER = "postgresql+asyncpg"


class ServiceSettings(BaseSettings):
    """Environment variables `STEERCO_<NAME>`; one that is empty is as if it were not set."""

    model_config = SettingsConfigDict(env_prefix="STEERCO_", env_ignore_empty=True, validate_default=False)

    database_url: str = Field(description="The app role's SQLAlchemy URL of the service's database.")
    owner_url: str = Field("", description="The owner role's URL: for `--role migrate` only.")
    kafka: str = Field("", description="Kafka's bootstrap servers: for `--role worker`.")
    kafka_replication: int = Field(3, ge=1, description="Copies of a topic that the relay has to make.")
    log_key: Path | None = Field(None, description="File with the private key (JWK) that signs the log's heads.")
    heads: Path | None = Field(None, description="Folder, not in the database, that keeps the signed heads.")
    lease_seconds: float = Field(10, ge=5, description="How long a lease lasts; a dead worker's is taken over then.")
    shards: int = Field(1, ge=1, le=PARTITIONS, description="Into how many parts each consumer's work is divided.")
    parked_limit: int = Field(PARKED_LIMIT, ge=0, description="How many streams a consumer parks before it stops.")
    keep_builds_days: int = Field(7, ge=0, description="How long a build of a view is kept after it was live.")
    issuer_key: Path = Field(description="File with the token issuer's public key (JWK).")
    root_path: str = Field("", description="The path under which a gateway shows the API, such as `/intake`.")
    host: str = Field("127.0.0.1", description="Where `--role api` listens.")
    port: int = Field(8000, ge=0, le=65535, description="The port on which `--role api` listens.")

    @field_validator("database_url", "owner_url")
    @classmethod
    def _is_of_postgresql(cls, url: str) -> str:
        """The value is a secret: it is not in the error."""
        try:
            usable = make_url(url).drivername == DRIVER
        except (ArgumentError, ValueError):
            usable = False
        if not usable:
            raise ValueError(f"no URL such as {DRIVER}://role:password@host/database")
        return url

    @field_validator("issuer_key", "log_key")
    @classmethod
    def _holds_a_key(cls, file: Path | None) -> Path | None:
        if file is None:
            return None
        try:
            OKPKey.import_key(json.loads(file.read_text()))
        except OSError as error:
            raise ValueError(f"{file} can't be read: {error.strerror}") from error
        except (ValueError, TypeError, JoseError) as error:
            raise ValueError(f"{file} holds no Ed25519 key (JWK)") from error
        return file
