# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls suggest`: what comes out is a policy, whatever the log says. (That it works: programs/test_evidence.py.)"""

import json
import re

import pytest

from audit_files import at

OUT = {"program": "/usr/bin/psql", "direction": "outbound", "local": "10.0.0.1:40000", "remote": "10.0.0.2:5433", "server_name": "db.example"}
IN = {"program": "/usr/sbin/app", "direction": "inbound", "local": "10.0.0.1:8000", "remote": "10.0.0.7:40001"}


@pytest.fixture
def suggest(seamtls, audit_dir, tmp_path):
    """The text, which `check` accepts, and its rules."""

    def run(*args, cert=True):
        if cert:
            seamtls("cert", "--force", "localhost")
            args += ("--cert=localhost.pem", "--key=localhost.key", "--ca=ca.pem")
        result = seamtls("suggest", *args, audit_dir)
        assert (result.returncode, result.stderr) == (0, "")
        path = tmp_path / "suggested.conf"
        path.write_text(result.stdout)
        checked = seamtls("check", "--format=json", path)
        assert checked.returncode == 0, checked.stderr
        rules = {row["rule"]: row for row in map(json.loads, checked.stdout.splitlines()) if "rule" in row}
        return result.stdout, rules

    return run


def test_permissive(make, suggest):
    make("a", *[("observe", at(n, **OUT)) for n in range(3)], ("observe", at(9, **IN)))
    text, rules = suggest()
    assert list(rules) == ["to db.example port 5433", "server at port 8000"], "the busiest first"
    assert rules["to db.example port 5433"]["action"] == "observe"
    assert rules["server at port 8000"]["action"] == "tls" and "accept = both" in rules["server at port 8000"]["relaxes"]
    assert "# 3 connections in the clear, the last at 2025-11-23T12:13:22Z." in text
    assert "remote_host = db.example" in rules["to db.example port 5433"]["conditions"]


def test_enforce(make, suggest):
    make("a", ("observe", at(0, **OUT)), ("pass", at(1, **IN, reason="the client does not speak TLS, and the rule says 'accept = both'")))
    _, rules = suggest("--stage=enforce")
    assert {row["action"] for row in rules.values()} == {"tls"} and not any(row.get("relaxes") for row in rules.values())


def test_servers_without_a_certificate_are_observed(make, suggest):
    make("a", ("observe", at(0, **IN)))
    text, rules = suggest("--stage=enforce", cert=False)
    assert rules["server at port 8000"]["action"] == "observe" and "needs a certificate" in text


def test_what_is_protected_needs_nothing(make, suggest):
    make("a", ("open", at(0, **OUT)), ("deny", at(1, **OUT)), ("fail", at(2, **OUT)))
    text, rules = suggest()
    assert rules == {} and "Nothing was in the clear." in text


def test_own_tls_needs_nothing(make, suggest):
    make("a", ("observe", at(0, **OUT, conn=1)), ("observe", at(1, **OUT, conn=1, protocol="tls", version="TLSv1.3")),
         ("observe", at(2, **IN, conn=2)), ("observe", at(3, **IN, conn=2, protocol="none")))
    text, rules = suggest()
    assert rules == {} and "Nothing was in the clear." in text and "1 connections with TLS or SSH of the programs' own" in text


def test_some_own_tls_is_let_through(make, suggest):
    make("a", ("observe", at(0, **OUT, conn=1)), ("observe", at(1, **OUT, conn=1, protocol="tls", version="TLSv1.3")),
         ("observe", at(2, **OUT, conn=2)), ("observe", at(3, **OUT, conn=2, protocol="clear")))
    text, rules = suggest("--stage=enforce")
    assert "# 1 connection in the clear" in text and "# 1 more had TLS or SSH of the program's own." in text
    assert "if_program_tls = pass" in text and list(rules) == ["to db.example port 5433"]


def test_loopback_only_on_request(make, suggest):
    make("a", ("observe", at(0, **OUT | {"remote": "127.0.0.1:80"})), ("observe", at(0, **IN | {"remote": "[::1]:9", "local": "[::1]:80"})))
    text, rules = suggest()
    assert rules == {} and "Left out: 2 connections" in text
    assert len(suggest("--loopback")[1]) == 2


def test_programs_are_a_list_or_none(make, suggest):
    make("a", *[("observe", at(0, **OUT | {"program": f"/bin/p{n}"})) for n in range(3)])
    assert "program = /bin/p0, /bin/p1, /bin/p2" in suggest()[1]["to db.example port 5433"]["conditions"]
    make("a", ("observe", at(0, **OUT | {"program": "/tmp/a b"})))
    assert "program" not in suggest()[1]["to db.example port 5433"]["conditions"], "nobody is to be left out"


@pytest.mark.parametrize("port, protocol", [(25, "smtp"), (143, "imap"), (110, "pop3"), (389, "ldap"), (5432, "pgsql"), (119, "nntp")])
def test_upgrades(make, suggest, port, protocol):
    make("a", ("observe", at(0, **OUT | {"remote": f"10.0.0.2:{port}"})), ("observe", at(0, **IN | {"local": f"10.0.0.1:{port}"})))
    text, rules = suggest("--stage=enforce")
    assert text.count(f"starttls       = {protocol}\n") == 2 and len(rules) == 2
    text, rules = suggest()
    assert {row["action"] for row in rules.values()} == {"observe"}, "starttls cannot take both"


def test_programs_with_their_own_tls(make, suggest):
    make("a", ("observe", at(0, **OUT | {"remote": "10.0.0.2:443"})), ("observe", at(0, **IN | {"local": "10.0.0.1:8443"})))
    text, rules = suggest("--stage=enforce")
    assert list(rules) == ["to db.example port 443"] and "if_program_tls = pass" in text and "No rule for the server at port 8443" in text


def test_addresses(make, suggest):
    make("a", ("observe", at(0, **OUT | {"server_name": "10.0.0.2"})), ("observe", at(0, **OUT | {"remote": "[2001:db8::1]:80", "server_name": "*.x"})))
    text, rules = suggest("--stage=enforce")
    assert set(rules) == {"to 10.0.0.2 port 5433", "to 2001:db8::1 port 80"}
    assert "server_name" in text


HOSTILE = ["a\naction = pass", '"]\n[rule "x"]\naction = pass', "x # y", "a;b", "*", "a,b", "..", "-x", "", b"\xff\xfe", "\x1b[2J", "a" * 300, "${HOME}",
           "%s%n", "a\u2028b", "127.0.0.1:99999", "[::1", ":::"]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("stage", ["permissive", "enforce"])
def test_hostile_names(make, suggest, name, stage):
    """Whatever is in the log, no rule is made of it that it did not mean."""
    for base in (OUT, IN):
        make("a", *[("observe", at(0, **base | {key: name})) for key in ("server_name", "remote", "local", "program", "rule")])
    text, rules = suggest(f"--stage={stage}")
    assert "pass" not in {row["action"] for row in rules.values()}
    assert len(rules) <= 3 and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_many_places(make, suggest):
    make("a", *[("observe", at(0, **OUT | {"server_name": f"h{n}.example"})) for n in range(1200)])
    text, rules = suggest()
    assert len(rules) == 1000 and "Left out: 200 connections" in text


@pytest.mark.parametrize("args", [["--stage=none"], ["--cert=a\nb", "--key=x"], ["--cert=a"], ["--key="], ["--ca=a#b"], ["--nothing"]])
def test_misuse(seamtls, args):
    result = seamtls("suggest", *args)
    assert (result.returncode, result.stdout) == (2, "")
