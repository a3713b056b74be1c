"""Takes the spans that processes on this machine send (OTLP over HTTP, protobuf)."""

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
"""As it is sent, and as it is unpacked."""

_GZIP = 16 + zlib.MAX_WBITS
MEDIA_TYPE = "application/x-protobuf"

type Take = Callable[[ExportTraceServiceRequest], None]


@contextmanager
def collecting(take: Take) -> Iterator[str]:
    """Inside, what is sent to this address of the loopback interface is taken, in other threads."""

    with _Server(take) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True, name="collector of spans")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    """Hands over what is sent to it."""

    daemon_threads = True

    def __init__(self, take: Take) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.take = take


class _TooLarge(Exception):
    """More than we take."""


def _unpacked(body: bytes) -> bytes:
    """What was packed by gzip. Raises `zlib.error`, `_TooLarge` before all of it is unpacked."""
    unpacking = zlib.decompressobj(_GZIP)
    unpacked = unpacking.decompress(body, LARGEST_BODY)
    if unpacking.unconsumed_tail:
        raise _TooLarge
    if not unpacking.eof:
        raise zlib.error("it ends before its end")
    return unpacked


def _is_taken(length: str) -> bool:
    """Whether that is a length, and not more than we take."""
    is_number = length.isascii() and length.isdecimal() and len(length) <= len(str(LARGEST_BODY))
    return is_number and int(length) <= LARGEST_BODY


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def do_POST(self) -> None:
        """Called for each request."""
        length = self.headers.get("Content-Length", "")
        if self.path != TRACES_PATH or not _is_taken(length):
            self.close_connection = True
            self._answer(HTTPStatus.NOT_FOUND if self.path != TRACES_PATH else HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        body = self.rfile.read(int(length))
        try:
            if self.headers.get("Content-Encoding") == "gzip":
                body = _unpacked(body)
            request = ExportTraceServiceRequest.FromString(body)
        except _TooLarge:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        except (DecodeError, zlib.error):
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        self.server.take(request)
        self._answer(HTTPStatus.OK, ExportTraceServiceResponse().SerializeToString())

    def _answer(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Type", MEDIA_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is said of single requests."""
