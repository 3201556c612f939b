# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies: TLS from the clients, TLS to the servers behind, and their reloads. """
import itertools
import signal

import pytest

import apache
import haproxy
import nginx
import process
import traffic
from peers import BIG, SMALL, Http, connect, content, digest, http_get, start_server
from seam import check_opened, need

SPLICE = "option splice-auto"
# HAProxy 2.6 may crash at its end over idle connections to servers, so let there be none.
REUSE = "http-reuse never"


@pytest.fixture(scope="module", params=["1.2", "1.3"])
def backend(shared, request):
    return start_server(shared, Http, version=request.param)


def forwards(shared, backend):
    """A policy of a proxy: TLS by both rules."""
    return lambda port: shared.policy(shared.inbound(port), behind(shared, backend))


def behind(shared, backend):
    return shared.outbound(backend.port, server_name="localhost")


def check_proxy(seam, server, backend):
    """Downloads, uploads and many requests over one connection; both sides of the proxy speak TLS."""
    before = len(backend.seen)
    assert digest(http_get(seam, server.port, f"/{BIG}", requests=4)) == digest(content(BIG))
    assert digest(http_get(seam, server.port, f"/{SMALL}", requests=4)) == digest(content(SMALL))
    assert http_get(seam, server.port, "/0") == b""
    upload(seam, server)
    assert len(backend.seen) > before
    if seam.covering:
        assert {seen.server_name for seen in backend.seen} == {"localhost"}
        version, = {seen.version for seen in backend.seen}
        check_opened(server, 4, direction="inbound")
        for opened in check_opened(server, direction="outbound", version=version):
            assert opened["verify"] == "ok"


def upload(seam, server):
    with connect(seam, server.port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % BIG)
        sock.sendall(content(BIG))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.endswith(digest(content(BIG)).encode()), answer


@pytest.mark.parametrize("mode, options", itertools.product(["tcp", "http"], ["", SPLICE]),
                         ids=["tcp", "tcp-splice", "http", "http-splice"])
def test_haproxy(seam, backend, mode, options):
    check_proxy(seam, haproxy.start(seam, backend.port, forwards(seam, backend), mode, options), backend)


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_nginx_proxy(seam, backend, buffering):
    need("nginx")
    more = f"""
        proxy_http_version 1.1;
        proxy_buffering {buffering};
        proxy_request_buffering {buffering};
        client_max_body_size 0;
        location / {{ proxy_pass http://127.0.0.1:{backend.port}; }}"""
    server = nginx.start(seam, seam.dir, more=more, rules=[behind(seam, backend)])
    check_proxy(seam, server, backend)


def test_apache_proxy(seam, backend):
    more = f"ProxyPass / http://127.0.0.1:{backend.port}/\nProxyIOBufferSize 65536"
    server = apache.start(seam, seam.dir, "event", modules=["proxy", "proxy_http"], more=more,
                          rules=[behind(seam, backend)])
    check_proxy(seam, server, backend)


# --- Reloads: clients come and go, and a large file is on its way

@pytest.fixture(scope="module")
def origin(shared):
    """nginx with the files that traffic asks for, by itself."""
    need("nginx")
    folder = shared.make_dir("site")
    (folder / str(SMALL)).write_bytes(content(SMALL))
    traffic.add_large_file(folder)
    return nginx.start(shared, folder)


def both_ways(seam, origin):
    return lambda port: seam.policy(seam.inbound(port), behind(seam, origin))


def test_haproxy_takes_over(seam, origin):
    """A new process with -sf, which is passed the listening sockets by the old one."""
    policy = both_ways(seam, origin)
    old = haproxy.start(seam, origin.port, policy, options=REUSE)
    with traffic.through(seam, old.port):
        new = seam.start(haproxy.command(old.dir, "-db", "-x", old.dir / "socket", "-sf", old.pid), policy(old.port))
        new.until(lambda: new.listens(old.port), "the new one listened")
        old.until(lambda: not old.listens(old.port), "the old one had let go of the port")
    assert old.wait(60) == 0, old.story()
    if seam.covering:
        new.audit.wait("open", direction="inbound")
        assert not new.audit.find("fail") and not old.audit.find("fail"), old.audit.text()


def test_haproxy_master(seam, origin):
    """SIGUSR2 has the master execute itself, and start a new worker that is passed the listening sockets."""
    server = haproxy.start(seam, origin.port, both_ways(seam, origin), options=REUSE, flags=("-W", "-db"))
    old = set(process.children(server.pid))
    with traffic.through(seam, server.port):
        server.popen.send_signal(signal.SIGUSR2)
        server.until(lambda: set(process.children(server.pid)) - old, "a new worker was there")
    server.until(lambda: not old & set(process.children(server.pid)), "the old worker had ended")
    if seam.covering:
        assert len({event["pid"] for event in server.audit.find("open", direction="inbound")}) > 1
        assert not server.audit.find("fail"), server.audit.text()
