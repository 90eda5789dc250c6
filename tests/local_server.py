"""A web server on this machine for tests: what it answers is set path by path."""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = tuple[int, Mapping[str, str], bytes] | Callable[[BaseHTTPRequestHandler], None]


@dataclass
class LocalServer:
    """Its address, its answers, what it was asked: (time, path, headers), and what was posted."""

    address: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[float, str, dict[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    otherwise: Callable[[str], Answer | None] = lambda path: None

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]


@contextmanager
def local_server(certificate: Path | None = None) -> Iterator[LocalServer]:
    """Serve until the block ends, by TLS where there is a file with a key and a certificate."""
    state = LocalServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((time.monotonic(), self.path, dict(self.headers)))
            answer = state.answers.get(self.path) or state.otherwise(self.path)
            if callable(answer):
                answer(self)
                return
            status, headers, body = answer or (404, {}, b"nothing")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers and status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.asked.append((time.monotonic(), self.path, dict(self.headers)))
            state.bodies.append(body)
            answer = state.answers.get(self.path)
            assert callable(answer), self.path
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # the other side went away, as some tests want
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
