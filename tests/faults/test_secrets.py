# SPDX-License-Identifier: GPL-3.0-or-later
"""
What is in a core dump of a covered program: neither the keys of its connections nor the private key, the tickets' keys or
plaintext that the program itself has wiped. The control finds them in the memory of the living process, and, of a connection that
has been closed, nothing in there either.
"""
import os
import re
import secrets
import signal
from pathlib import Path

import pytest

from held import Held
from known import names_in, private_key

pytestmark = pytest.mark.tls_only

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
PAGE = 4096
# What the kernel writes by default (core(5)): anonymous memory, private and shared, and pages of files that were written to.
NOT_DUMPED = "dd"
LASTING = ("private key", "ticket keys")
THENS = ["idle", "part", "receive", "close"]


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


def core_of(held):
    """The core dump that the kernel writes; None if it goes elsewhere here."""
    if CORE_PATTERN.read_text().strip() not in ("core", "core.%p"):
        return None
    os.kill(held.program.pid, signal.SIGABRT)
    held.program.wait(60)
    cores = list(held.directory.glob("core*"))
    assert len(cores) == 1, cores
    return cores[0].read_bytes()


def check(held, lasting, way):
    """Nothing of what is known is in a core; the control: that is in the process, unless the connection has gone."""
    known = held.known | lasting
    there = names_in(memory(held.program.pid, False), known)
    must = set() if held.then == "close" else {f"{way}: key"}
    must |= {"plaintext, not read yet"} if held.then == "part" else set()
    assert must <= there and any(name.startswith("private key") for name in there), f"the control found {there} only"
    if held.then == "close":
        assert all(name.startswith(LASTING) for name in there), f"not wiped at the end: {there}"
    assert not names_in(memory(held.program.pid, True), known), held.program.argv
    core = core_of(held)
    if core is None:
        return
    assert b"holding" in core or len(core) > 10 * PAGE
    assert not names_in(core, known)


@pytest.mark.parametrize("version, cert, then", [
    *((version, "good", then) for version in ("1.2", "1.3") for then in THENS), ("1.3", "good_rsa", "idle")])
def test_server(seam, version, cert, then):
    cert, tickets = getattr(seam.pki, cert), seam.dir / "tickets.key"
    tickets.write_bytes(secrets.token_bytes(80))
    tickets.chmod(0o600)
    policy = seam.policy(seam.inbound("1-65535", cert=cert, version=version, ticket_keys=tickets))
    ticket_key = tickets.read_bytes()
    check(Held(seam, "server", version, then, policy, cert),
          private_key(cert) | {f"ticket keys, {at}": ticket_key[at:at + 16] for at in (16, 32, 48, 64)}, "SERVER")


@pytest.mark.parametrize("then", THENS)
def test_client(seam, version, then):
    """Without resumption: what a client needs for that outlives a connection."""
    cert = seam.pki.client

    def policy(port):
        return seam.policy(seam.outbound(port, version=version, cert=cert.cert, key=cert.key, resumption="no"))
    check(Held(seam, "client", version, then, policy, seam.pki.good), private_key(cert), "CLIENT")
