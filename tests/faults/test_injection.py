# SPDX-License-Identifier: GPL-3.0-or-later
"""
What strangers choose and an operator reads: names in certificates, server names, names of programs. Nothing of it is a
command to a terminal, a line of its own, or a formula of a spreadsheet.
"""
import csv
import io
import json
import os
import shutil
import subprocess

import pytest

from peers import Echo, server_context, start_server
from pki import GOOD_NAMES, Authority
from servers import ASYNC_ECHO, PYTHON, start_python

pytestmark = pytest.mark.tls_only

ESCAPE = "\x1b]0;owned\x07\x1b[2J"
FORMULA = "=cmd|x"
CLIENT = """
import socket, sys
with socket.create_connection(("localhost", int(sys.argv[1]))) as sock:
    sock.sendall(b"x")
    sock.recv(1)
"""
FORMATS = ["table", "json", "csv", "otlp-json"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A CA whose name is one of an attacker."""
    return Authority(tmp_path_factory.mktemp("hostile"), FORMULA)


def hostile_cert(authority, san):
    return authority.issue("hostile", f"{FORMULA}{ESCAPE}", san)


def outputs(seam, audit):
    """What the commands make of it as it is at the moment, by format."""
    texts = {}
    copy = seam.make_dir("copy") / "audit"
    shutil.copytree(audit.dir, copy)
    for form in FORMATS:
        done = subprocess.run([seam.tool, "log", "--format", form, copy], capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        texts[form] = done.stdout
    for name, *arguments in (("stat",), ("stat", "--format=csv"), ("stat", "--format=prometheus"), ("stat", "--format=json")):
        done = subprocess.run([seam.tool, name, *arguments, copy], capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        texts["-".join([name, *arguments])] = done.stdout
    return texts


def check(seam, audit):
    """No control characters, a line an event, and no cell that begins as a formula does."""
    texts = outputs(seam, audit)
    for name, text in texts.items():
        bad = {byte for byte in text.replace(b"\r\n", b"\n") if (byte < 0x20 and byte not in b"\n\t") or byte == 0x7f}
        assert not bad, f"{name}: {bad} in {text!r}"
        text.decode()
    events = [json.loads(line) for line in texts["json"].splitlines()]
    assert len(texts["table"].splitlines()) == 1 + len(events), texts["table"].decode()
    for name in ("csv", "stat---format=csv"):
        for row in csv.reader(io.StringIO(texts[name].decode())):
            assert not [cell for cell in row if cell[:1] in tuple("=+@\t\r")], row
    return events


def test_certificate_of_a_server(seam, hostile):
    cert = hostile_cert(hostile, GOOD_NAMES)
    server = start_server(seam, Echo, cert=cert)
    program = seam.run([PYTHON, "-c", CLIENT, server.port], seam.policy(seam.outbound(server.port, ca=hostile.ca)))
    program.audit.wait("close")
    events = check(seam, program.audit)
    peer = next(event["peer"] for event in events if event["event"] == "open")
    assert "owned" in peer["subject"]


def test_certificate_that_is_refused(seam, hostile):
    """Its names are on standard error too."""
    cert = hostile_cert(hostile, f"DNS:{FORMULA}{ESCAPE}.example")
    server = start_server(seam, Echo, cert=cert)
    program = seam.run([PYTHON, "-c", CLIENT, server.port], seam.policy(seam.outbound(server.port, ca=hostile.ca)), status=None)
    program.audit.wait("fail")
    check(seam, program.audit)
    told = [line for line in program.stderr.splitlines() if line.startswith("seamtls:")]
    assert len(told) == 1 and "owned" in told[0] and told[0].isprintable(), told


@pytest.mark.parametrize("name", [f"{FORMULA}{ESCAPE}", "one\ntwo\r\nthree", "\u202eevil", "a" * 250, "\udcff\udcfe"],
                         ids=["escapes", "lines", "direction", "long", "no-text"])
def test_server_name(seam, name):
    server = start_python(seam, ASYNC_ECHO)
    subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername",
                    os.fsencode(name)], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    server.until(lambda: len(server.audit.events()) > 1, "the handshake left a trace")
    check(seam, server.audit)


def test_name_of_a_program(seam):
    directory = seam.make_dir("programs")
    path = directory / f"{FORMULA}{ESCAPE}\n2026-01-01  open  ok"
    shutil.copy("/bin/bash", path)
    server = start_server(seam, Echo)
    script = f"exec 3<>/dev/tcp/localhost/{server.port} && echo x >&3"
    program = seam.run([path, "-c", script], seam.policy(seam.outbound(server.port)), status=None)
    events = check(seam, program.audit)
    assert any("owned" in event["program"] for event in events)


def test_label(seam):
    server = start_server(seam, Echo)
    program = seam.run([PYTHON, "-c", CLIENT, server.port], seam.policy(seam.outbound(server.port)),
                       env={"SEAMTLS_LABEL": f"{FORMULA}{ESCAPE}\nx"})
    check(seam, program.audit)


def test_debug_output(seam, hostile):
    cert = hostile_cert(hostile, f"DNS:{ESCAPE}.example")
    server = start_server(seam, Echo, cert=cert)
    log = seam.dir / "debug"
    seam.run([PYTHON, "-c", CLIENT, server.port], seam.policy(seam.outbound(server.port, ca=hostile.ca)), status=None,
             env={"SEAMTLS_DEBUG": "3", "SEAMTLS_DEBUG_FILE": str(log)})
    text = log.read_text()
    assert text and all(line.isprintable() for line in text.splitlines()), text
