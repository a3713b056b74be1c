"""What a service process is told by its environment: the only module that reads it."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Environment variables `STEERCO_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="STEERCO_")

    database_url: str = Field(description="The app role's SQLAlchemy URL of the service's database.")
    owner_url: str = Field("", description="The owner role's URL: for `--role migrate` only.")
    kafka: str = Field("", description="Kafka's bootstrap servers: for `--role worker`.")
    issuer_key: Path = Field(description="File with the token issuer's public key (JWK).")
    root_path: str = Field("", description="The path under which a gateway shows the API, such as `/intake`.")
    host: str = Field("127.0.0.1", description="Where `--role api` listens.")
    port: int = Field(8000, description="The port on which `--role api` listens.")
