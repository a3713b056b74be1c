"""Where a process tells operations how it does."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OperationsSettings(BaseSettings):
    """Where it listens for probes and who collects metrics. Variables `STEERCO_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="STEERCO_", env_ignore_empty=True, hide_input_in_errors=True)

    operations_host: str = Field("127.0.0.1", description="Where probes and metrics are served, without a token.")
    operations_port: int = Field(
        9100,
        ge=0,
        le=65535,
        description="The port for them; 0: they are not served, nor by `steerco up` where it is not set.",
    )
