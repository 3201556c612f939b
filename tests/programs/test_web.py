# SPDX-License-Identifier: GPL-3.0-or-later
"""Web servers as they are deployed: several workers, threads, keep-alive, sendfile, reloads."""
import os
import signal

import pytest

import apache
import lighttpd
import nginx
import process
import traffic
from peers import BIG, SMALL, content, digest, http_get
from seam import NATIVE, check_opened, need


@pytest.fixture(scope="module")
def site(shared):
    """A folder with files named by their size."""
    folder = shared.make_dir("site")
    for size in (0, 1, SMALL, BIG):
        (folder / str(size)).write_bytes(content(size))
    traffic.add_large_file(folder)
    return folder


def check_files(seam, server, version):
    """Every size over kept-alive connections; the audit names each connection, and none failed."""
    for size, requests in ((BIG, 4), (SMALL, 40), (1, 1), (0, 1)):
        assert digest(http_get(seam, server.port, f"/{size}", version, requests)) == digest(content(size))
    return check_opened(server, 4, version=f"TLSv{version}", direction="inbound")


# Each server is started once, and serves the tests of both versions.

@pytest.fixture(scope="module", ids="-".join, params=[("prefork", "On"), ("prefork", "Off"), ("worker", "On"),
                                                      ("event", "On"), ("event", "Off")])
def httpd(shared, site, request):
    return apache.start(shared, site, *request.param)


def test_apache(seam, httpd, version):
    opened = check_files(seam, httpd, version)
    assert {event["uid"] for event in opened} <= {nginx.worker_uid()}, "the workers speak TLS, not root"


@pytest.fixture(scope="module", params=[("sendfile", "linux-sysepoll"), ("writev", "linux-sysepoll"), ("write", "poll"),
                                        ("sendfile", "select")], ids="-".join)
def light(shared, site, request):
    return lighttpd.start(shared, site, *request.param)


def test_lighttpd(seam, light, version):
    check_files(seam, light, version)


def check_curl_in_parallel(seam, server):
    """Many connections at once from curl's own TLS, and several requests over each."""
    need("curl")
    folder, scheme = seam.make_dir("got"), "http" if NATIVE else "https"
    seam.run(["curl", "-sSf", "--parallel", "--parallel-immediate", "--parallel-max", "6", "--cacert", seam.pki.ca,
              "-o", folder / "#1", f"{scheme}://localhost:{server.port}/{BIG}?[1-18]"])
    got = {digest(path.read_bytes()) for path in folder.iterdir()}
    assert got == {digest(content(BIG))} and len(list(folder.iterdir())) == 18


def test_apache_and_curl(seam, httpd):
    check_curl_in_parallel(seam, httpd)


def test_lighttpd_and_curl(seam, light):
    check_curl_in_parallel(seam, light)


# --- Reloads

def test_nginx_reload(seam, site):
    """Workers of the new configuration take over; those of the old one end when they have served theirs."""
    need("nginx")
    server = nginx.start(seam, site, workers=2)
    old = set(process.children(server.pid))
    with traffic.through(seam, server.port):
        server.popen.send_signal(signal.SIGHUP)
        server.until(lambda: len(set(process.children(server.pid)) - old) >= 2, "new workers were there")
    server.until(lambda: not old & set(process.children(server.pid)), "the old workers had ended")
    assert digest(http_get(seam, server.port, f"/{BIG}")) == digest(content(BIG))
    check_opened(server)


@pytest.mark.parametrize("mpm", ["prefork", "event"])
def test_apache_graceful(seam, site, mpm):
    server = apache.start(seam, site, mpm)
    old = set(process.children(server.pid))
    with traffic.through(seam, server.port):
        server.popen.send_signal(signal.SIGUSR1)
        server.until(lambda: set(process.children(server.pid)) - old, "new children were there")
    server.until(lambda: not old & set(process.children(server.pid)), "the old children had ended")
    assert digest(http_get(seam, server.port, f"/{BIG}")) == digest(content(BIG))
    check_opened(server)


def test_nginx_binary_upgrade(seam, site):
    """
    SIGUSR2 starts nginx anew with the listening socket, SIGQUIT ends the old one. nginx gives the new one an
    environment of its own making; since it has a socket that is to be protected, it is covered all the same.
    """
    need("nginx")
    server = nginx.start(seam, site, daemon=True)
    old = int(server.pid_file.read_text())
    with traffic.through(seam, server.port):
        os.kill(old, signal.SIGUSR2)
        server.until(lambda: nginx.master(server) not in (None, old), "the new master was there")
        new = nginx.master(server)
        server.until(lambda: process.children(new), "the new worker was there")
        os.kill(old, signal.SIGQUIT)
    server.until(lambda: process.group_of(old) is None, "the old master had ended")
    assert digest(http_get(seam, server.port, f"/{BIG}")) == digest(content(BIG))
    if seam.covering:
        assert len({event["pid"] for event in server.audit.wait("open", 20)}) > 1
        assert not server.audit.find("fail"), server.audit.text()
    os.kill(new, signal.SIGQUIT)
    server.until(lambda: process.group_of(new) is None, "the new master had ended")
