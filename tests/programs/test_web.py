# SPDX-License-Identifier: GPL-3.0-or-later
"""Web servers as they are deployed: several workers, threads, keep-alive, sendfile, reloads."""
import pytest

import apache
import lighttpd
import nginx
from peers import BIG, SMALL, content, digest, http_get
from seam import check_opened


@pytest.fixture(scope="module")
def site(shared):
    """A folder with files named by their size."""
    folder = shared.make_dir("site")
    for size in (0, 1, SMALL, BIG):
        (folder / str(size)).write_bytes(content(size))
    return folder


def check_files(seam, server, version):
    """Every size over kept-alive connections; the audit names each connection, and none failed."""
    for size, requests in ((BIG, 4), (SMALL, 40), (1, 1), (0, 1)):
        assert digest(http_get(seam, server.port, f"/{size}", version, requests)) == digest(content(size))
    return check_opened(server, 4, version=f"TLSv{version}", direction="inbound")


# Each server is started once, and serves the tests of both versions.

@pytest.fixture(scope="module", params=[("prefork", "On"), ("prefork", "Off"), ("worker", "On"), ("event", "On"), ("event", "Off")],
                ids="-".join)
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
