"""The keys of an OIDC issuer, as its discovery document tells: two requests, bounded in time and size."""

import asyncio
import json
from collections.abc import Container, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from steerco_service.identity.keys import VerificationKey, usable_keys
from steerco_service.printing import printable

DISCOVERY = "/.well-known/openid-configuration"

FETCH_SECONDS = 5.0
"""How long both requests together may take."""

LARGEST_DOCUMENT = 512 * 1024
"""Bytes of an answer."""

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class IssuerUnusable(Exception):
    """The issuer's keys can't be had now. The message says why."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its address or as `localhost`."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_trustworthy(url: str, plain_hosts: Container[str] = ()) -> bool:
    """Whether nobody on the way can answer instead: https, or http to loopback or to one of these hosts."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        return False
    if not host or parts.username is not None or not (url.isascii() and url.isprintable()) or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (is_loopback(host) or host in plain_hosts))


@dataclass(frozen=True, slots=True)
class Way:
    """How an issuer is reached from here: at another address than it has for people, by plain http at some hosts."""

    address: str = ""
    plain_hosts: tuple[str, ...] = ()

    def trusts(self, url: object) -> bool:
        """Whether it may be asked at this URL, which it named itself."""
        return isinstance(url, str) and is_trustworthy(url, self.plain_hosts)


DIRECT = Way()
"""At the address that is its name."""


async def fetch_keys(issuer: str, way: Way = DIRECT) -> Sequence[VerificationKey]:
    """The keys that an issuer publishes now (OpenID Connect Discovery 1.0). Raises `IssuerUnusable`."""
    try:
        async with asyncio.timeout(FETCH_SECONDS), httpx.AsyncClient(headers=_HEADERS, timeout=FETCH_SECONDS) as client:
            address = (await document_of(client, issuer, way)).get("jwks_uri")
            if not way.trusts(address):
                raise IssuerUnusable("its jwks_uri is no https URL")
            document = await _document(client, str(address))
    except TimeoutError as error:
        raise IssuerUnusable(f"it has not answered within {FETCH_SECONDS:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise IssuerUnusable(f"the request failed with {type(error).__name__}") from error
    try:
        return usable_keys(document)
    except ValueError as error:
        raise IssuerUnusable(f"{address} holds no JWK Set") from error


async def document_of(client: httpx.AsyncClient, issuer: str, way: Way = DIRECT) -> dict[str, Any]:
    """What an issuer says of itself. Raises `IssuerUnusable`, and what the client raises."""
    about = await _document(client, (way.address or issuer).rstrip("/") + DISCOVERY)
    if about.get("issuer") != issuer:
        raise IssuerUnusable(f"its discovery document is of another issuer, {printable(about.get('issuer'))}")
    return about


async def _document(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    body = b""
    async with client.stream("GET", url) as response:
        if response.status_code != httpx.codes.OK:
            raise IssuerUnusable(f"{url} answered {response.status_code}")
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > LARGEST_DOCUMENT:
                raise IssuerUnusable(f"{url} answered with more than {LARGEST_DOCUMENT} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise IssuerUnusable(f"{url} answered with what is no JSON") from error
    if not isinstance(document, dict):
        raise IssuerUnusable(f"{url} answered with what is no JSON object")
    return document
