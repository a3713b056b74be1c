"""What a service process is told by its environment: the only module that reads it."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from steerco_events.consuming.consumer import PARKED_LIMIT
from steerco_events.positions import PARTITIONS
from steerco_events.postgres.accesses import KEPT
from steerco_service.access.access import STALE_AFTER
from steerco_service.access.groups import GroupRole, group_roles
from steerco_service.database_urls import DatabaseUrl
from steerco_service.edge.addresses import is_few
from steerco_service.edge.buckets import Rate
from steerco_service.edge.front import Edge
from steerco_service.edge.origins import is_origin
from steerco_service.edge.sizes import Sizes
from steerco_service.edge.visits import Streams
from steerco_service.identity.authenticator import ALGORITHMS, LEEWAY
from steerco_service.identity.discovery import Way, is_loopback, is_trustworthy
from steerco_service.identity.issuer import AUDIENCE
from steerco_service.identity.keys import SUPPORTED, KnownKeys
from steerco_service.kafka_settings import KafkaSettings
from steerco_service.mirror.settings import ScopeSettings
from steerco_service.operations.settings import OperationsSettings
from steerco_service.telemetry import TelemetrySettings
from steerco_service.variables import variable_of

_EDGE = Edge()


class EdgeSettings(TelemetrySettings):
    """What an edition is told, and every process of it: of its edge, and what it keeps. Variables `STEERCO_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="STEERCO_", env_ignore_empty=True, hide_input_in_errors=True)

    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="The origins whose scripts may ask, separated by commas."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses and networks of the proxies that are believed what they say of a client."
    )
    hsts_seconds: int = Field(_EDGE.hsts_seconds, ge=0, description="How long browsers keep to https; 0: as they like.")
    largest_head: int = Field(_EDGE.sizes.head, ge=1024, description="Bytes of a request's address and headers.")
    most_headers: int = Field(_EDGE.sizes.headers, ge=1, description="How many headers a request may have.")
    largest_body: int = Field(_EDGE.sizes.body, ge=1, description="Bytes of a request's body.")
    largest_batch: int = Field(_EDGE.sizes.batch, ge=1, description="Bytes of a batch's body.")
    requests_per_second: float = Field(_EDGE.rate.per_second, gt=0, description="Of one client, over time.")
    requests_at_once: int = Field(_EDGE.rate.at_once, ge=1, description="Of one client that sent none for a while.")
    streams_per_client: int = Field(_EDGE.streams.each, ge=0, description="Event streams of one client at once.")
    streams: int = Field(_EDGE.streams.all, ge=0, description="Event streams of the process at once.")
    access_log_days: int = Field(
        KEPT.days, ge=1, le=36_500, description="How long it is known who asked for what, from where."
    )
    parked_limit: int = Field(PARKED_LIMIT, ge=0, description="How many streams a consumer parks before it stops.")

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _are_listed(cls, names: Any) -> Any:
        return _listed(names)

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for each in origins:
            if "*" in each:
                raise ValueError(f"{each!r} would let any site ask; name each one, such as https://pmo.example")
            if not is_origin(each):
                raise ValueError(f"{each!r} is no origin as browsers say it, such as https://pmo.example")
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _are_few(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for each in proxies:
            if not is_few(each):
                raise ValueError(f"{each!r} is no address or network of a proxy, such as 10.1.2.3 or 10.1.2.0/24")
        return proxies

    @property
    def edge(self) -> Edge:
        """The edge that these settings make."""
        return Edge(
            origins=self.cors_origins,
            trusted_proxies=self.trusted_proxies,
            hsts_seconds=self.hsts_seconds,
            sizes=Sizes(self.largest_head, self.most_headers, self.largest_body, self.largest_batch),
            rate=Rate(self.requests_per_second, self.requests_at_once),
            streams=Streams(self.streams_per_client, self.streams),
        )

    @property
    def accesses_kept(self) -> timedelta:
        """How long it is known who asked for what."""
        return timedelta(days=self.access_log_days)

    @property
    def environment(self) -> dict[str, str]:
        """What tells another process the same."""
        told = self.model_dump(include=set(EdgeSettings.model_fields) & self.model_fields_set)
        return {
            variable_of(EdgeSettings, name): ",".join(value) if isinstance(value, tuple) else str(value)
            for name, value in told.items()
        }


class ServiceSettings(EdgeSettings, KafkaSettings, OperationsSettings, ScopeSettings):
    """Environment variables `STEERCO_<NAME>`; one that is empty is as if it were not set."""

    model_config = SettingsConfigDict(env_prefix="STEERCO_", env_ignore_empty=True, validate_default=False)

    database_url: DatabaseUrl = Field(
        repr=False, description="The app role's SQLAlchemy URL of the service's database."
    )
    log_key: Path | None = Field(None, description="File with the private key (JWK) that signs the log's heads.")
    heads: Path | None = Field(None, description="Folder, not in the database, that keeps the signed heads.")
    lease_seconds: float = Field(10, ge=5, description="How long a lease lasts; a dead worker's is taken over then.")
    shards: int = Field(1, ge=1, le=PARTITIONS, description="Into how many parts each consumer's work is divided.")
    keep_builds_days: int = Field(7, ge=0, description="How long a build of a view is kept after it was live.")
    plain_http_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts of a network with nobody else in it, asked by http; separated by commas."
    )
    issuer: str = Field("", description="The OIDC issuer of the tokens: its URL, as it names itself.")
    issuer_key: Path | None = Field(
        None,
        description="Instead of it, file with a local issuer's public key (JWK or JWK Set).",
        validate_default=True,
    )
    issuer_address: str = Field("", description="Where the issuer is reached from here, if not at its name.")
    audience: str = Field(AUDIENCE, min_length=1, description="What a token's `aud` has to name.")
    token_algorithms: Annotated[tuple[str, ...], NoDecode] = Field(
        ALGORITHMS, min_length=1, description="What tokens may be signed by, separated by commas."
    )
    clock_skew_seconds: int = Field(
        int(LEEWAY.total_seconds()), ge=0, le=300, description="How far the issuer's clock may be from ours."
    )
    first_admin: UUID | None = Field(
        None,
        description="The person (by id) who administers the whole enterprise from portfolio's first start on; a later "
        "start changes nothing, also with another.",
    )
    group_roles: Annotated[Mapping[str, Sequence[GroupRole]], NoDecode] = Field(
        default_factory=dict,
        description="Roles of the issuer's groups: `GROUP=ROLE` or `GROUP=ROLE@UNIT`, separated by commas.",
    )
    access_stale_minutes: float = Field(
        STALE_AFTER / timedelta(minutes=1),
        gt=0,
        description="So old what is known of units and appointments may be; then nobody is answered.",
    )
    keys_url: DatabaseUrl = Field(
        "",
        repr=False,
        description="The app role's URL of the database with the keys of people's records: for portfolio.",
    )
    service_clients: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="To which clients of the issuer portfolio serves the keys: those of the other services."
    )
    portfolio_url: str = Field("", description="Where a service that shows people's names asks portfolio for the keys.")
    client_id: str = Field("", description="The service's own client at the issuer (client credentials), to ask it by.")
    client_secret: str = Field("", repr=False, description="That client's secret.")
    service_token: str = Field("", repr=False, description="Instead of both, a token of a local issuer.")
    root_path: str = Field("", description="The path under which a gateway shows the API, such as `/intake`.")
    host: str = Field("127.0.0.1", description="Where the API listens.")
    port: int = Field(8000, ge=0, le=65535, description="The port on which the API listens.")
    drain_seconds: float = Field(
        0, ge=0, le=300, description="How long an API that is told to end goes on, not ready, before it refuses."
    )

    @property
    def way_to_issuer(self) -> Way:
        """How the issuer is reached."""
        return Way(self.issuer_address, self.plain_http_hosts)

    @field_validator("log_key")
    @classmethod
    def _holds_a_key(cls, file: Path | None) -> Path | None:
        if file:
            _take(file, OKPKey.import_key, "Ed25519 key (JWK)")
        return file

    @field_validator("plain_http_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for each in hosts:
            if "*" in each or not is_trustworthy(f"http://{each}", hosts):
                raise ValueError(f"{each!r} is no host as URLs name it, such as portfolio-api")
        return hosts

    @field_validator("issuer")
    @classmethod
    def _names_an_issuer(cls, issuer: str) -> str:
        if not is_trustworthy(issuer) or urlsplit(issuer).query or urlsplit(issuer).fragment:
            raise ValueError("no https URL, or http to loopback, without user, query and fragment")
        return issuer

    @field_validator("issuer_key")
    @classmethod
    def _is_the_only_issuer(cls, file: Path | None, told: ValidationInfo) -> Path | None:
        if "issuer" in told.data and bool(told.data["issuer"]) == bool(file):
            raise ValueError("one of STEERCO_ISSUER and STEERCO_ISSUER_KEY has to be set, and not both")
        if file:
            _take(file, KnownKeys, "public key (JWK or JWK Set)")
        return file

    @field_validator("token_algorithms", mode="before")
    @classmethod
    def _are_algorithms(cls, names: Any) -> Any:
        found = _listed(names)
        if unknown := set(found) - set(SUPPORTED):
            raise ValueError(f"{', '.join(sorted(map(repr, unknown)))}: none of {', '.join(SUPPORTED)}")
        return found

    @field_validator("service_clients", "plain_http_hosts", mode="before")
    @classmethod
    def _are_names(cls, names: Any) -> Any:
        return _listed(names)

    @field_validator("portfolio_url", "issuer_address")
    @classmethod
    def _is_answered_by_it_alone(cls, url: str, told: ValidationInfo) -> str:
        if not is_trustworthy(url, told.data.get("plain_http_hosts", ())):
            raise ValueError("no https URL, or http to loopback or to one of STEERCO_PLAIN_HTTP_HOSTS")
        return url

    @field_validator("group_roles", mode="before")
    @classmethod
    def _are_roles(cls, said: Any) -> Any:
        return group_roles(said) if isinstance(said, str) else said

    @field_validator("host")
    @classmethod
    def _is_reached_by_real_tokens(cls, host: str, told: ValidationInfo) -> str:
        if told.data.get("issuer_key") and not is_loopback(host):
            raise ValueError("with a local issuer's key it must be a loopback address; beyond, set STEERCO_ISSUER")
        return host


def _listed(names: Any) -> Any:
    """The names in a text, separated by commas."""
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else names


def _take(file: Path, take: Callable[[Any], object], what: str) -> None:
    """Have the JSON of a file taken. Raises `ValueError` when it can't be."""
    try:
        take(json.loads(file.read_text()))
    except OSError as error:
        raise ValueError(f"{file} can't be read: {error.strerror}") from error
    except (ValueError, TypeError, JoseError) as error:
        raise ValueError(f"{file} holds no {what}") from error
