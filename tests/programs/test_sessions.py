# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with native peers: resumed over connections, threads, forked processes and hosts, in both roles."""
import os
import re
import socket
import subprocess
import sys

import pytest

import nginx
from peers import Echo, Http, client_context, content, start_server
from seam import need
from servers import BLOCKING_ECHO

pytestmark = pytest.mark.tls_only

# FETCH(n): n requests, one connection each.
FETCH = """
import http.client, os, sys, threading
port = int(sys.argv[1])
def fetch(count):
    for _ in range(count):
        connection = http.client.HTTPConnection("localhost", port)
        connection.request("GET", "/1000")
        assert len(connection.getresponse().read()) == 1000
        connection.close()
"""
CLIENTS = {
    "one after the other": ("fetch(10)", 10, 9),
    "threads": ("""
fetch(1)
threads = [threading.Thread(target=fetch, args=(5,)) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
""", 21, 16),
    # Each child may get the parent's session; those of TLS 1.3 serve once, and two are sent.
    "forked": ("""
fetch(1)
for _ in range(4):
    if os.fork() == 0:
        fetch(5)
        os._exit(0)
    os.wait()
""", 21, 20),
    # The policy is known when the first socket is made, which is before the fork.
    "forked before the first": ("""
import socket
socket.socket().close()
for _ in range(4):
    if os.fork() == 0:
        fetch(5)
        os._exit(0)
    os.wait()
""", 20, 19),
}


def serve_echo(seam, version=None, **keys):
    return seam.serve(lambda port: [sys.executable, "-c", BLOCKING_ECHO, port],
                      lambda port: seam.policy(seam.inbound(port, version=version, **keys)))


def talk(seam, port, version=None, session=None, cert=None, context=None):
    """One connection of OpenSSL's: whether it was resumed, and the session that it brought."""
    context = context or client_context(seam.pki, version, cert)
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as secure:
            secure.sendall(b"x" * 100)
            got = b""
            while len(got) < 100:
                got += secure.recv(100)
            resumed, made = secure.session_reused, secure.session
            secure.unwrap()
    return resumed, made


# --- We are the server

def test_openssl_resumes(seam, version):
    server = serve_echo(seam, version)
    context = client_context(seam.pki, version)
    resumed, session = talk(seam, server.port, context=context)
    assert not resumed
    for _ in range(5):
        resumed, session = talk(seam, server.port, session=session, context=context)
        assert resumed
    opened = server.audit.wait("open", 6)
    assert [event["resumed"] for event in opened] == [False] + [True] * 5


def test_certificate_of_a_resumed_client_is_in_the_audit(seam, version):
    server = serve_echo(seam, version, client_auth="required", ca=seam.pki.ca)
    context = client_context(seam.pki, version, seam.pki.client)
    _, session = talk(seam, server.port, context=context)
    assert talk(seam, server.port, session=session, context=context)[0]
    first, second = server.audit.wait("open", 2)
    assert second["resumed"] and second["peer"] == first["peer"] and second["verify"] == "ok"


def s_client(seam, port, *options):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", seam.pki.ca, *options],
                          input=b"", capture_output=True, timeout=30, check=False).stdout.decode()


def test_s_client_reconnect(seam):
    server = serve_echo(seam, "1.2")
    assert s_client(seam, server.port, "-reconnect", "-tls1_2").count("Reused, TLSv1.2") == 5


def test_gnutls_client_resumes(seam, version):
    """It reconnects without having said anything, so that a server of TLS 1.3 has sent no ticket but for this greeting."""
    need("gnutls-cli")
    greeter = BLOCKING_ECHO.replace("    try:", "    connection.sendall(b'hello\\n')\n    try:", 1)
    server = seam.serve(lambda port: [sys.executable, "-c", greeter, port],
                        lambda port: seam.policy(seam.inbound(port, version=version)))
    program = seam.run(["gnutls-cli", "--resume", "--waitresumption", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}",
                        "--x509cafile", seam.pki.ca, "-p", server.port, "localhost"], status=None)
    assert b"This is a resumed session" in program.stdout, program.story()


def test_curl_resumes(seam):
    """TLS 1.3: in 1.2 curl takes no tickets."""
    need("curl")
    server = seam.serve(lambda port: [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", port],
                        lambda port: seam.policy(seam.inbound(port)))
    url = f"https://localhost:{server.port}/"
    seam.run(["curl", "-sS", "--cacert", seam.pki.ca, "-o", "/dev/null", url, "--next", "-sS", "--cacert", seam.pki.ca,
              "-o", "/dev/null", url], status=0)
    assert [event["resumed"] for event in server.audit.wait("open", 2)] == [False, True]


def test_nginx_workers_share_keys(seam, version):
    """Over 95 % of the connections of a client that resumes are resumed, whichever worker takes them."""
    need("nginx")
    site = seam.make_dir("site")
    (site / "file").write_bytes(content(1000))
    server = nginx.start(seam, site, version, workers=4)
    context, session, resumed = client_context(seam.pki, version), None, 0
    for _ in range(60):
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as secure:
                secure.sendall(b"GET /file HTTP/1.0\r\n\r\n")
                while secure.recv(65536):
                    pass
                resumed += secure.session_reused
                session = secure.session
    assert resumed == 59


def test_hosts_share_a_file_of_keys(seam, version):
    keys = seam.make_dir("keys") / "tickets"
    keys.write_bytes(os.urandom(80))
    port_one = serve_shared(seam, version, keys)
    port_two = serve_shared(seam, version, keys)
    context = client_context(seam.pki, version)
    _, session = talk(seam, port_one, context=context)
    assert talk(seam, port_two, session=session, context=context)[0]
    port_three = serve_shared(seam, version, None)
    assert not talk(seam, port_three, session=session, context=context)[0]


def serve_shared(seam, version, keys):
    """The same rule on every host: it has no port."""
    cert = seam.pki.good
    rule = "\n".join(['[rule "everywhere"]', "direction = inbound", "action = tls", f"cert = {cert.cert}", f"key = {cert.key}",
                      f"min_version = {version}", f"max_version = {version}", f"ticket_keys = {keys}" if keys else "", ""])
    return seam.serve(lambda port: [sys.executable, "-c", BLOCKING_ECHO, port], lambda port: seam.policy(rule)).port


def test_server_that_never_writes_sends_no_ticket(seam):
    """And a client that never reads is then not reset by what it has not read."""
    script = BLOCKING_ECHO.replace("connection.sendall(data)", "pass")
    server = seam.serve(lambda port: [sys.executable, "-c", script, port],
                        lambda port: seam.policy(seam.inbound(port, version="1.3")))
    assert "Post-Handshake New Session Ticket" not in s_client(seam, server.port, "-tls1_3")


@pytest.mark.parametrize("keys", [{"resumption": "no"}, {"tickets": 0}])
def test_turned_off(seam, version, keys):
    server = serve_echo(seam, version, **keys)
    context = client_context(seam.pki, version)
    _, session = talk(seam, server.port, context=context)
    if session is not None:
        assert not talk(seam, server.port, session=session, context=context)[0]


# --- We are the client

@pytest.mark.parametrize("name", CLIENTS)
def test_client_resumes(seam, version, name):
    script, connections, least = CLIENTS[name]
    server = start_server(seam, Http, version=version)
    program = seam.run([sys.executable, "-c", FETCH + script, server.port], seam.policy(seam.outbound(server.port)))
    opened = program.audit.wait("open", connections)
    assert len(opened) == connections
    resumed = [event for event in opened if event["resumed"]]
    assert len(resumed) >= least, f"{len(resumed)} of {connections}"
    for event in resumed:
        assert event["verify"] == "ok" and event["peer"] == opened[0]["peer"], event


def test_client_turned_off(seam, version):
    server = start_server(seam, Http, version=version)
    program = seam.run([sys.executable, "-c", FETCH + "fetch(3)", server.port],
                       seam.policy(seam.outbound(server.port, resumption="no")))
    assert not any(event["resumed"] for event in program.audit.wait("open", 3))


def test_server_that_has_lost_its_keys(seam, version):
    """A restarted server takes no old tickets: the handshake is a full one, and the next is resumed again."""
    need("openssl")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()

    def start():
        process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-cert", seam.pki.good.cert, "-key",
             seam.pki.good.key, "-naccept", "2", f"-tls{version.replace('.', '_')}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while b"ACCEPT" not in process.stdout.readline():
            assert process.poll() is None
        return process

    server = start()
    script = """
import http.client, select, sys
def get():
    connection = http.client.HTTPConnection("localhost", int(sys.argv[1]))
    connection.request("GET", "/")
    text = connection.getresponse().read()
    connection.close()
    print(b"Reused" in text, flush=True)
get(), get()
while True:  # until it is there again
    try:
        get()
        break
    except OSError:
        select.select([], [], [], 0.01)
get()
"""
    program = seam.start([sys.executable, "-c", script, port], seam.policy(seam.outbound(port)))
    server.communicate(timeout=30)
    server = start()
    server.communicate(timeout=30)
    program.wait(30)
    assert program.stdout.split() == [b"False", b"True", b"False", b"True"], program.story()


def test_gnutls_server_resumes_us(seam, version):
    need("gnutls-serv")
    server = seam.serve(lambda port: ["gnutls-serv", "--http", "--quiet", "--port", port, "--x509certfile", seam.pki.good.cert,
                                      "--x509keyfile", seam.pki.good.key])
    script = re.sub(r"        assert len.*\n", "        connection.getresponse().read()\n", FETCH) + "fetch(4)"
    program = seam.run([sys.executable, "-c", script, server.port], seam.policy(seam.outbound(server.port, version=version)))
    assert [e["resumed"] for e in program.audit.wait("open", 4)] == [False, True, True, True]
