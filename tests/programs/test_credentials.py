# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys in all that they may be kept in, seen by real peers."""
import os
import subprocess

import pytest

from peers import Echo, connect, start_server
from pki import openssl
from seam import check_opened, need, rule
from servers import PYTHON
from test_fork import PREFORK_SERVER
from test_reload import ECHO

pytestmark = pytest.mark.tls_only

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
PASSWORD = "open sesame"


def start_echo(seam, source=ECHO, env=None, **keys):
    return seam.serve(lambda port: [PYTHON, "-c", source, port], lambda port: seam.policy(rule("inbound", port, **keys)), env=env)


def peers_view(argv):
    done = subprocess.run(list(map(str, argv)), input="", capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


# What a client offers, and with what kind of key it is answered.
@pytest.mark.parametrize("offered, kind", [
    ("ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256", "ECDSA"),
    ("RSA-PSS+SHA256:RSA+SHA256", "RSA"),
])
@pytest.mark.parametrize("tls", ["-tls1_2", "-tls1_3"])
def test_client_gets_what_it_can_verify(seam, offered, kind, tls):
    good, rsa = seam.pki.good, seam.pki.good_rsa
    # The CA's own signature is ECDSA; that is for the client to know, not for the server.
    server = start_echo(seam, cert=f"{good.cert}, {rsa.cert}", key=f"{good.key}, {rsa.key}")
    seen = peers_view(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", "localhost",
                       "-CAfile", seam.pki.ca, "-sigalgs", offered, tls])
    assert f"Peer signature type: {kind}" in seen, seen


def test_gnutls_gets_what_it_can_verify(seam):
    need("gnutls-cli")
    good, rsa = seam.pki.good, seam.pki.good_rsa
    server = start_echo(seam, cert=f"{good.cert}, {rsa.cert}", key=f"{good.key}, {rsa.key}")
    for priority, kind in ("NORMAL", "ECDSA"), ("NORMAL:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256", "RSA"):
        seen = peers_view(["gnutls-cli", "--insecure", "--priority", priority, "--port", server.port, "127.0.0.1"])
        assert f"({kind}-" in seen and "Handshake was completed" in seen, seen


@pytest.fixture
def locked(seam):
    """A PKCS#12 file with its password beside it."""
    folder = seam.make_dir("locked")
    (folder / "password").write_text(PASSWORD + "\n")
    openssl("pkcs12", "-export", "-in", seam.pki.good.cert, "-inkey", seam.pki.good.key, "-out", folder / "good.p12",
            "-passout", f"pass:{PASSWORD}")
    openssl("pkcs8", "-topk8", "-in", seam.pki.client.key, "-out", folder / "client.key", "-passout", f"pass:{PASSWORD}")
    return folder


def test_pkcs12_server(seam, version, locked):
    server = start_echo(seam, cert=locked / "good.p12", password_file=locked / "password")
    with connect(seam, server.port, version) as peer:
        peer.sendall(b"ping")
        assert peer.recv(4) == b"ping"
    check_opened(server)


def test_encrypted_key_of_a_client(seam, version, locked):
    server = start_server(seam, Echo, version=version, client_ca=seam.pki.ca)
    program = seam.run([PYTHON, "-c", f"import socket; socket.create_connection(('localhost', {server.port})).close()"],
                       seam.policy(seam.outbound(server.port, cert=seam.pki.client.cert, key=locked / "client.key",
                                                 password_file=locked / "password")))
    check_opened(program)
    server.wait_ended()
    assert server.seen[0].peer_cert["subject"] == ((("commonName", "client one"),),)


@pytest.fixture
def token(seam):
    """A token of SoftHSM; its PIN is 1234. The environment for it."""
    need("softhsm2-util")
    if not os.path.exists(SOFTHSM):
        pytest.skip(f"{SOFTHSM} is not there")
    folder = seam.make_dir("token")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    (folder / "pin").write_text("1234\n")
    env = {"SOFTHSM2_CONF": str(config)}

    def run(*argv):
        subprocess.run(["softhsm2-util", *map(str, argv)], env=os.environ | env, check=True, stdout=subprocess.DEVNULL)

    run("--init-token", "--free", "--label", "test", "--pin", "1234", "--so-pin", "5678")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", seam.pki.good_rsa.key, "-out", folder / "import.pem")
    run("--import", folder / "import.pem", "--token", "test", "--label", "good", "--id", "01", "--pin", "1234")
    env["URI"] = f"pkcs11:token=test;object=good?module-path={SOFTHSM}&pin-source=file:{folder}/pin"
    return env


@pytest.mark.parametrize("source", [ECHO, PREFORK_SERVER], ids=["threads", "prefork"])
def test_key_in_a_token(seam, version, token, source):
    server = start_echo(seam, source, env=token, cert=seam.pki.good_rsa.cert, key=token["URI"])
    for _ in range(8):
        with connect(seam, server.port, version) as peer:
            peer.sendall(b"ping")
            assert peer.recv(4) == b"ping"
    check_opened(server, 8)
