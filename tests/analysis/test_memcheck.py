# SPDX-License-Identifier: GPL-3.0-or-later
"""
valgrind's memcheck over what reads hostile bytes, the record layer, what reads handshakes and files, and over each subcommand on the
audit of a real run: it sees what the sanitizers do not, values that come from memory which nobody has written.
"""
import os
import subprocess
from pathlib import Path

import pytest

from built import built
from peers import Echo, start_server
from seam import need

PYTHON = "/usr/bin/python3"
SOURCE = Path(__file__).parent.parent
UNITS = ["aead", "audit_reader", "gate", "handshake", "pem", "recognise", "record", "record_hostile"]
REPLAYS = ["audit", "filters", "flights", "hello", "record", "starttls"]
FOUND = 99

CLIENT = """
import socket, sys
with socket.create_connection(("localhost", int(sys.argv[1]))) as sock:
    sock.sendall(b"word")
"""


def memcheck(argv, timeout_s=300, **options):
    need("valgrind")
    # No child for each of Check's tests, and time enough.
    env = {**os.environ, "CK_FORK": "no", "CK_TIMEOUT_MULTIPLIER": "100"}
    done = subprocess.run(["valgrind", "-q", f"--error-exitcode={FOUND}", *map(str, argv)], env=env, capture_output=True, text=True,
                          errors="replace", timeout=timeout_s, check=False, **options)
    assert done.returncode != FOUND and "\n==" not in "\n" + done.stderr, done.stderr[:6000]
    return done


@pytest.mark.parametrize("name", UNITS)
def test_unit(name):
    done = memcheck([built("tests", "unit", f"test_{name}")], cwd=SOURCE / "unit")
    assert done.returncode == 0 and "100%: Checks:" in done.stdout, done.stdout


@pytest.mark.parametrize("name", REPLAYS)
def test_replay(name):
    done = memcheck([built("tests", "hostile", f"replay_{name}"), SOURCE / "hostile" / "corpus" / name])
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def audit(shared):
    """Of a connection that was protected, one that was left alone, and one that was refused, and the policy."""
    server = start_server(shared, Echo)
    policies = [shared.policy(shared.outbound(server.port)), shared.policy(default="observe"),
                shared.policy(shared.outbound(server.port, ca=shared.pki.other_ca))]
    directory = shared.make_dir("audit")
    for policy in policies:
        program = shared.run([PYTHON, "-c", CLIENT, server.port], policy, status=None)
        for path in program.audit.dir.iterdir():
            path.rename(directory / f"{program.pid}-{path.name}")
    return directory, policies[0]


COMMANDS = {
    "log": ["log", "AUDIT"],
    "log json": ["log", "--format=json", "--since=1d", "--event=open,fail,observe", "AUDIT"],
    "log csv": ["log", "--format=csv", "AUDIT"],
    "log otlp": ["log", "--format=otlp-json", "AUDIT"],
    "log verify": ["log", "--verify", "AUDIT"],
    "stat": ["stat", "AUDIT"],
    "stat prometheus": ["stat", "--format=prometheus", "AUDIT"],
    "report": ["report", "-", "AUDIT"],
    "ps": ["ps", "--stale", "AUDIT"],
    "suggest": ["suggest", "--loopback", "AUDIT"],
    "check": ["check", "POLICY"],
    "explain": ["explain", "-p", "POLICY", "--remote=127.0.0.1:443"],
    "doctor": ["doctor", "/usr/bin/curl"],
    "policy": ["policy", "default"],
    "cert": ["cert", "--directory=OUTPUT", "localhost"],
    "run": ["run", "-p", "POLICY", "--", "/bin/true"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_command(name, shared, audit, tmp_path):
    directory, policy = audit
    places = {"AUDIT": directory, "POLICY": policy}
    argv = [places.get(word, word.replace("OUTPUT", str(tmp_path))) for word in COMMANDS[name]]
    done = memcheck(["--leak-check=full", "--errors-for-leak-kinds=definite", shared.tool, *argv])
    assert done.returncode == 0 and (done.stdout or name == "run"), (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
