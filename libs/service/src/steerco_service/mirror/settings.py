"""What a deployment for one unit is told: which unit, and where the services of the enterprise are."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from steerco_service.identity.discovery import is_trustworthy


@dataclass(frozen=True, slots=True)
class Source:
    """The unit, by its id or code, and the address below which the services are found by their names."""

    scope: str
    url: str


class ScopeSettings(BaseSettings):
    """Variables `STEERCO_<NAME>` of a service that is built from others' logs, for one unit with all below it."""

    model_config = SettingsConfigDict(env_prefix="STEERCO_", env_ignore_empty=True, hide_input_in_errors=True)

    scope: str = Field(
        "",
        description="The unit, by its code or id, that reporting is for, from what it may hold of the logs over HTTP.",
    )
    source_url: str = Field(
        "", description="For such a reporting: the gateway, below which each service is found by its name."
    )

    @field_validator("source_url")
    @classmethod
    def _keeps_events_secret(cls, url: str) -> str:
        if url and not is_trustworthy(url):
            raise ValueError("no https URL, or http to loopback")
        return url

    @model_validator(mode="after")
    def _say_all_of_it(self) -> Self:
        if bool(self.scope) != bool(self.source_url):
            raise ValueError("STEERCO_SCOPE and STEERCO_SOURCE_URL go together")
        return self

    @property
    def source(self) -> Source | None:
        """Where the logs come from, if not from Kafka."""
        return Source(self.scope, self.source_url.rstrip("/")) if self.scope else None

    @property
    def not_needed(self) -> Collection[str]:
        """The settings that are not needed, as another is in their place."""
        return ("kafka",) if self.source else ()
