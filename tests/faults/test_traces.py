# SPDX-License-Identifier: GPL-3.0-or-later
"""
What covered programs write and the command shows, audit files, messages, debug output, the tables and pages of `seamtls`, has none of
the secrets in it; and a key log is there if the policy names one, whatever the environment asks for.
"""
import secrets
import subprocess

import pytest

from held import Held
from known import names_in, private_key, spelled
from pki import openssl
from seam import rule, versions

pytestmark = pytest.mark.tls_only

SHOWN = [
    ["log"], ["log", "--format=json"], ["log", "--format=csv"], ["log", "--format=otlp-json"], ["log", "--verify"],
    ["stat"], ["stat", "--format=prometheus"], ["ps"], ["ps", "--format=json"], ["report", "-"],
]


@pytest.fixture
def locked(seam):
    """A folder for what only the program may read: its certificate as a PKCS#12 file and its password, the keys of audit and tickets."""
    folder = seam.make_dir("locked")
    (folder / "password").write_text(secrets.token_hex(12))
    (folder / "audit.key").write_bytes(secrets.token_bytes(32))
    (folder / "tickets.key").write_bytes(secrets.token_bytes(80))
    return folder


def lasting_secrets(seam, cert, locked):
    password = (locked / "password").read_text()
    openssl("pkcs12", "-export", "-in", cert.cert, "-inkey", cert.key, "-out", locked / "cert.p12", "-passout", f"pass:{password}")
    for path in locked.iterdir():
        path.chmod(0o600)
    tickets = (locked / "tickets.key").read_bytes()
    return private_key(cert) | {"password": password.encode(), "audit key": (locked / "audit.key").read_bytes()} | \
        {f"ticket keys, {at}": tickets[at:at + 16] for at in (16, 32, 48, 64)}


def start(seam, role, version, locked):
    keys = {"version": version, "cert": locked / "cert.p12", "password_file": locked / "password"}
    policy = {"audit_key": locked / "audit.key"}
    env = {"SEAMTLS_DEBUG": "3", "SSLKEYLOGFILE": str(seam.dir / "asked.keys")}
    if role == "server":
        text = rule("inbound", "1-65535", **versions(version), cert=keys["cert"], password_file=keys["password_file"],
                    ticket_keys=locked / "tickets.key")
        return Held(seam, role, version, "part", seam.policy(text, **policy), seam.pki.good, env=env)
    return Held(seam, role, version, "part", lambda port: seam.policy(seam.outbound(port, **keys), **policy), seam.pki.good, env=env)


def shown(seam, arguments, found, when):
    done = subprocess.run([seam.tool, *arguments], capture_output=True, timeout=60, check=False)
    found[f"seamtls {arguments[0]}, {when}"] = done.stdout + done.stderr


def written(seam, held):
    """All that is written while the connection is open, and when it has ended, by where it is."""
    found, audit = {}, held.program.audit
    shown(seam, ["doctor", str(held.program.pid)], found, "open")
    for when in ("open", "closed"):
        for command in SHOWN:
            shown(seam, [*command, audit.dir], found, f"{' '.join(command[1:])} {when}")
        if when == "open":
            held.program.stop()
            held.sock.close()
    for path in [*audit.dir.iterdir(), held.program.stdout_path, held.program.stderr_path, *held.directory.iterdir()]:
        found[path.name] = path.read_bytes()
    return found


@pytest.mark.parametrize("role", ["server", "client"])
def test_nothing_is_told(seam, role, version, locked):
    """And no key log is made because the environment has the variable for which other libraries make one."""
    known = lasting_secrets(seam, seam.pki.good if role == "server" else seam.pki.client, locked)
    held = start(seam, role, version, locked)
    known = spelled(known | held.known)
    found = written(seam, held)
    assert f"TLSv{version}".encode() in found["seamtls log,  open"] and b"seamtls" in found["stderr"], "something is told"
    for where, text in found.items():
        assert not names_in(text, known), where
    # The control: the same is found where it is meant to be.
    assert "CLIENT_RANDOM, hex" in names_in(held.keylog.read_bytes(), known) or "SERVER_TRAFFIC_SECRET_0, hex" in names_in(
        held.keylog.read_bytes(), known)
    assert not (seam.dir / "asked.keys").exists()
