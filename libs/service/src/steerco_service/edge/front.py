"""What stands between the network and an application, once in each process that listens, and by which settings."""

from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

from steerco_service.edge.buckets import Rate
from steerco_service.edge.origins import opened_to
from steerco_service.edge.security_headers import YEAR_SECONDS, SecurityHeaders
from steerco_service.edge.sizes import LimitedSizes, Sizes
from steerco_service.edge.visits import LimitedVisits, Streams, Visits
from steerco_service.traced_requests import TracedRequests


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge of a process."""

    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    hsts_seconds: int = YEAR_SECONDS
    sizes: Sizes = field(default_factory=Sizes)
    rate: Rate = field(default_factory=Rate)
    streams: Streams = field(default_factory=Streams)

    def before(self, app: ASGIApp) -> ASGIApp:
        """The application behind all of it."""
        app = TracedRequests(LimitedVisits(LimitedSizes(app, self.sizes), Visits(self.rate, self.streams)))
        return SecurityHeaders(opened_to(self.origins, app) if self.origins else app, self.hsts_seconds)

    def before_proxy(self, app: ASGIApp) -> ASGIApp:
        """The same for one that passes requests on to others with an edge of their own, which know who asks."""
        return SecurityHeaders(TracedRequests(LimitedSizes(app, self.sizes)), self.hsts_seconds)

    @property
    def server_options(self) -> dict[str, Any]:
        """The part of it that is the server's: of a client's address and scheme it believes these proxies alone."""
        return {
            "proxy_headers": bool(self.trusted_proxies),
            "forwarded_allow_ips": list(self.trusted_proxies),
            "h11_max_incomplete_event_size": self.sizes.head,
        }
