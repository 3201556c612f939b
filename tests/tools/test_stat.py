# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls stat` over files that make_audit has written."""

import csv
import io
import re
import resource
import subprocess

import pytest

from audit_files import T0, at, rows

SIDE = {"program": "/usr/bin/app", "rule": "db", "direction": "outbound", "local": "10.0.0.1:40000", "remote": "10.0.0.2:5432"}
OPEN = SIDE | {"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": "x25519", "resumed": 0, "verify": "ok",
               "plane": "user", "server_name": "db.example", "peer_subject": "CN=db.example", "peer_issuer": "CN=ca",
               "peer_not_after": T0 + 864000}
COUNTS = ("protected", "clear", "failed", "denied", "bytes_in", "bytes_out")


@pytest.fixture
def stat(seamtls, audit_dir):
    """The rows of a section, by name, as tuples of the wanted fields."""

    def run(section, *fields, args=()):
        result = seamtls("stat", "--format=json", *args, audit_dir)
        assert (result.returncode, result.stderr) == (0, "")
        found = [row for row in rows(result) if row["section"] == section]
        return {row.get("name"): tuple(row.get(field) for field in fields) for row in found}

    return run


def sample(make):
    make("a", ("policy", at(0)), ("open", at(1, **OPEN, handshake_us=1000)), ("open", at(2, **OPEN | {"resumed": 1}, handshake_us=3000)),
         ("close", at(3, **SIDE, server_name="db.example", bytes_in=100, bytes_out=7)))
    make("b", ("observe", at(4, program="/bin/old", direction="outbound", remote="10.0.0.9:25")),
         ("pass", at(5, **SIDE | {"rule": "legacy", "remote": "10.0.0.9:25", "program": "/bin/old"})),
         ("deny", at(6, **SIDE | {"rule": "never"})),
         ("fail", at(7, **SIDE, server_name="db.example", reason="refused by this side: the peer's certificate is not trusted: certificate has expired (not after x)")),
         ("fail", at(8, rule="in", direction="inbound", remote="10.9.9.9:1", reason="refused by the peer: the peer closed the connection before it sent anything")),
         ("lost", at(9, lost=12, reason="No space left on device")))


ALONE = {"direction": "outbound", "remote": "10.0.0.9:443", "program": "/bin/own"}
TLS = {"protocol": "tls", "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": "x25519", "resumed": 0,
       "server_name": "own.example"}


def test_left_alone_counts_once(make, stat):
    """As what it turned out to be, whatever name the second event has for the peer; and what was never recognised as in the clear."""
    make("a", ("observe", at(1, **ALONE, conn=1)), ("observe", at(2, **ALONE, conn=2)), ("observe", at(3, **ALONE, conn=3)),
         ("observe", at(4, **ALONE, conn=4)), ("observe", at(5, **ALONE, conn=5)), ("pass", at(6, **ALONE, conn=6, rule="s")),
         ("observe", at(7, **ALONE | TLS, conn=2)), ("observe", at(7, **ALONE, conn=3, protocol="clear", application="http")),
         ("observe", at(8, **ALONE, conn=4, protocol="none")), ("observe", at(8, **ALONE | TLS | {"version": "TLSv1.0"}, conn=5)),
         ("pass", at(9, **ALONE, conn=6, rule="s", protocol="ssh")))
    whats = ("protected", "own_tls", "ssh", "clear", "idle")
    assert stat("total", *whats) == {None: (0, 2, 1, 2, 1)}
    assert stat("peer", *whats) == {"10.0.0.9:443": (0, 2, 1, 2, 1)}
    assert stat("program", *whats) == {"/bin/own": (0, 2, 1, 2, 1)}
    assert stat("rule", *whats) == {"(no rule)": (0, 2, 0, 2, 1), "s": (0, 0, 1, 0, 0)}
    assert stat("version", "protected", "own_tls") == {"TLSv1.3": (0, 1), "TLSv1.0": (0, 1)}
    assert stat("relaxed", "protected") == {"own TLSv1.0": (1,)}


def test_second_events_alone_count_nothing(make, stat):
    """Their connections began before what is looked at; or two processes speak of the same one."""
    make("a", ("observe", at(1, **ALONE, conn=1)), ("observe", at(2, **ALONE | TLS, conn=1)), ("observe", at(3, **ALONE | TLS, conn=1)),
         ("observe", at(4, **ALONE | TLS, conn=7)))
    assert stat("total", "own_tls", "clear") == {None: (1, 0)}


def test_many_connections_at_a_time(make, stat):
    first = [("observe", at(n / 100, **ALONE, conn=n * 0x10000001)) for n in range(1, 3001)]
    second = [("observe", at(40 + n / 100, **ALONE | TLS, conn=n * 0x10000001)) for n in range(3000, 0, -2)]
    make("a", *first, *second)
    assert stat("total", "own_tls", "clear") == {None: (1500, 1500)}


def test_refused_for_what_it_said(make, stat):
    make("a", ("pass", at(1, **ALONE, conn=1)), ("deny", at(2, **ALONE, conn=1, reason="no TLS")))
    assert stat("total", "clear", "denied") == {None: (0, 1)}


def test_totals(make, stat):
    sample(make)
    assert stat("total", *COUNTS, "events", "probes", "lost", "first", "last") == {
        None: (2, 2, 1, 1, 100, 7, 10, 1, 12, "2025-11-23T12:13:20.000000Z", "2025-11-23T12:13:29.000000Z")}
    assert stat("rule", *COUNTS) == {
        "db": (2, 0, 1, 0, 100, 7), "(no rule)": (0, 1, 0, 0, 0, 0), "legacy": (0, 1, 0, 0, 0, 0), "never": (0, 0, 0, 1, 0, 0)}
    assert stat("program", "protected", "clear") == {"/usr/bin/app": (2, 0), "/bin/old": (0, 2)}
    assert stat("peer", "protected", "clear", "failed") == {
        "db.example:5432": (2, 0, 1), "10.0.0.9:25": (0, 2, 0), "10.0.0.2:5432": (0, 0, 0)}
    assert stat("version", "protected") == {"TLSv1.3": (2,)}
    assert stat("cipher", "protected") == {"TLS_AES_128_GCM_SHA256": (2,)}
    assert stat("group", "protected") == {"x25519": (2,)}
    assert stat("resumption", "protected") == {"full": (1,), "resumed": (1,)}
    assert stat("verify", "protected") == {"ok": (2,)}
    assert stat("plane", "protected") == {"user": (2,)}
    assert stat("cause", "failed") == {"expired": (1,)}


def test_filters_are_those_of_log(make, stat):
    sample(make)
    assert stat("total", "events", args=["--program=old"]) == {None: (2,)}
    assert stat("total", "events", args=["--since=2025-11-23T12:13:22Z", "--until=2025-11-23T12:13:24Z"]) == {None: (2,)}


def test_quantiles(make, stat):
    make("a", *[("open", at(n, **OPEN, handshake_us=n * 100)) for n in range(1, 1001)])
    (p50, p99), = stat("total", "handshake_p50_us", "handshake_p99_us").values()
    assert 50_000 <= p50 <= 52_000 and 99_000 <= p99 <= 102_500


# Reasons as the library writes them, and the class that each is counted in.
CAUSES = [
    ("refused by this side: the peer's certificate is not trusted: certificate is for 'dns:a', not for 'b'", {}, "name"),
    ("refused by this side: the peer's certificate is not trusted: certificate has no subjectAltName, so it is not for 'b'", {}, "name"),
    ("refused by this side: the peer's certificate is not trusted: self-signed certificate", {}, "chain"),
    ("refused by this side: the peer's certificate is not trusted: the CA certificate 'CN=x' has expired (not after y)", {}, "expired"),
    ("refused by this side: the peer's certificate is not trusted: certificate is revoked: serial number 1, on y", {}, "revoked"),
    ("refused by this side: the peer's certificate is not trusted: no key in the certificate chain is pinned", {}, "not_allowed"),
    ("refused by this side: the peer is not allowed: a certificate of 'CN=x' matches none of allow_peer", {}, "not_allowed"),
    ("refused by this side: the peer sent no certificate, and one is required", {}, "no_certificate"),
    ("refused by this side: no TLS version in common with the peer", {}, "nothing_in_common"),
    ("refused by the peer: the peer ended the handshake with the alert unknown_ca: x", {"alert_received": 48}, "certificate_refused"),
    ("refused by the peer: the peer ended the handshake with the alert handshake_failure", {"alert_received": 40}, "nothing_in_common"),
    ("refused by the peer: the peer ended the handshake with the alert internal_error", {"alert_received": 80}, "alert"),
    ("refused by this side: the peer does not speak TLS: it sent 'certificate is for '", {}, "plaintext"),
    ("the peer did not finish the handshake within handshake_timeout = 10 s", {}, "timeout"),
    ("the peer closed the connection without close_notify: data may be missing", {}, "truncated"),
    ("the peer reset the connection", {}, "reset"),
    ("refused by the peer: the peer closed the connection during the handshake", {}, "closed"),
    ("refused by the peer: the peer closed the connection before it sent anything", {"direction": "outbound"}, "closed"),
    ("refused by the peer: the connection failed before the peer sent anything: Connection reset by peer", {"direction": "outbound"}, "reset"),
    ("a record of the peer does not authenticate: it was changed on the way", {}, "tampered"),
    ("the key 'k' does not belong to the certificate 'c'", {}, "key"),
    ("policy requires an audit, and the event could not be written", {}, "policy"),
    ("starttls = smtp: the server answered '502'", {}, "starttls"),
    ("the program closed the connection during the handshake", {}, "program"),
    ("something new", {}, "other"),
]


@pytest.mark.parametrize("reason, fields, cause", CAUSES)
def test_causes(make, stat, reason, fields, cause):
    make("a", ("fail", at(0, reason=reason, **{"direction": "inbound"} | fields)))
    (name, (failed, meaning, advice)), = stat("cause", "failed", "meaning", "advice").items()
    assert (name, failed) == (cause, 1) and meaning and (advice or cause == "other")


def test_the_cause_that_the_library_tells(make, stat, seamtls, audit_dir):
    """It counts before the words; what is no cause of ours is 'other'; and a connection that was broken off counts, too."""
    make("a", ("fail", at(0, **SIDE, cause="expired", reason="the peer does not speak TLS")),
         ("fail", at(1, **SIDE, cause="a\n{b", reason="the peer does not speak TLS")),
         ("close", at(2, **SIDE, cause="truncated", reason="data may be missing")), ("close", at(3, **SIDE, reason="reset by the program")),
         ("fail", at(4, direction="inbound", cause="probe")))
    assert stat("cause", "failed") == {"expired": (1,), "other": (1,), "truncated": (1,)}
    assert stat("total", "failed", "broken", "probes") == {None: (2, 1, 1)}
    table = seamtls("stat", audit_dir).stdout
    assert "broken off             1" in table and "have it renewed" in table
    assert stat("total", "events", args=["--cause=truncated,expired"]) == {None: (2,)}


def test_certificates_of_today(make, stat):
    """Of a peer that renewed its certificate, the new one."""
    make("a", ("open", at(0, **OPEN)), ("open", at(1, **OPEN | {"peer_not_after": T0 + 8_640_000})),
         ("open", at(2, **OPEN | {"server_name": "other.example", "peer_not_after": 4102444800})))
    certs = stat("certificate", "rule", "subject", "not_after", "days_left")
    assert list(certs) == ["db.example:5432", "other.example:5432"], "the first to end is the first"
    assert certs["db.example:5432"][:3] == ("db", "CN=db.example", "2026-03-03T12:13:20Z")
    assert certs["other.example:5432"][3] > 20_000


@pytest.mark.parametrize("fields, setting", [
    ({"verify": "none"}, "verify = none"), ({"verify": "chain"}, "verify = chain"), ({"verify": "pin"}, "verify = none, with pin"),
    ({"verify": "ok, revocation unknown"}, "crl_check = available"), ({"version": "TLSv1.2"}, "TLS 1.2"),
    ({"reason": "warning: the keys of this connection are in the keylog 'x'"}, "keylog"),
])
def test_relaxed_settings(make, stat, fields, setting):
    make("a", ("open", at(0, **OPEN)), ("open", at(1, **OPEN | fields)))
    assert stat("relaxed", "rule", "protected") == {setting: ("db", 1)}


def test_clients_without_certificates_are_not_relaxed(make, stat):
    make("a", ("open", at(0, **OPEN | {"direction": "inbound", "verify": "none"})))
    assert stat("relaxed", "rule") == {}


def test_accept_both_is_relaxed(make, stat):
    make("a", ("pass", at(0, rule="in", reason="the client does not speak TLS, and the rule says 'accept = both'")))
    assert stat("relaxed", "rule") == {"accept = both": ("in",)}


def test_rules_never_used(make, stat, seamtls, tmp_path):
    sample(make)
    policy = tmp_path / "p.conf"
    policy.write_text("".join(f'[rule "{name}"]\nremote_port = {n}\naction = observe\n' for n, name in enumerate(["db", "x", "y"], 1)))
    assert list(stat("unused_rule", args=["-p", policy])) == ["x", "y"]
    result = seamtls("stat", "-p", tmp_path / "none.conf", tmp_path)
    assert result.returncode == 1 and "none.conf" in result.stderr


def test_csv(seamtls, make, audit_dir):
    sample(make)
    result = seamtls("stat", "--format=csv", audit_dir)
    table = list(csv.DictReader(io.StringIO(result.stdout, newline=""), strict=True))
    total, = [row for row in table if row["section"] == "total"]
    assert (total["protected"], total["clear"], total["name"]) == ("2", "2", "")
    assert {row["section"] for row in table} >= {"rule", "peer", "cause", "certificate"}


def test_table(seamtls, make, audit_dir):
    sample(make)
    text = seamtls("stat", audit_dir).stdout
    assert re.search(r"protected +2 +50\.0 %\nin the clear +2 +50\.0 %", text)
    assert re.search(r"p50 1\.\d ms, p99 3\.\d ms", text)
    assert "db.example:5432" in text and "expired" in text
    for n in range(20):
        make("c", ("observe", at(n, remote=f"10.1.0.{n}:25", direction="outbound")))
    text = seamtls("stat", "--top=3", audit_dir).stdout
    assert "... and 19 more" in text or "... and 20 more" in text


def test_empty(seamtls, audit_dir, make):
    make("a")
    assert seamtls("stat", audit_dir).stdout == "no events\n"
    assert seamtls("stat", "--format=prometheus", audit_dir).returncode == 0


# --- Prometheus: the grammar of the text format, version 0.0.4 ---

LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{{{LABEL}(?:,{LABEL})*\}})? (-?\d+(?:\.\d+)?|NaN)")


def exposition(text):
    """Parses it as Prometheus would, and returns the samples."""
    samples, types, closed, current = {}, {}, set(), None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split()[2]
            assert current not in closed, f"{current} is not in one piece"
            closed.add(current)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == current and kind in ("gauge", "summary")
            types[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            family = re.sub("_(sum|count)$", "", match[1]) if types[current] == "summary" else match[1]
            assert family == current, line
            key = match[1] + (match[2] or "")
            assert key not in samples, f"twice: {key}"
            samples[key] = float(match[3])
    return samples


def test_prometheus(seamtls, make, audit_dir):
    sample(make)
    samples = exposition(seamtls("stat", "--format=prometheus", audit_dir).stdout)
    assert samples['seamtls_connections{outcome="clear"}'] == 2
    assert samples['seamtls_rule_connections{rule="db",outcome="protected"}'] == 2
    assert samples['seamtls_failures{cause="expired"}'] == 1
    assert samples["seamtls_handshake_seconds_count"] == 2 and samples["seamtls_handshake_seconds_sum"] == 0.004
    assert samples['seamtls_peer_certificate_expiry_timestamp_seconds{rule="db"}'] == T0 + 864000
    assert samples["seamtls_lost_events"] == 12


def test_prometheus_of_hostile_names(seamtls, make, audit_dir):
    for name in ['quo"te', "back\\slash", "\\", "(other)", b"\x1b[2J", b"\xff", b"a\nb", b"a\n", "ü"]:
        make("a", ("open", at(0, **OPEN | {"rule": name, "version": "TLSv1.2", "cipher": name})))
    samples = exposition(seamtls("stat", "--format=prometheus", audit_dir).stdout)
    assert samples[r'seamtls_rule_connections{rule="quo\"te",outcome="protected"}'] == 1
    assert samples[r'seamtls_rule_connections{rule="back\\slash",outcome="protected"}'] == 1
    assert samples['seamtls_rule_connections{rule="(other)",outcome="protected"}'] == 5


def test_prometheus_has_bounded_labels(seamtls, make, audit_dir):
    make("a", *[("open", at(n, **OPEN | {"rule": f"r{n}", "remote": f"10.0.0.1:{n}", "server_name": f"n{n}"})) for n in range(300)])
    text = seamtls("stat", "--format=prometheus", audit_dir).stdout
    samples = exposition(text)
    assert sum(key.startswith("seamtls_rule_connections") for key in samples) == 101 * 7
    assert sum(value for key, value in samples.items() if key.startswith("seamtls_rule_connections")) == 300
    assert "n299" not in text and "10.0.0.1" not in text


def test_memory_does_not_grow_with_the_names(build, make, audit_dir):
    with open(f"{build}/tools/seamtls", "rb") as file:
        if b"__asan_init" in file.read():
            pytest.skip("the sanitizer keeps what was freed")
    make("a", *[("observe", at(n / 1000, direction="outbound", remote=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}:{n % 1000 + 1}"))
                for n in range(60_000)],
         *[("observe", at(61, direction="outbound", remote="192.0.2.1:25")) for _ in range(50)])

    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (8_000_000, 8_000_000))

    result = subprocess.run([f"{build}/tools/seamtls", "stat", "--format=json", audit_dir], preexec_fn=limit,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    peers = {row["name"]: row["clear"] for row in rows(result) if row["section"] == "peer"}
    assert len(peers) <= 4097 and sum(peers.values()) == 60_050
    assert next(iter(peers)) == "192.0.2.1:25" and peers["192.0.2.1:25"] == 50, "who matters stays"


@pytest.mark.parametrize("args", [["--format=xml"], ["--top=0"], ["--top=x"], ["--since=never"], ["--direction=up"], ["--nothing"]])
def test_misuse(seamtls, args):
    result = seamtls("stat", *args)
    assert (result.returncode, result.stdout) == (2, "")


def test_damage_is_told(seamtls, make, audit_dir):
    sample(make)
    (audit_dir / "bad.audit").write_bytes(b"nothing of ours" * 100)
    result = seamtls("stat", audit_dir)
    assert result.returncode == 1 and "bad.audit" in result.stderr and "protected" in result.stdout


def test_a_connection_that_is_handed_on_is_one(make, seamtls, audit_dir):
    """inetd's: accepted by one program, and had by another, under the same number."""
    ends = {"direction": "inbound", "local": "10.0.0.1:80", "remote": "10.0.0.2:5000"}
    make("inetd", ("observe", at(0, conn=1, program="/inetd", rule="all", **ends)), ("observe", at(5, conn=2, program="/inetd", **ends)))
    make("server", ("observe", at(1, conn=1, program="/server", rule="web", **ends)), ("observe", at(2, conn=1, program="/server", rule="web", protocol="tls", version="TLSv1.3", **ends)),
         ("observe", at(6, conn=2, program="/server", **ends)), ("observe", at(7, conn=2, program="/server", protocol="clear", **ends)))
    result = seamtls("stat", "--format=json", audit_dir)
    counts = {(row["section"], row["name"]): {key: row[key] for key in ("own_tls", "clear") if row.get(key)} for row in rows(result) if "own_tls" in row and "name" in row}
    assert counts[("program", "/server")] == {"own_tls": 1, "clear": 1} and ("program", "/inetd") not in counts, counts
    assert counts[("rule", "web")] == {"own_tls": 1} and ("rule", "all") not in counts, counts
    text = seamtls("stat", audit_dir).stdout
    assert "own TLS                1   50.0 %" in text and "in the clear           1   50.0 %" in text, text
