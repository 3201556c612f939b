# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that are left alone: what protects them is told from their first bytes, by whatever calls those go."""
import signal
import socket
import socketserver
import ssl
import sys

import pytest

import postgres
from ja4 import ja4
from peers import Echo, Http, client_context, connect, content, read_exactly, server_context, start_plain_server, start_server
from seam import need, rule
from servers import start_redis
from ssh import Ssh
from tap import Tap

pytestmark = pytest.mark.tls_only
PYTHON = sys.executable


def observed(seam):
    return seam.policy(default="observe")


def only(program, **fields):
    """The one connection of a program that was left alone: its two events, of which the second says more."""
    event = "pass" if fields.pop("passed", False) else "observe"
    second, = program.audit.wait(event, protocol=fields.pop("protocol", "tls"))
    first, = program.audit.find(event, protocol=None)
    assert {name: first[name] for name in ("conn", "pid", "direction", "local", "remote", "program")} == {
        name: second[name] for name in ("conn", "pid", "direction", "local", "remote", "program")}
    assert {name: second.get(name) for name in fields} == fields
    return second


JAVA = """
import java.net.*; import javax.net.ssl.*; import java.security.cert.X509Certificate;
public class Get { public static void main(String[] a) throws Exception {
  SSLContext c = SSLContext.getInstance("TLS");
  c.init(null, new TrustManager[] { new X509TrustManager() {
    public void checkClientTrusted(X509Certificate[] x, String s) {} public void checkServerTrusted(X509Certificate[] x, String s) {}
    public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; } } }, null);
  SSLSocket s = (SSLSocket) c.getSocketFactory().createSocket("127.0.0.1", Integer.parseInt(a[0]));
  s.getOutputStream().write("GET /700 HTTP/1.0\\r\\n\\r\\n".getBytes()); s.getInputStream().read(); s.close(); } }
"""
NODE = """
const s = require("tls").connect({ port: +process.argv[1], host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false,
  ALPNProtocols: ["http/1.1"] }, () => s.write("GET /700 HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"));
s.resume();
"""


def java(seam):
    path = seam.make_dir("java") / "Get.java"
    path.write_text(JAVA)
    return path


CLIENTS = {
    "curl": lambda seam, port: ["curl", "-sS", "--cacert", seam.pki.ca, f"https://localhost:{port}/700"],
    "wget": lambda seam, port: ["wget", "-q", "-O-", f"--ca-certificate={seam.pki.ca}", f"https://localhost:{port}/700"],
    "openssl": lambda seam, port: ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost"],
    "gnutls-cli": lambda seam, port: ["gnutls-cli", "--insecure", "-p", port, "localhost"],
    "java": lambda seam, port: ["java", java(seam), port],
    "node": lambda seam, port: ["node", "-e", NODE, "--", port],
}


@pytest.mark.parametrize("client", CLIENTS)
def test_clients(seam, client):
    """And the fingerprint of what each really sends."""
    need(client)
    tap = Tap(seam, start_server(seam, Http).port)
    program = seam.run(CLIENTS[client](seam, tap.port), observed(seam), stdin=b"")
    event = [e for e in program.audit.wait("observe", protocol="tls") if e["remote"].endswith(f":{tap.port}")][0]
    assert (event["version"], event["offered_version"]) == ("TLSv1.3", "TLSv1.3") and event["cipher"].startswith("TLS_")
    assert event["ja4"] == ja4(tap.sent) and event["resumed"] is False and "peer" not in event
    assert event["group"] in ("x25519", "secp256r1", "X25519MLKEM768")
    assert event.get("server_name") == (None if client == "java" else "localhost")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_both_ends(seam, version):
    """A server with TLS of its own, and its client."""
    need("curl", "openssl")
    good = seam.pki.good
    limit = ["-tls1_2"] if version == "1.2" else []
    server = seam.serve(lambda port: ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", good.cert, "-key", good.key,
                                      "-www", "-alpn", "h2,http/1.1", *limit],
                        lambda port: seam.policy(rule("inbound", port, action="observe", name="own")))
    client = seam.run(["curl", "-sS", "--http1.1", "--cacert", seam.pki.ca, f"https://localhost:{server.port}/"], observed(seam))
    seen = only(client, version=f"TLSv{version}", direction="outbound", server_name="localhost")
    accepted = [e for e in server.audit.wait("observe", protocol="tls") if e["conn"]][-1]
    assert accepted["direction"] == "inbound" and accepted["rule"] == "own" and "peer" not in accepted
    assert {name: accepted.get(name) for name in ("version", "cipher", "group", "ja4", "server_name", "alpn")} == {
        name: seen.get(name) for name in ("version", "cipher", "group", "ja4", "server_name", "alpn")}
    if version == "1.2":
        assert seen["alpn"] == "http/1.1" and seen["peer"]["subject"] and "dns:localhost" in seen["peer"]["san"]


def test_client_certificate(seam):
    """Of TLS 1.2: then it is the peer's."""
    need("openssl")
    good = seam.pki.good
    server = seam.serve(lambda port: ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", good.cert, "-key", good.key,
                                      "-www", "-tls1_2", "-Verify", "1", "-CAfile", seam.pki.ca], lambda port: observed(seam))
    with connect(seam, server.port, cert=good) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        read_exactly(sock, 1_000_000)
    event = server.audit.wait("observe", protocol="tls")[-1]
    assert event["peer"]["subject"] and event["version"] == "TLSv1.2"


def test_program_tls_is_told_of_too(seam):
    """Left alone because the program speaks TLS."""
    need("curl")
    peer = start_server(seam, Http)
    policy = seam.policy(seam.outbound(peer.port, if_program_tls="pass", server_name="localhost", name="own"))
    program = seam.run(["curl", "-sS", "--cacert", seam.pki.ca, f"https://localhost:{peer.port}/700"], policy)
    assert program.stdout == content(700)
    only(program, passed=True, rule="own", version="TLSv1.3", server_name="localhost")


def test_ssh(seam):
    ssh = Ssh(seam)
    server = ssh.start(lambda port: observed(seam))
    client = seam.run(ssh.command(server.port, "echo", "word"), observed(seam))
    assert client.stdout == b"word\n"
    assert only(client, protocol="ssh")["reason"].startswith("SSH-2.0-OpenSSH_")
    assert server.audit.wait("observe", protocol="ssh")[0]["reason"].startswith("SSH-2.0-OpenSSH_")


def test_clear(seam):
    need("curl", "redis-cli")
    web = start_plain_server(seam, Http)
    only(seam.run(["curl", "-sS", f"http://127.0.0.1:{web.port}/700"], observed(seam)), protocol="clear", application="http")
    redis = start_redis(seam, lambda port: observed(seam))
    only(seam.run(["redis-cli", "-p", redis.port, "ping"], observed(seam)), protocol="clear", application="redis")
    assert redis.audit.wait("observe", protocol="clear")[0]["application"] == "redis"


class Smtp(socketserver.BaseRequestHandler):
    """A greeting, and STARTTLS."""
    cert = None

    def handle(self):
        sock = self.request._sock
        sock.sendall(b"220 localhost ESMTP\r\n")
        sock.recv(100)
        sock.sendall(b"250-localhost\r\n250 STARTTLS\r\n")
        sock.recv(100)
        sock.sendall(b"220 go on\r\n")
        with server_context(self.cert).wrap_socket(sock, server_side=True) as secure:
            secure.recv(1)


def test_starttls_of_the_program(seam):
    need("openssl")
    peer = start_plain_server(seam, type("Smtp", (Smtp,), {"cert": seam.pki.good}))
    program = seam.run(["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{peer.port}"], observed(seam), stdin=b"")
    assert only(program, application="smtp", version="TLSv1.3")["reason"] == "upgraded to TLS by the program, from smtp"


def test_postgresql_upgrades(seam):
    server = postgres.start(seam, lambda port: observed(seam), own_tls=True)
    client = seam.run(postgres.psql(server.port, "select 'word'", f"sslmode=verify-full sslrootcert={seam.pki.ca}"), observed(seam))
    assert client.stdout == b"word\n"
    for program in (client, server):
        event = program.audit.wait("observe", protocol="tls")[0]
        assert (event["application"], event["version"]) == ("pgsql", "TLSv1.3")


# One connection to a port, by calls that move bytes in other ways. Arguments: the port.
WAYS = {
    "write": "os.write(fd, hello)",
    "send": "sock.send(hello)",
    "bytes": "[sock.send(hello[i:i + 1]) for i in range(len(hello))]",
    "writev": "os.writev(fd, [hello[:3], hello[3:100], hello[100:]])",
    "sendmsg": "sock.sendmsg([hello[:1], hello[1:]])",
    "sendto": "sock.sendto(hello, 0, ('127.0.0.1', port)) if False else sock.send(hello)",
    "sendfile": "open(path, 'wb').write(hello) and os.sendfile(fd, os.open(path, os.O_RDONLY), 0, len(hello))",
    "dup": "os.write(os.dup(fd), hello)",
    "thread": "(lambda t: (t.start(), t.join()))(threading.Thread(target=sock.send, args=(hello,)))",
    "child": "os.waitpid(os.fork() or (sock.send(hello), sock.recv(len(hello), socket.MSG_WAITALL), os._exit(0))[0], 0)",
    "dprintf": "ctypes.CDLL(None).dprintf(fd, b'GET / HTTP/1.0\\r\\n\\r\\n')",
    "splice": "(lambda r, w: (os.write(w, hello), libc.splice(r, None, fd, None, len(hello), 0)))(*os.pipe())",
    "stdio": "(lambda f: (libc.fputs(b'GET / ', f), libc.fflush(f)))(fdopen(fd, b'w'))",
    "nothing": "None",
}
SENDER = """
import ctypes, os, socket, sys, threading
libc = ctypes.CDLL(None)
fdopen = libc.fdopen
fdopen.restype = ctypes.c_void_p
libc.fputs.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
libc.fflush.argtypes = (ctypes.c_void_p,)
port, path = int(sys.argv[1]), sys.argv[2]
hello = open(sys.argv[3], "rb").read()
sock = socket.create_connection(("127.0.0.1", port))
fd = sock.fileno()
%s
sock.shutdown(socket.SHUT_WR)
while sock.recv(65536):
    pass
sock.close()
"""
KINDS = {"nothing": "none", "dprintf": "clear", "stdio": "clear"}


@pytest.fixture
def hello(seam):
    """A ClientHello of OpenSSL's."""
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client_context(seam.pki).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    path = seam.make_dir() / "hello"
    path.write_bytes(outgoing.read())
    return path


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_send(seam, hello, way):
    peer = start_plain_server(seam, Echo)
    program = seam.run([PYTHON, "-c", SENDER % WAYS[way], peer.port, seam.make_dir() / "file", hello], observed(seam))
    kind = KINDS.get(way, "tls")
    # What comes back is the ClientHello once more: no server's.
    events = program.audit.wait("observe", protocol=kind)
    assert len(events) == 1 and [e["conn"] for e in program.audit.find("observe")] == [events[0]["conn"]] * 2
    if kind == "tls":
        assert events[0]["ja4"] == ja4(hello.read_bytes())


RECEIVER = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    sock, _ = listener.accept()
    fd = sock.fileno()
    %s
    sock.close()
"""
RECEIVING = {
    "read": "os.read(fd, 4096)",
    "peek": "(sock.recv(4096, socket.MSG_PEEK), sock.recv(4096, socket.MSG_PEEK), sock.recv(4096))",
    "readv": "os.readv(fd, [bytearray(2), bytearray(4000)])",
    "recvmsg": "sock.recvmsg_into([bytearray(5), bytearray(4000)])",
    "recvfrom": "sock.recvfrom(4096)",
    "header": "[sock.recv(5), sock.recv(4000)]",
    "splice": "(lambda p: os.splice(fd, p[1], 4096))(os.pipe()) if hasattr(os, 'splice') else os.read(fd, 4096)",
    "child": "os.waitpid(os.fork() or (os.read(fd, 4096), sock.close(), os._exit(0))[0], 0)",
    "dup2": "(os.dup2(fd, 77), sock.close(), os.read(77, 4096), os.close(77))",
}


@pytest.mark.parametrize("way", RECEIVING)
def test_ways_to_receive(seam, hello, way):
    server = seam.serve(lambda port: [PYTHON, "-c", RECEIVER % RECEIVING[way], port], lambda port: observed(seam))
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(hello.read_bytes())
        sock.settimeout(20)
        try:
            sock.recv(1)
        except ConnectionResetError:
            pass
    event, = server.audit.wait("observe", protocol="tls")
    assert event["ja4"] == ja4(hello.read_bytes()) and event["server_name"] == "localhost" and "version" not in event


def test_killed_is_accounted_for(seam, hello):
    """By its first event."""
    peer = start_plain_server(seam, Echo)
    source = SENDER % "sock.send(hello[:20]); os.kill(os.getpid(), 9)"
    program = seam.run([PYTHON, "-c", source, peer.port, "x", hello], observed(seam), status=-signal.SIGKILL)
    first, = program.audit.wait("observe", protocol=None)
    assert first["remote"] == f"127.0.0.1:{peer.port}"


@pytest.mark.parametrize("end", ["sock.close()", "os._exit(0)", "sys.exit(0)", "os.execv('/bin/true', ['true'])", "os.closerange(3, 100)"])
def test_what_ends_early_says_what_is_known(seam, hello, end):
    peer = start_plain_server(seam, Echo)
    program = seam.run([PYTHON, "-c", SENDER.split("%s")[0] + f"sock.send(hello)\n{end}", peer.port, "x", hello], observed(seam))
    event, = program.audit.wait("observe", protocol="tls")
    assert event["server_name"] == "localhost" and "version" not in event


def test_failed_connections_make_no_noise(seam):
    """A refused connect() has no event, as it always was; one that was on its way says that nothing passed."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    source = "import socket, sys\nprint(socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1]))))"
    program = seam.run([PYTHON, "-c", source, port], observed(seam))
    assert program.stdout == b"111\n" and not program.audit.find("observe")


AGAIN = """
import select, socket, sys
sock = socket.socket()
sock.setblocking(False)
sock.connect_ex(("127.0.0.1", int(sys.argv[1])))
select.select([], [sock], [])
print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
print(sock.connect_ex(("127.0.0.1", int(sys.argv[2]))), sock.connect_ex(("127.0.0.1", int(sys.argv[2]))))
select.select([], [sock], [])
print(sock.connect_ex(("127.0.0.1", int(sys.argv[2]))), sock.connect_ex(("127.0.0.1", int(sys.argv[2]))))
sock.setblocking(True)
sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
"""


def test_a_second_attempt_is_decided_anew(seam):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    peer = start_plain_server(seam, Echo)
    program = seam.run([PYTHON, "-c", AGAIN, port, peer.port], observed(seam))
    assert program.stdout == b"111\n103 115\n0 106\n"
    first, second = program.audit.wait("observe", 2, protocol=None)
    assert (first["remote"], second["remote"]) == (f"127.0.0.1:{port}", f"127.0.0.1:{peer.port}") and first["conn"] != second["conn"]
    assert program.audit.find("observe", protocol="clear")[0]["conn"] == second["conn"]


def test_a_forking_server_speaks_once(seam, hello):
    source = """
import os, signal, socket, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    sock, _ = listener.accept()
    if os.fork() == 0:
        sock.recv(4096)
        os._exit(0)
    sock.close()
"""
    server = seam.serve(lambda port: [PYTHON, "-c", source, port], lambda port: observed(seam))
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(hello.read_bytes())
            sock.recv(1)
    server.audit.wait("observe", 3, protocol="tls")
    assert len([e for e in server.audit.events() if "protocol" in e]) == 3


def test_many_at_once(seam, hello):
    """Threads, each with a connection of its own, and two on one."""
    peer = start_plain_server(seam, Echo)
    source = """
import socket, sys, threading
hello = open(sys.argv[2], "rb").read()
def one():
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
            reader = threading.Thread(target=lambda: sock.recv(len(hello), socket.MSG_WAITALL))
            reader.start()
            sock.sendall(hello)
            reader.join()
threads = [threading.Thread(target=one) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
"""
    program = seam.run([PYTHON, "-c", source, peer.port, hello], observed(seam))
    events = program.audit.wait("observe", 160, protocol="tls")
    assert len({e["conn"] for e in events}) == len(events) == 160 and {e["ja4"] for e in events} == {ja4(hello.read_bytes())}
