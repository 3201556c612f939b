# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx with sendfile: the kernel moves a file through its own TLS, and a client without the library compares it."""
import shutil
import urllib.request

import pytest

import ktls
import nginx
from capture import Capture
from peers import client_context, content, digest

FILES = {"small": 1_000, "large": 3_000_000}

pytestmark = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")


def test_nginx(seam, version):
    site = seam.make_dir("site")
    site.chmod(0o755)
    for name, size in FILES.items():
        (site / name).write_bytes(content(size))
    server = nginx.start(seam, site, version=version)
    capture = Capture(seam, server.port)
    before = ktls.counters()
    for name, size in FILES.items():
        url = f"https://localhost:{server.port}/{name}"
        with urllib.request.urlopen(url, context=client_context(seam.pki, version), timeout=60) as answer:
            assert digest(answer.read()) == digest(content(size))
    after = ktls.counters()
    assert after["TlsTxSw"] - before["TlsTxSw"] == after["TlsRxSw"] - before["TlsRxSw"] >= len(FILES)
    assert after["TlsDecryptError"] == before["TlsDecryptError"]
    seen = capture.finish()
    assert b"HTTP/1.1" not in seen and content(FILES["large"])[500_000:500_100] not in seen
    assert {event["plane"] for event in server.audit.wait("open", len(FILES))} == {"kernel"}
