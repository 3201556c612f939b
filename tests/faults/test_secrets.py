# SPDX-License-Identifier: GPL-3.0-or-later
"""
What is in a core dump of a covered program: neither the keys of its connections nor the private key, the tickets' keys or
plaintext that the program itself has wiped. The control finds them in the memory of the living process.
"""
import hmac
import os
import re
import resource
import secrets
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from built import built
from peers import Echo, client_context, start_server

pytestmark = pytest.mark.tls_only

PROGRAM = ("tests", "faults", "holder")
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
PAGE = 4096
# What the kernel writes by default (core(5)): anonymous memory, private and shared, and pages of files that were written to.
NOT_DUMPED = "dd"


def expand(secret, label, length, hash_name):
    """HKDF-Expand-Label (RFC 8446, 7.1) with no context; one block is enough."""
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return hmac.new(secret, info + b"\x01", hash_name).digest()[:length]


def of_connection(keylog):
    """The secrets in a key log, and the record keys that come of them, by name."""
    found = {}
    for line in keylog.read_text().splitlines():
        name, _random, text = line.split()
        secret = bytes.fromhex(text)
        found[name] = secret
        if "TRAFFIC_SECRET_0" in name:
            hash_name, key_len = ("sha384", 32) if len(secret) == 48 else ("sha256", 16)
            found[f"{name}: key"] = expand(secret, b"key", key_len, hash_name)
    return found


def private_key(cert):
    """The secret number of an ECDSA key, or a prime of an RSA key; wolfSSL may keep it in either order of its bytes."""
    text = subprocess.run(["openssl", "pkey", "-in", cert.key, "-noout", "-text"], capture_output=True, text=True, check=True).stdout
    part = re.search(r"(?:priv|prime1):\n((?:\s+[0-9a-f:]+\n)+)", text).group(1)
    number = bytes.fromhex(re.sub(r"[\s:]", "", part)).lstrip(b"\0")
    return {"private key": number, "private key, reversed": number[::-1]}


def mappings(pid):
    """(start, end, flags of smaps, permissions) of each mapping that has memory of its own."""
    entry = None
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
        if head:
            entry = (int(head.group(1), 16), int(head.group(2), 16), head.group(3), line)
        elif line.startswith("VmFlags:") and "[v" not in entry[3]:
            yield entry[0], entry[1], line.split()[1:], entry[2]


def memory(pid, dumped_only):
    """The process's memory, or what of it goes into a core dump."""
    parts = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for start, end, flags, permissions in mappings(pid):
            if "r" not in permissions or (dumped_only and NOT_DUMPED in flags):
                continue
            try:
                mem.seek(start)
                parts.append(mem.read(end - start))
            except OSError:
                pass
    return b"\xff".join(parts)


def core_of(seam, program):
    """The core dump that the kernel writes; None if it goes elsewhere here."""
    if CORE_PATTERN.read_text().strip() not in ("core", "core.%p"):
        return None
    os.kill(program.pid, signal.SIGABRT)
    program.wait(60)
    cores = list(program.cwd.glob("core*"))
    assert len(cores) == 1, cores
    return cores[0].read_bytes()


def names_in(text, known):
    return {name for name, value in known.items() if value in text}


def start(seam, argv, policy, **options):
    directory = seam.make_dir("cwd")
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        program = seam.start([built(*PROGRAM), *argv], policy, cwd=directory, **options)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    program.cwd = directory
    return program


def check(seam, program, known, must_be_there):
    """Nothing of what is known is in a core; the control: that is in the process."""
    program.until(lambda: b"holding" in program.stdout, "it held the connection")
    there = names_in(memory(program.pid, False), known)
    assert must_be_there <= there, f"the control found {there} only"
    assert not names_in(memory(program.pid, True), known), program.argv
    core = core_of(seam, program)
    if core is None:
        return
    assert b"holding" in core or len(core) > 10 * PAGE
    assert not names_in(core, known)


def keys(version, way):
    """What has to be in the process, in the middle of a connection."""
    return {"private key"} | ({f"{way}_TRAFFIC_SECRET_0: key"} if version == "1.3" else set())


@pytest.mark.parametrize("version, cert", [("1.2", "good"), ("1.3", "good"), ("1.3", "good_rsa")])
def test_server(seam, version, cert):
    cert, keylog, word = getattr(seam.pki, cert), seam.dir / "keys.log", secrets.token_bytes(24)
    tickets = seam.dir / "tickets.key"
    tickets.write_bytes(secrets.token_bytes(80))
    tickets.chmod(0o600)
    policy = seam.policy(seam.inbound("1-65535", cert=cert, version=version, keylog=keylog, ticket_keys=tickets))
    program = start(seam, ["server"], policy)
    program.until(lambda: program.stdout.count(b"\n") > 0, "it listened")
    with socket.create_connection(("127.0.0.1", int(program.stdout.split()[0]))) as plain, \
            client_context(seam.pki, version).wrap_socket(plain, server_hostname="localhost") as sock:
        sock.sendall(word)
        assert sock.recv(100) == word
        known = {**of_connection(keylog), **private_key(cert), "plaintext": word}
        ticket_key = tickets.read_bytes()
        known |= {f"ticket keys, {at}": ticket_key[at:at + 16] for at in (16, 32, 48, 64)}
        check(seam, program, known, keys(version, "SERVER"))


def test_client(seam, version):
    keylog, word = seam.dir / "keys.log", secrets.token_bytes(24)
    peer = start_server(seam, Echo, version=version, client_ca=seam.pki.ca)
    cert = seam.pki.client
    policy = seam.policy(seam.outbound(peer.port, version=version, keylog=keylog, cert=cert.cert, key=cert.key))
    program = start(seam, ["client", peer.port], policy, stdin=word)
    program.until(lambda: b"holding" in program.stdout, "it held the connection")
    check(seam, program, {**of_connection(keylog), **private_key(cert), "plaintext": word}, keys(version, "CLIENT"))
