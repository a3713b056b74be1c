"""What a process is told of its traces and logs: by OpenTelemetry's own variables where there are some."""

from typing import Literal, get_args
from urllib.parse import urlsplit

from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

type SamplerName = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]
type LogFormat = Literal["json", "text"]

PARENT_BASED = "parentbased_"


class TelemetrySettings(BaseSettings):
    """Where spans go and which are made, and how logs are written."""

    model_config = SettingsConfigDict(env_prefix="STEERCO_", env_ignore_empty=True, hide_input_in_errors=True)

    otlp_endpoint: str = Field(
        "",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="The collector of spans (OTLP over HTTP), such as http://127.0.0.1:4318; none: they go nowhere.",
    )
    otlp_headers: str = Field(
        "",
        validation_alias="OTEL_EXPORTER_OTLP_HEADERS",
        repr=False,
        description="What its requests carry, such as a token: `name=value`, separated by commas.",
    )
    traces_sampler: SamplerName | None = Field(
        None,
        validation_alias="OTEL_TRACES_SAMPLER",
        description="Which traces are recorded: "
        + ", ".join(get_args(SamplerName.__value__))
        + ". By default all, whatever their caller says; without a collector, those that their caller records.",
    )
    traces_sampler_arg: float = Field(
        1.0,
        ge=0,
        le=1,
        validation_alias="OTEL_TRACES_SAMPLER_ARG",
        description="Which part of them, for a sampler by ratio.",
    )
    log_format: LogFormat | None = Field(
        None, description="How logs are written: json, a line each, or text. By default text on a terminal, else json."
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if not url:
            return url
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("no URL such as http://127.0.0.1:4318")
        return url

    @property
    def sampler(self) -> Sampler:
        """What decides which traces are recorded: unless it is told to, no caller keeps its requests out."""
        if not self.traces_sampler:
            root = ALWAYS_ON if self.otlp_endpoint else ALWAYS_OFF
            return ParentBased(root, remote_parent_not_sampled=root)
        name = self.traces_sampler
        roots = {
            "always_on": ALWAYS_ON,
            "always_off": ALWAYS_OFF,
            "traceidratio": TraceIdRatioBased(self.traces_sampler_arg),
        }
        chosen = roots[name.removeprefix(PARENT_BASED)]
        return ParentBased(chosen) if name.startswith(PARENT_BASED) else chosen
