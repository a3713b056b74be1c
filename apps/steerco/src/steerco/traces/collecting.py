"""Takes the spans that processes on this machine send (OTLP over HTTP, protobuf)."""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from steerco_service.traces import TRACES_PATH

LARGEST_BODY = 16 * 1024 * 1024
MEDIA_TYPE = "application/x-protobuf"

type Take = Callable[[ExportTraceServiceRequest], None]


@contextmanager
def collecting(take: Take) -> Iterator[str]:
    """Inside, what is sent to this address of the loopback interface is taken, in other threads."""

    class Handler(_Handler):
        def taken(self, request: ExportTraceServiceRequest) -> None:
            take(request)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True, name="collector of spans")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def taken(self, request: ExportTraceServiceRequest) -> None:
        """What is done with it."""
        raise NotImplementedError

    def do_POST(self) -> None:
        """Called for each request."""
        length = self.headers.get("Content-Length", "")
        if self.path != TRACES_PATH or not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self._answer(HTTPStatus.NOT_FOUND if self.path != TRACES_PATH else HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        body = self.rfile.read(int(length))
        try:
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = ExportTraceServiceRequest.FromString(body)
        except (DecodeError, OSError, EOFError, zlib.error):
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        self.taken(request)
        self._answer(HTTPStatus.OK, ExportTraceServiceResponse().SerializeToString())

    def _answer(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Type", MEDIA_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is said of single requests."""
