# SPDX-License-Identifier: GPL-3.0-or-later
"""What native peers negotiate or do beside the usual: groups and HelloRetryRequest, ALPN, limits of records, padding, early data,
KeyUpdate, certificates asked for after the handshake; in both roles."""
import os
import select
import socket
import subprocess
import sys

import pytest

import apache
from peers import Server, server_context
from seam import need
from servers import BLOCKING_ECHO

pytestmark = pytest.mark.tls_only

BULK = 200_000

# One line asked for, much sent.
BULK_SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
while True:
    sock, _ = listener.accept()
    try:
        sock.recv(1000)
        sock.sendall(b"x" * 200000 + b"\\nend\\n")
    except OSError:
        pass
    sock.close()
"""

# One answer, and the end.
ANSWER_SERVER = BLOCKING_ECHO.replace("while data := connection.recv(65536):", "if data := connection.recv(65536):")

# Says lines one by one, and prints what comes back.
TALKER = """
import socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
for line in sys.stdin.buffer:
    sock.sendall(line)
    if line.startswith(b"more"):
        sys.stdout.buffer.write(sock.recv(1000))
        sys.stdout.flush()
"""

GET = """
import http.client, sys
connection = http.client.HTTPConnection("localhost", int(sys.argv[1]))
connection.request("GET", sys.argv[2])
print(len(connection.getresponse().read()))
"""


def serve(seam, script=BULK_SERVER, version=None, **keys):
    return seam.serve(lambda port: [sys.executable, "-c", script, port],
                      lambda port: seam.policy(seam.inbound(port, version=version, **keys)))


def s_client(seam, port, *options, data=b"hello\n"):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", seam.pki.ca,
                           "-servername", "localhost", *options],
                          input=data, capture_output=True, timeout=30, check=False)


def s_server(seam, *options):
    """OpenSSL's server; it answers GET /."""
    cert = seam.pki.good
    return seam.serve(lambda port: ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet", "-cert", cert.cert,
                                    "-key", cert.key, *options])


def get(seam, port, status=0, **keys):
    program = seam.run([sys.executable, "-c", GET, port, "/"], seam.policy(seam.outbound(port, **keys)), status=status)
    return program


# --- Records

@pytest.mark.parametrize("most", [512, 4096])
def test_max_fragment_length(seam, version, most):
    """RFC 6066 4: s_client refuses a record that is larger than what it asked for."""
    done = s_client(seam, serve(seam, version=version).port, "-quiet", "-maxfraglen", str(most))
    assert done.stdout.count(b"x") == BULK, done.stderr.decode()


def test_gnutls_with_record_size_limit(seam, version):
    """RFC 8449 is offered by GnuTLS, and not taken up."""
    need("gnutls-cli")
    server = serve(seam, version=version)
    done = subprocess.run(["gnutls-cli", "--recordsize", "512", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", "--x509cafile",
                           seam.pki.ca, "-p", str(server.port), "localhost"],
                          input=b"hello\n", capture_output=True, timeout=30, check=False)
    assert done.stdout.count(b"x") >= BULK, done.stderr.decode()


def test_padded_records(seam):
    server = serve(seam, ANSWER_SERVER, "1.3")
    done = s_client(seam, server.port, "-quiet", "-record_padding", "777", data=b"some words\n")
    assert b"some words" in done.stdout
    padding = s_server(seam, "-record_padding", "4096")
    assert int(get(seam, padding.port, version="1.3").stdout) > 1000


@pytest.mark.parametrize("option", [(), ("-no_middlebox",)])
def test_middlebox_compatibility(seam, option):
    server = serve(seam, ANSWER_SERVER, "1.3")
    assert b"words" in s_client(seam, server.port, "-quiet", *option, data=b"words\n").stdout
    assert int(get(seam, s_server(seam, *option).port, version="1.3").stdout) > 1000


# --- Groups

def opened(program):
    return program.audit.wait("open")[-1]


def test_hello_retry_request_of_ours(seam):
    """The client guesses X25519, the server wants P-384."""
    server = serve(seam, version="1.3", groups="P-384")
    done = s_client(seam, server.port, "-quiet", "-groups", "X25519:P-384")
    assert done.stdout.count(b"x") == BULK
    assert opened(server)["group"] == "secp384r1"


def test_hello_retry_request_of_the_peer(seam):
    server = s_server(seam, "-groups", "P-384", "-tls1_3")
    assert opened(get(seam, server.port, groups="x25519, P-384"))["group"] == "secp384r1"


def test_no_group_in_common(seam, version):
    server = serve(seam, version=version, groups="P-384")
    assert s_client(seam, server.port, "-groups", "P-521", "-cipher", "ECDHE").returncode == 1
    assert server.audit.wait("fail")


def test_hybrid_group_by_default(seam):
    """Against a peer of the same kind; OpenSSL 3.0 does not have it, and gets X25519."""
    server = serve(seam)
    s_client(seam, server.port)
    script = "import socket, sys; s = socket.create_connection(('localhost', int(sys.argv[1]))); s.sendall(b'x'); s.recv(1)"
    client = seam.run([sys.executable, "-c", script, server.port], seam.policy(seam.outbound(server.port)))
    assert [event["group"] for event in server.audit.wait("open", 2)] == ["x25519", "X25519MLKEM768"]
    assert opened(client)["group"] == "X25519MLKEM768"


# --- ALPN

def test_alpn_of_ours(seam, version):
    server = serve(seam, version=version, alpn="http/1.1, h2")
    said = s_client(seam, server.port, "-alpn", "h2,http/1.1").stdout
    assert b"ALPN protocol: http/1.1" in said
    assert opened(server)["alpn"] == "http/1.1"


def test_no_alpn_in_common(seam, version):
    server = serve(seam, version=version, alpn="h2")
    assert b"no application protocol" in s_client(seam, server.port, "-alpn", "imap").stderr
    failed, = server.audit.wait("fail")
    assert failed["alert"]["sent"] == "no_application_protocol"


def test_alpn_of_the_peer(seam, version):
    server = s_server(seam, "-alpn", "h2,http/1.1")
    assert opened(get(seam, server.port, version=version, alpn="http/1.1"))["alpn"] == "http/1.1"


def test_alpn_refused_by_the_peer(seam, version):
    server = s_server(seam, "-alpn", "h2")
    program = get(seam, server.port, status=1, version=version, alpn="imap")
    failed, = program.audit.wait("fail")
    assert failed["alert"]["received"] == "no_application_protocol"


# --- KeyUpdate

def read_until(pipe, end):
    seen = b""
    while end not in seen:
        assert select.select([pipe], [], [], 20)[0], f"waited in vain for {end}, had {seen}"
        part = os.read(pipe.fileno(), 1000)
        assert part, seen
        seen += part
    return seen


def start_openssl(*argv):
    return subprocess.Popen(["openssl", *map(str, argv)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, bufsize=0)


@pytest.mark.parametrize("command", [b"k\n", b"K\n"])
def test_key_update_of_a_client(seam, command):
    """k: it changes its own keys; K: and asks for ours to be changed."""
    server = serve(seam, BLOCKING_ECHO, "1.3")
    client = start_openssl("s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", seam.pki.ca)
    try:
        for line in (b"before\n", b"after one\n", b"after two\n"):
            client.stdin.write(line)
            read_until(client.stdout, line)
            client.stdin.write(command)
            read_until(client.stdout, b"KEYUPDATE\n")
    finally:
        client.kill()
        client.communicate()


@pytest.fixture
def listening_openssl(seam):
    """s_server with its standard input, for its commands."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    started = []

    def start(*options):
        server = start_openssl("s_server", "-accept", f"127.0.0.1:{port}", "-cert", seam.pki.good.cert, "-key", seam.pki.good.key,
                               *options)
        started.append(server)
        read_until(server.stdout, b"ACCEPT")
        server.port = port
        return server

    yield start
    for server in started:
        server.kill()
        server.communicate()


def start_talker(seam, port, **keys):
    """A program that says what is written to its standard input. By hand, since it is fed bit by bit."""
    folder = seam.make_dir("talker")
    (folder / "audit").mkdir()
    env = seam.environment(seam.policy(seam.outbound(port, **keys)), folder / "audit", {})
    return subprocess.Popen([sys.executable, "-u", "-c", TALKER, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env=env, bufsize=0)


@pytest.mark.parametrize("command", [b"k\n", b"K\n"])
def test_key_update_of_a_server(seam, listening_openssl, command):
    server = listening_openssl("-tls1_3")
    talker = start_talker(seam, server.port)
    try:
        for i in range(3):
            talker.stdin.write(b"said %d\n" % i)
            read_until(server.stdout, b"said %d\n" % i)
            server.stdin.write(command)
            talker.stdin.write(b"more %d\n" % i)  # which is read after that
            read_until(server.stdout, b"more %d\n" % i)
            server.stdin.write(b"answer %d\n" % i)
            read_until(talker.stdout, b"answer %d\n" % i)
    finally:
        talker.kill()
        talker.communicate()


# --- Early data

def test_early_data_is_skipped(seam, listening_openssl):
    """A session of another server, which allowed early data: ours has nothing to do with it, and goes on."""
    session = seam.make_dir("session") / "session"
    early = seam.make_dir("early") / "data"
    early.write_bytes(b"early words\n" * 500)
    other = listening_openssl("-tls1_3", "-early_data", "-max_early_data", "16384")
    client = start_openssl("s_client", "-connect", f"127.0.0.1:{other.port}", "-CAfile", seam.pki.ca, "-sess_out", session)
    while not session.exists() or b"END" not in session.read_bytes():
        assert client.poll() is None
        select.select([], [], [], 0.02)
    client.stdin.write(b"Q\n")
    client.communicate(timeout=30)
    for groups in ("x25519", "P-521"):  # the latter asks for another ClientHello
        server = serve(seam, ANSWER_SERVER, "1.3", groups=groups)
        done = s_client(seam, server.port, "-ign_eof", "-sess_in", session, "-early_data", early, data=b"later words\n")
        assert b"Early data was rejected" in done.stdout and b"later words" in done.stdout, done.stdout + done.stderr
        assert b"early words" not in done.stdout


# --- A certificate that is asked for after the handshake

class AsksLater(Server):
    """Asks for the client's certificate when it has had its first words, as often as it is told to, and says whom it knows."""

    def handle(self, connection, client_address, seen):
        secure = connection
        for _ in range(2):
            assert secure.recv(100) == b"words"
            secure.verify_client_post_handshake()
            secure.sendall(b"?")
            assert secure.recv(100) == b"answer"
            subject = dict(part[0] for part in (secure.getpeercert() or {}).get("subject", ()))
            secure.sendall(subject.get("commonName", "nobody").encode())


ASKED_LATER = """
import socket, sys
sock = socket.create_connection(("localhost", int(sys.argv[1])))
for _ in range(2):
    sock.sendall(b"words")
    assert sock.recv(100) == b"?"
    sock.sendall(b"answer")
    print(sock.recv(100).decode())
"""


def serve_that_asks_later(seam):
    context = server_context(seam.pki.good, "1.3", seam.pki.ca)
    context.post_handshake_auth = True
    server = AsksLater(None, context)
    seam.cleanups.append(server.stop)
    return server


def test_certificate_after_the_handshake(seam):
    client = seam.pki.client
    server = serve_that_asks_later(seam)
    program = seam.run([sys.executable, "-c", ASKED_LATER, server.port],
                       seam.policy(seam.outbound(server.port, cert=client.cert, key=client.key)))
    assert program.stdout.splitlines() == [b"client one"] * 2, program.story()


APACHE = """
SSLEngine on
SSLProtocol TLSv1.3
SSLCertificateFile {cert.cert}
SSLCertificateKeyFile {cert.key}
SSLCACertificateFile {ca}
<Location /private>
    SSLVerifyClient require
</Location>
"""


def test_apache_asks_for_a_location(seam):
    site = seam.make_dir("site")
    for folder in ("public", "private"):
        (site / folder).mkdir()
        (site / folder / "file").write_text(folder)
    server = apache.start(seam, site, "prefork", modules=("socache_shmcb", "ssl"), covered=False,
                          more=APACHE.format(cert=seam.pki.good, ca=seam.pki.ca))
    script = """
import http.client, sys
connection = http.client.HTTPConnection("localhost", int(sys.argv[1]))
for path in ("/public/file", "/private/file", "/private/file"):
    connection.request("GET", path)
    print(connection.getresponse().read().decode())
"""
    client = seam.pki.client
    program = seam.run([sys.executable, "-c", script, server.port],
                       seam.policy(seam.outbound(server.port, cert=client.cert, key=client.key)))
    assert program.stdout.split() == [b"public", b"private", b"private"], program.story()


def test_no_certificate_is_offered_that_is_not_there(seam):
    """The server then may not ask, and OpenSSL does not."""
    server = serve_that_asks_later(seam)
    seam.run([sys.executable, "-c", ASKED_LATER, server.port], seam.policy(seam.outbound(server.port)), status=None)
    server.wait_ended()
    assert "extension not received" in str(server.seen[0].error).lower(), server.seen[0].error


def test_certificate_after_a_key_update(seam, listening_openssl):
    """The Finished of the answer is made with the keys that are in use by then."""
    server = listening_openssl("-tls1_3", "-CAfile", seam.pki.ca)
    client = seam.pki.client
    talker = start_talker(seam, server.port, cert=client.cert, key=client.key)
    try:
        for i, command in enumerate((b"K\n", b"c\n", b"K\n", b"c\n")):
            talker.stdin.write(b"said %d\n" % i)
            read_until(server.stdout, b"said %d\n" % i)
            server.stdin.write(command)
            talker.stdin.write(b"more %d\n" % i)
            read_until(server.stdout, b"more %d\n" % i)
            server.stdin.write(b"answer %d\n" % i)
            read_until(talker.stdout, b"answer %d\n" % i)
    finally:
        talker.kill()
        talker.communicate()
