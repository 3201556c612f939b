# SPDX-License-Identifier: GPL-3.0-or-later
"""A key log is what Wireshark needs, for no more than the policy says, and it is told of; a file that others could read is refused."""
import os
import secrets
import subprocess
import sys

import pytest

from capture import Capture
from peers import Echo, connect, start_server
from seam import need

pytestmark = pytest.mark.tls_only

SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    sock, _ = listener.accept()
    with sock:
        while data := sock.recv(65536):
            sock.sendall(data)
"""

CLIENT = """
import socket, sys
with socket.create_connection(("localhost", int(sys.argv[1]))) as sock:
    sock.sendall(sys.argv[2].encode())
    print(sock.recv(65536).decode())
"""

LINES = {
    "1.2": {"CLIENT_RANDOM"},
    "1.3": {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0"},
}


def decrypted(pcap, port, keylog):
    """What tshark reads in the one TLS stream of a capture."""
    done = subprocess.run(["tshark", "-r", pcap, "-o", f"tls.keylog_file:{keylog}", "-d", f"tcp.port=={port},tls",
                           "-q", "-z", "follow,tls,ascii,0"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(seam, program, capture, keylog, word, version):
    capture.finish()
    assert keylog.stat().st_mode & 0o777 == 0o600
    lines = [line.split(" ") for line in keylog.read_text().splitlines()]
    assert {line[0] for line in lines} == LINES[version] and len(lines) == len(LINES[version])
    assert all(len(line[1]) == 64 for line in lines)
    nothing = seam.dir / "nothing"
    nothing.write_text("")
    assert word not in decrypted(capture.path, capture.port, nothing)
    assert decrypted(capture.path, capture.port, keylog).count(word) == 2, "both directions"
    assert program.audit.wait("open")[0]["reason"] == f"warning: the keys of this connection are in the keylog '{keylog}'"


def test_server(seam, version):
    need("tshark")
    keylog, word = seam.dir / "keys.log", secrets.token_hex(16)
    server = seam.serve(lambda port: [sys.executable, "-c", SERVER, str(port)],
                        lambda port: seam.policy(seam.inbound(port, version=version, keylog=keylog)))
    capture = Capture(seam, server.port)
    with connect(seam, server.port, version) as sock:
        sock.sendall(word.encode())
        assert sock.recv(100).decode() == word
    check(seam, server, capture, keylog, word, version)


def test_client(seam, version):
    need("tshark")
    keylog, word = seam.dir / "keys.log", secrets.token_hex(16)
    peer = start_server(seam, Echo, version=version)
    capture = Capture(seam, peer.port)
    client = seam.run([sys.executable, "-c", CLIENT, str(peer.port), word],
                      seam.policy(seam.outbound(peer.port, version=version, keylog=keylog)))
    assert client.stdout.decode().strip() == word
    check(seam, client, capture, keylog, word, version)


def test_connections_are_added(seam):
    keylog = seam.dir / "keys.log"
    peer = start_server(seam, Echo)
    policy = seam.policy(seam.outbound(peer.port, keylog=keylog))
    for count in (1, 2, 3):
        seam.run([sys.executable, "-c", CLIENT, str(peer.port), "word"], policy)
        randoms = [line.split()[1] for line in keylog.read_text().splitlines()]
        assert len(randoms) == 4 * count and len(set(randoms)) == count


def make_link(path):
    path.with_name("other").write_text("")
    path.symlink_to(path.with_name("other"))


@pytest.mark.parametrize("make, reason", [
    (make_link, "is not a file"),
    (lambda path: path.mkdir(), "cannot write the keylog"),
    (lambda path: os.mkfifo(path, 0o600), "cannot write the keylog"),
    (lambda path: path.touch(0o644), "others may use it"),
    (lambda path: (path.touch(0o600), os.chown(path, 65534, -1)), "another user's"),
    (lambda path: path.symlink_to(path.with_name("nowhere") / "x"), "is not a file"),
], ids=["link", "directory", "fifo", "readable", "another's", "broken link"])
def test_place_that_is_not_safe(seam, make, reason):
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    keylog = seam.dir / "keys.log"
    make(keylog)
    peer = start_server(seam, Echo)
    client = seam.run([sys.executable, "-c", CLIENT, str(peer.port), "word"],
                      seam.policy(seam.outbound(peer.port, keylog=keylog)), status=1)
    assert "PermissionError" in client.stderr and reason in client.stderr
    assert reason in client.audit.wait("deny")[0]["reason"]
    assert not keylog.with_name("other").exists() or not keylog.with_name("other").read_text()


def test_file_that_goes_bad_later_is_told(seam):
    """The connection goes on: what is missing is a convenience, not a protection."""
    keylog = seam.dir / "keys.log"
    server = seam.serve(lambda port: [sys.executable, "-c", SERVER, str(port)],
                        lambda port: seam.policy(seam.inbound(port, keylog=keylog)))
    keylog.chmod(0o644)
    with connect(seam, server.port) as sock:
        sock.sendall(b"word")
        assert sock.recv(100) == b"word"
    assert "could not be written" in server.audit.wait("open")[0]["reason"]
    assert keylog.read_text() == ""
