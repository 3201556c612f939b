# SPDX-License-Identifier: GPL-3.0-or-later
"""Every refusal says what, where and what to do: on standard error for whoever started the program, and in the audit."""
import pathlib
import re

import pytest

from clients import probe
from peers import Echo, Http, Sink, start_plain_server, start_server
from seam import rule

pytestmark = pytest.mark.tls_only
SHIM = pathlib.Path(__file__).parents[2] / "shim"

# What is wrong: a word of what is said of it, where it is, and what is to be done; the peer, what its rule says, and the cause.
REFUSALS = {
    "another name": ("not for 'localhost'", "server_name", {"cert": "wrong_name"}, {}, "name"),
    "expired": ("has expired", "renewed", {"cert": "expired"}, {}, "expired"),
    "another CA": ("trusted CAs", "add the CA", {"cert": "other"}, {}, "chain"),
    "somebody else": ("allow_peer", "allow_peer", {}, {"allow_peer": "dns:somebody.else"}, "not_allowed"),
    "another key": ("pinned", "pin", {}, {"pin": "sha256/" + "A" * 43 + "="}, "not_allowed"),
    "no CA in the file": ("certificate", "seamtls check", {}, {"ca": __file__}, "key"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_client_that_is_refused(seam, case):
    word, advice, peer, keys, cause = REFUSALS[case]
    server = start_server(seam, Sink, **{name: getattr(seam.pki, value) for name, value in peer.items()})
    program = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port, name="mine", **keys)))
    line, = [line for line in program.stderr.splitlines() if line.startswith("seamtls: ") and "what to do: " in line]
    assert word in line and "rule 'mine'" in line and advice in line.partition("what to do: ")[2], line
    event, = program.audit.find("deny") + program.audit.find("fail")
    assert (event["cause"], event["rule"]) == (cause, "mine") and word in event["reason"] and advice in event["advice"]


@pytest.mark.parametrize("make, cause", [
    (lambda seam: start_plain_server(seam, Http), "plaintext"),
    (lambda seam: start_server(seam, Sink, version="1.2"), "nothing_in_common"),
], ids=["plain text", "nothing in common"])
def test_what_standard_error_is_not_told(seam, make, cause):
    """It is the peer's affair, or the network's: the audit has it all the same."""
    server = make(seam)
    program = probe(seam, "blocking", server.port, seam.policy(seam.outbound(server.port, version="1.3")))
    event, = program.audit.find("fail")
    assert event["cause"] == cause and event["advice"]


def test_a_connection_that_is_denied(seam):
    server = start_plain_server(seam, Echo)
    program = probe(seam, "blocking", server.port, seam.policy(rule("outbound", server.port, name="never", action="deny")))
    assert "rule 'never'" in program.stderr and "what to do: seamtls explain" in program.stderr
    assert program.audit.find("deny", rule="never", cause="policy")


def test_an_audit_that_cannot_be_written(seam):
    server = start_plain_server(seam, Echo)
    policy = seam.policy(rule("outbound", server.port, action="observe"), audit="required", audit_key=seam.dir / "nowhere")
    program = probe(seam, "blocking", server.port, policy)
    assert program.errno == "EACCES" and "audit_key" in program.stderr and "what to do: make room in audit_dir" in program.stderr


def test_a_policy_with_an_error(seam):
    """File, line, key, what was found and what is allowed; and how to look at it."""
    server = start_plain_server(seam, Echo)
    policy = seam.policy(rule("outbound", server.port, min_version="1.1"))
    program = probe(seam, "blocking", server.port, policy)
    assert program.errno == "EACCES" and "try: seamtls check" in program.stderr
    assert re.search(rf"{policy}:\d+: min_version: .*1\.1.*1\.2", program.stderr), program.stderr


def test_no_failure_without_a_cause():
    """In the sources: whoever ends a connection says why, by a cause that has advice."""
    without = [f"{path.name}: {found.group(0)}" for path in sorted((SHIM / "conn").glob("*.c"))
               for found in re.finditer(r"conn_fail\(conn, [^,]+, NULL,|report_fail\(conn, NULL, [^,]+, CAUSE_NONE", path.read_text())]
    assert without == []
