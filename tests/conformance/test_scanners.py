# SPDX-License-Identifier: GPL-3.0-or-later
"""
What sslscan and testssl.sh, as Debian has them, see of a covered server with an ECDSA key, an RSA key and both: what is to be there is,
and they flag nothing. testssl.sh runs those of its checks that a TLS library can fail; all of them take minutes.
"""
import json
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import nginx
from pki import Cert
from seam import need

TLS12 = {"ecdsa": {"0xC02B", "0xC02C", "0xCCA9"}, "rsa": {"0xC02F", "0xC030", "0xCCA8"}}
TLS13 = {"0x1301", "0x1302", "0x1303"}
GROUPS = {"0x0017", "0x0018", "0x001d"}
CHECKS = ["--protocols", "--ccs-injection", "--renegotiation", "--tls-fallback"]
FINE = {"OK", "INFO"}


@pytest.fixture(scope="module", params=["ecdsa", "rsa", "both"])
def server(shared, pki, request):
    need("nginx", "sslscan", "testssl")
    certs = {"ecdsa": [pki.good], "rsa": [pki.good_rsa], "both": [pki.good, pki.good_rsa]}[request.param]
    site = shared.make_dir("site")
    (site / "index.html").write_text("hello\n")
    started = nginx.start(shared, site, cert=Cert(", ".join(str(cert.cert) for cert in certs),
                                                  ", ".join(str(cert.key) for cert in certs)))
    started.kinds = [request.param] if request.param != "both" else ["ecdsa", "rsa"]
    return started


def sslscan(server):
    done = subprocess.run(["sslscan", "--no-colour", "--xml=-", f"localhost:{server.port}"], capture_output=True, text=True,
                          timeout=120, check=True)
    return ElementTree.fromstring(done.stdout[done.stdout.index("<?xml"):]).find("ssltest")


def test_sslscan(server):
    found = sslscan(server)
    enabled = {(item.get("type"), item.get("version")) for item in found.findall("protocol") if item.get("enabled") == "1"}
    assert enabled == {("tls", "1.2"), ("tls", "1.3")}
    ciphers = {item.get("id") for item in found.findall("cipher")}
    assert ciphers == TLS13.union(*(TLS12[kind] for kind in server.kinds))
    assert {item.get("strength") for item in found.findall("cipher")} <= {"strong", "acceptable"}
    assert {item.get("id") for item in found.findall("group")} == GROUPS
    assert all(item.get("vulnerable") == "0" for item in found.findall("heartbleed"))
    assert found.find("renegotiation").get("supported") == "0"


def test_testssl(server, tmp_path):
    if server.kinds != ["ecdsa", "rsa"]:
        pytest.skip("one run is enough: none of these checks is about the key")
    report = tmp_path / "report.json"
    done = subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", *CHECKS,
                           "--jsonfile", report, f"localhost:{server.port}"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=300, check=False)
    found = {item["id"]: item for item in json.loads(report.read_text())}
    assert {"TLS1_2", "TLS1_3", "CCS", "secure_renego", "fallback_SCSV"} <= set(found), done.stdout
    assert found["TLS1_2"]["finding"] == "offered" and found["TLS1_3"]["finding"].startswith("offered"), done.stdout
    # It has something to say of itself, too: of the openssl that it runs with.
    flagged = {name: item for name, item in found.items() if item["severity"] not in FINE and name != "engine_problem"}
    assert not flagged, done.stdout
