# SPDX-License-Identifier: GPL-3.0-or-later
"""
Peers that are not trusted, as an operator meets them: the program ends as it does when it cannot connect, standard
error and the audit say why, and not a byte of what it had to say has left.
"""
import re
import socket

import pytest

import apache
import haproxy
import nginx
import postgres
from peers import Http, Sink, connect, content, start_server
from seam import need
from servers import PYTHON, start_redis

pytestmark = pytest.mark.tls_only

# The program, its arguments, and what it says by itself of EKEYREJECTED, if it does say why.
REJECTED = "(?i)key was rejected by service|EKEYREJECTED"
CLIENTS = {
    "curl": (["curl", "-sS", "http://localhost:{port}/"], None),
    "wget": (["wget", "-nv", "-t", "1", "-O", "-", "http://localhost:{port}/"], REJECTED),
    "nc": (["nc", "-v", "-N", "localhost", "{port}"], REJECTED),
    "socat": (["socat", "-", "TCP:localhost:{port}"], REJECTED),
    "redis": (["redis-cli", "-h", "localhost", "-p", "{port}", "set", "key", "secret"], REJECTED),
    "mariadb": (["mariadb", "--no-defaults", "--protocol=tcp", "-h", "localhost", "-P", "{port}", "-e", "select 1"],
                "ERROR 2002"),
    "mosquitto": (["mosquitto_pub", "-h", "localhost", "-p", "{port}", "-t", "topic", "-m", "secret"], None),
    "ldap": (["ldapsearch", "-H", "ldap://localhost:{port}", "-x", "-D", "cn=admin", "-w", "secret"],
             "Can't contact LDAP"),
    "rsync": (["rsync", "rsync://localhost:{port}/"], REJECTED),
    "ssh": (["ssh", "-F", "none", "-o", "BatchMode=yes", "-p", "{port}", "localhost"], REJECTED),
    "telnet": (["telnet", "localhost", "{port}"], REJECTED),
    "bash": (["bash", "-c", "echo secret >/dev/tcp/localhost/{port}"], REJECTED),
    "python": ([PYTHON, "-c", "import urllib.request; urllib.request.urlopen('http://localhost:{port}/')"], REJECTED),
    "perl": (["perl", "-MIO::Socket::INET", "-e", "IO::Socket::INET->new('localhost:{port}') or die $!"], REJECTED),
    "ruby": (["ruby", "-rsocket", "-e", "TCPSocket.new('localhost', {port})"], REJECTED),
    "php": (["php", "-r", "file_get_contents('http://localhost:{port}/') or exit(1);"], None),
    "node": (["node", "-e", "require('net').connect({port}, 'localhost')"], "connect"),
}


def check_refused(program, cert):
    """Both names are said where the operator looks, and once. The audit's events."""
    failed = program.audit.wait("fail", direction="outbound")
    # curl knows by itself what localhost is, and looks nothing up.
    asked = "127.0.0.1" if program.name == "curl" else "localhost"
    for event in failed:
        assert "'dns:elsewhere.example'" in event["reason"] and f"'{asked}'" in event["reason"], event
        assert event["alert"]["sent"] and "received" not in event["alert"], event
        assert event["peer"]["sha256"] == cert.sha256(), event
    assert program.stderr.count("'dns:elsewhere.example'") == 1, program.story()
    assert not program.audit.find("open", direction="outbound"), program.audit.text()
    return failed


@pytest.mark.parametrize("name", CLIENTS)
def test_client(seam, name):
    argv, words = CLIENTS[name]
    need(argv[0])
    server = start_server(seam, Sink, cert=seam.pki.wrong_name)
    argv = [arg.replace("{port}", str(server.port)) for arg in argv]
    program = seam.run(argv, seam.policy(seam.outbound(server.port)), status=None, stdin=b"secret\n")
    # telnet says so and exits well, as it does when nobody listens.
    assert program.status > 0 or name == "telnet", program.story()
    failed = check_refused(program, seam.pki.wrong_name)
    server.wait_ended(len(failed))
    assert all(seen.data == b"" and seen.error for seen in server.seen), "it trusted whom it must not"
    if words:
        assert re.search(words, program.stderr + program.stdout.decode()), program.story()


def test_psql(seam):
    server = start_server(seam, Sink, cert=seam.pki.wrong_name)
    program = seam.run(postgres.psql(server.port, "select 1"), seam.policy(seam.outbound(server.port)), status=2)
    check_refused(program, seam.pki.wrong_name)
    assert "rejected" in program.stderr and server.seen[0].data == b"", program.story()


# --- Servers that are clients of others: they go on, and tell their own clients

def upstream(seam):
    return start_server(seam, Http, cert=seam.pki.wrong_name)


def start_nginx(seam, port, behind):
    need("nginx")
    return nginx.start(seam, seam.dir, more=f"location / {{ proxy_pass http://127.0.0.1:{port}; }}", rules=[behind])


def start_apache(seam, port, behind):
    return apache.start(seam, seam.dir, "event", modules=["proxy", "proxy_http"],
                        more=f"ProxyPass / http://127.0.0.1:{port}/", rules=[behind])


def start_haproxy(seam, port, behind):
    return haproxy.start(seam, port, lambda own: seam.policy(seam.inbound(own), behind), "http",
                         "http-reuse never\n    retries 0")


@pytest.mark.parametrize("start, statuses", [(start_nginx, {502}), (start_apache, {502, 503}), (start_haproxy, {503})],
                         ids=["nginx", "apache", "haproxy"])
def test_proxy(seam, start, statuses):
    server = upstream(seam)
    proxy = start(seam, server.port, seam.outbound(server.port, name="behind", server_name="localhost"))
    for _ in range(2):
        with connect(seam, proxy.port) as sock:
            sock.sendall(b"GET /secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: sock.recv(65536), b""))
        assert int(answer.split()[1]) in statuses, answer
    server.wait_ended()
    assert all(seen.data == b"" for seen in server.seen), "a request reached an upstream that is not trusted"
    for event in proxy.audit.wait("fail", 2, rule="behind"):
        assert "elsewhere.example" in event["reason"], event
    assert len(proxy.audit.wait("open", 2, direction="inbound")) == 2


def test_redis_replica(seam):
    """It says that it cannot connect, tries again, and serves its own clients meanwhile."""
    need("redis-server")
    primary = start_redis(seam, lambda port: seam.policy(seam.inbound(port, cert=seam.pki.other)))
    behind = seam.outbound(primary.port, name="primary")
    replica = start_redis(seam, lambda port: seam.policy(seam.inbound(port), behind),
                          "--replicaof", "localhost", primary.port)
    failed = replica.audit.wait("fail", 2, rule="primary")
    assert all("not trusted" in event["reason"] for event in failed), failed
    replica.until(lambda: b"Error condition on socket for SYNC" in replica.stdout, "it said that it could not connect")
    with connect(seam, replica.port) as sock:
        sock.sendall(b"PING\r\n")
        assert sock.recv(100) == b"+PONG\r\n"
    assert b"Replica" not in primary.stdout, primary.story()


# --- Clients that do not trust a server under the library, or that the server does not trust

def test_server_is_refused(seam):
    """The server hears of it by an alert, says so in its audit, and not on its standard error; the next is served."""
    need("curl", "nginx")
    site = seam.make_dir("site")
    (site / "1000").write_bytes(content(1000))
    server = nginx.start(seam, site)
    url = f"https://localhost:{server.port}/1000"
    trust = ["curl", "-sS", "--cacert"]
    refusing = seam.run([*trust, seam.pki.other_ca, url], status=60)
    assert refusing.stdout == b"", refusing.story()
    failed, = server.audit.wait("fail", direction="inbound")
    assert failed["alert"]["received"] and failed["reason"], failed
    assert seam.run([*trust, seam.pki.ca, url]).stdout == content(1000)
    assert "seamtls" not in server.stderr, server.story()
    assert len(server.audit.wait("open")) == 1


def test_plain_client_of_a_server(seam):
    """HTTP to a port that has become HTTPS: closed, and the reason is in the audit."""
    need("nginx")
    server = nginx.start(seam, seam.make_dir("site"))
    with socket.create_connection(("127.0.0.1", server.port), 20) as plain:
        plain.sendall(b"GET /secret HTTP/1.0\r\n\r\n")
        answer = b""
        try:
            while part := plain.recv(1000):
                answer += part
        except ConnectionError:
            pass
    assert b"HTTP" not in answer, answer
    failed, = server.audit.wait("fail", direction="inbound")
    assert failed["reason"], failed
    assert "secret" not in server.stderr, server.story()
