# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers that speak real TLS by themselves: Python's ssl module, that is OpenSSL. Over plain TCP in native mode."""
import contextlib
import hashlib
import http.client
import http.server
import random
import select
import socket
import socketserver
import ssl
import threading
import time
import warnings

from seam import NATIVE

TLS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
OP_IGNORE_UNEXPECTED_EOF = 1 << 7  # Python sets it, and has no name for it before 3.12
TIMEOUT_S = 60
BIG = 700_001  # bytes: some dozens of records, and not a multiple of any buffer
SMALL = 1_000


def content(size):
    """The same bytes for the same size, and no pattern in them that a lost or doubled block could hide behind."""
    return random.Random(size).randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def set_up(context, version):
    # Truncation is to be seen: a FIN without close_notify is an error.
    context.options &= ~OP_IGNORE_UNEXPECTED_EOF
    # TLS 1.2 is not deprecated for these tests, whatever a future Python says.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = TLS[version or "1.2"]
        context.maximum_version = TLS[version or "1.3"]


def server_context(cert, version=None, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert.cert, cert.key)
    set_up(context, version)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


def client_context(pki, version=None, cert=None):
    context = ssl.create_default_context(cafile=pki.ca)
    set_up(context, version)
    if cert:
        context.load_cert_chain(cert.cert, cert.key)
    return context


class Seen:
    """What a server saw of one connection."""

    def __init__(self):
        self.server_name = None
        self.version = None
        self.error = None
        self.data = b""
        self.peer_cert = None


class Server(socketserver.ThreadingTCPServer):
    """A TLS server in this process. The handshake is done in the connection's own thread."""
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, handler, context, family=socket.AF_INET, host="127.0.0.1"):
        self.address_family = family
        self.context = context
        self.seen = []
        self.done = threading.Condition()
        self.ended = 0
        super().__init__((host, 0), handler)
        self.port = self.server_address[1]
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def finish_request(self, request, client_address):
        seen = Seen()
        self.seen.append(seen)
        request.settimeout(TIMEOUT_S)
        try:
            self.serve_one(request, client_address, seen)
        except OSError as error:
            seen.error = error
        finally:
            with self.done:
                self.ended += 1
                self.done.notify_all()

    def serve_one(self, request, client_address, seen):
        if self.context is None:
            self.handle(request, client_address, seen)
            return
        secure = self.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False,
                                          suppress_ragged_eofs=False)
        secure.seam_seen = seen
        try:
            secure.do_handshake()
            seen.version = secure.version()
            seen.peer_cert = secure.getpeercert() or None
            self.handle(secure, client_address, seen)
            secure.unwrap()
        finally:
            secure.close()

    def handle(self, connection, client_address, seen):
        self.RequestHandlerClass(Connection(connection, seen), client_address, self)

    def wait_ended(self, count=1):
        """Waits until `count` connections have come and gone."""
        with self.done:
            assert self.done.wait_for(lambda: self.ended >= count, TIMEOUT_S), (
                f"the server saw {self.ended} connections end, not {count}")

    def stop(self):
        self.shutdown()
        self.server_close()
        self.thread.join(TIMEOUT_S)


class Connection:
    """A socket with what was seen of it, so that a handler can add to that."""

    def __init__(self, sock, seen):
        self._sock = sock
        self.seen = seen

    def __getattr__(self, name):
        return getattr(self._sock, name)


def note_server_name(secure, name, _context):
    secure.seam_seen.server_name = name


class Http(http.server.BaseHTTPRequestHandler):
    """GET /N gives N bytes of content(); POST gives the SHA-256 of what was posted."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.request.seen.data += self.requestline.encode()
        self.reply(content(int(self.path.strip("/"))))

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        self.reply(digest(self.rfile.read(size)).encode())


class Echo(socketserver.BaseRequestHandler):
    """Sends back what it gets, until the client closes its side."""

    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Sink(socketserver.BaseRequestHandler):
    """Keeps what it gets."""

    def handle(self):
        while data := self.request.recv(65536):
            self.request.seen.data += data


def start_server(seam, handler, cert=None, version=None, client_ca=None, **where):
    """A server with a certificate (plain TCP in native mode), stopped with the test."""
    context = None
    if not NATIVE:
        context = server_context(cert or seam.pki.good, version, client_ca)
        context.sni_callback = note_server_name
    server = Server(handler, context, **where)
    seam.cleanups.append(server.stop)
    return server


def start_plain_server(seam, handler, **where):
    server = Server(handler, None, **where)
    seam.cleanups.append(server.stop)
    return server


@contextlib.contextmanager
def connect(seam, port, version=None, cert=None):
    """A verified client connection to a server under seamtls; closed in good order, with close_notify from both sides."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain:
        if NATIVE:
            yield plain
            return
        with client_context(seam.pki, version, cert).wrap_socket(plain, server_hostname="localhost") as secure:
            yield secure
            secure.unwrap()


def http_get(seam, port, path, version=None, requests=1):
    """Fetches `path` `requests` times over one kept-alive connection; returns the body, which must be the same."""
    bodies = set()
    with connect(seam, port, version) as sock:
        client = http.client.HTTPConnection("localhost", port)
        client.sock = sock
        for _ in range(requests):
            client.request("GET", path)
            answer = client.getresponse()
            assert answer.status == 200, f"GET {path}: {answer.status} {answer.reason}"
            bodies.add(answer.read())
    assert len(bodies) == 1, f"{requests} requests of {path} gave {len(bodies)} different bodies"
    return bodies.pop()


def echo_exchange(sock, data):
    """
    Sends data and reads what comes back at the same time, in one thread: OpenSSL's connections are not for two.
    """
    sock.setblocking(False)
    rest, received, size = memoryview(data), [], 0
    end = time.monotonic() + TIMEOUT_S
    while size < len(data):
        assert time.monotonic() < end, f"{size} of {len(data)} bytes came back in {TIMEOUT_S} s"
        rest = rest[attempt(lambda: sock.send(rest[:65536]), 0):] if rest else rest
        part = attempt(lambda: sock.recv(262144), None)
        if part is None:
            select.select([sock], [sock] if rest else [], [], 0.1)
            continue
        assert part, f"the stream ended after {size} of {len(data)} bytes"
        received.append(part)
        size += len(part)
    sock.settimeout(TIMEOUT_S)
    return b"".join(received)


def attempt(call, otherwise):
    try:
        return call()
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return otherwise


def read_exactly(sock, size):
    parts = []
    while size and (part := sock.recv(min(size, 262144))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
