# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls log` over files that make_audit has written."""

import contextlib
import csv
import datetime
import fcntl
import io
import json
import os
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import termios

import pytest

from audit_files import T0, at, rows

FULL = {
    "time_us": T0 * 1_000_000 + 123456, "conn": 0xABC, "pid": 12, "uid": 1000, "program": "/usr/bin/curl",
    "label": "nightly", "rule": "web", "direction": "outbound", "local": "10.0.0.1:4444", "remote": "93.184.216.34:443",
    "server_name": "www.example.com", "protocol": "tls", "application": "smtp", "version": "TLSv1.3",
    "cipher": "TLS_AES_256_GCM_SHA384", "group": "X25519MLKEM768", "alpn": "h2", "offered_version": "TLSv1.3",
    "ja4": "t13d1516h2_8daaf6152771_e5627efa2ab1", "resumed": 1, "verify": "ok", "peer_subject": "CN=www.example.com", "peer_issuer": "CN=ca",
    "peer_san": ["dns:a.test", "ip:::1"], "peer_serial": "01AB", "peer_sha256": "abcd", "peer_not_after": 1800000000,
    "plane": "user", "handshake_us": 1234, "bytes_in": 1, "bytes_out": 2, "duration_us": 3, "reason": "none",
    "alert_sent": 42, "alert_received": 0, "lost": 9, "cause": "expired",
}
FULL_JSON = {
    "time": "2025-11-23T12:13:20.123456Z", "event": "open", "conn": "0000000000000abc", "pid": 12, "uid": 1000,
    "program": "/usr/bin/curl", "label": "nightly", "rule": "web", "direction": "outbound", "local": "10.0.0.1:4444",
    "remote": "93.184.216.34:443", "server_name": "www.example.com", "protocol": "tls", "application": "smtp",
    "version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "group": "X25519MLKEM768", "alpn": "h2",
    "offered_version": "TLSv1.3", "ja4": "t13d1516h2_8daaf6152771_e5627efa2ab1", "resumed": True, "verify": "ok",
    "peer": {"subject": "CN=www.example.com", "issuer": "CN=ca", "san": ["dns:a.test", "ip:::1"], "serial": "01AB",
             "sha256": "abcd", "not_after": "2027-01-15T08:00:00Z"},
    "plane": "user", "handshake_us": 1234, "bytes_in": 1, "bytes_out": 2, "duration_us": 3, "reason": "none",
    "alert": {"sent": "bad_certificate", "received": "close_notify"}, "lost": 9, "cause": "expired",
    "advice": "have it renewed, and look at the clocks of both hosts",
}


@pytest.fixture
def events(seamtls, audit_dir):
    """The events of the directory, of a `seamtls log` that has nothing to complain of."""

    def run(*args):
        result = seamtls("log", "--format=json", *args, audit_dir)
        assert (result.returncode, result.stderr) == (0, "")
        return rows(result)

    return run


def test_every_field_of_json(make, events):
    make("a", ("open", FULL))
    assert events() == [FULL_JSON]
    assert list(events()[0]) == list(FULL_JSON), "in the order of the design"


def test_what_does_not_apply_is_left_out(make, events):
    make("a", ("policy", at(0)), ("open", at(1, resumed=0, alert_sent=-1)))
    assert events() == [
        {"time": "2025-11-23T12:13:20.000000Z", "event": "policy", "pid": 1, "uid": 0},
        {"time": "2025-11-23T12:13:21.000000Z", "event": "open", "pid": 1, "uid": 0, "resumed": False},
    ]


@pytest.mark.parametrize("number, name", [(40, "handshake_failure"), (120, "no_application_protocol"), (99, "alert_99")])
def test_alerts(make, events, number, name):
    make("a", ("fail", at(0, alert_received=number)))
    assert events()[0]["alert"] == {"received": name}


@pytest.mark.parametrize("seconds, text", [(0, "1970-01-01T00:00:00Z"), (2**63, "9999-12-31T23:59:59Z"), (253402300799, "9999-12-31T23:59:59Z")])
def test_odd_ends_of_certificates(make, events, seconds, text):
    make("a", ("open", at(0, peer_not_after=seconds)))
    assert events()[0]["peer"] == {"not_after": text}


def test_causes_and_what_to_do(make, events, seamtls, audit_dir):
    make("a", ("fail", at(0, conn=1, cause="name", reason="x")), ("fail", at(1, conn=2, reason="the peer does not speak TLS")), ("open", at(2)),
         ("fail", at(3, conn=4, cause="no such", reason="y")), ("deny", at(4, conn=5, cause="policy")), ("fail", at(5, conn=6, cause="probe")))
    assert [(e["event"], e.get("cause")) for e in events()] == [
        ("fail", "name"), ("fail", "plaintext"), ("open", None), ("fail", "other"), ("deny", "policy"), ("fail", "probe")]
    assert [e["event"] for e in events() if "advice" in e] == ["fail", "fail", "deny", "fail"]
    assert [int(e["conn"], 16) for e in events("--cause=plaintext,policy")] == [2, 5]
    assert "what to do: set server_name" in seamtls("log", audit_dir).stdout
    result = seamtls("log", "--cause=nonsense")
    assert result.returncode == 2 and "allowed: name, chain, " in result.stderr


def test_what_protects_what_is_left_alone(make, events, seamtls):
    make("a", ("observe", at(0, conn=1)), ("observe", at(1, conn=1, protocol="tls")), ("pass", at(2, conn=2, protocol="ssh")), ("open", at(3, conn=3)),
         ("observe", at(4, conn=4, protocol="clear", application="http")), ("deny", at(5, conn=5, protocol="clear", application="smtp")),
         ("observe", at(6, conn=6, protocol="unknown")), ("observe", at(7, conn=7, protocol="none")), ("observe", at(8, conn=8, protocol="clear")),
         ("observe", at(9, conn=9, protocol="of the future")), ("observe", at(10, conn=10, protocol="tls", application="smtp")))

    def found(*options):
        return [int(e["conn"], 16) for e in events(*options)]

    assert found("--protocol=tls") == [1, 10] and found("--protocol=ssh,clear") == [2, 4, 5, 8]
    assert found("--protocol=unknown,none") == [6, 7] and found("--protocol=ssh", "--protocol=none") == [2, 7]
    assert found("--application=http") == [4] and found("--application=smtp") == [5, 10] and found("--application=*") == [4, 5, 10]
    assert found("--application=http", "--application=smtp", "--protocol=clear", "--event=observe") == [4]
    for wrong in ("nonsense", "", "tls,", "TLS", "cl"):
        result = seamtls("log", f"--protocol={wrong}")
        assert result.returncode == 2 and f"--protocol: found '{wrong}', allowed: tls, ssh, clear, none, unknown" in result.stderr


def test_files_are_merged_in_order_of_time(make, events):
    make("b", *[("open", at(n, conn=n + 1)) for n in range(0, 600, 3)])
    make("a", *[("open", at(n, conn=n + 1)) for n in range(1, 600, 3)])
    make("c", ("file", at(0)), *[("open", at(n, conn=n + 1)) for n in range(2, 600, 3)])
    assert [int(e["conn"], 16) for e in events()] == list(range(1, 601))


def test_threads_out_of_order_are_put_right(make, events):
    make("a", *[("open", at(n ^ 7, conn=(n ^ 7) + 1)) for n in range(64)])
    assert [int(e["conn"], 16) for e in events()] == list(range(1, 65))


def test_many_files_need_few_descriptors(build, make, audit_dir):
    for n in range(100):
        make(f"f{n}", ("file", at(0)), ("open", at(n, conn=n + 1)), ("close", at(200 - n, conn=n + 1)))

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))

    result = subprocess.run([f"{build}/tools/seamtls", "log", "--format=json", audit_dir], preexec_fn=limit,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    times = [e["time"] for e in rows(result)]
    assert len(times) == 200 and times == sorted(times)


def test_memory_does_not_grow_with_the_log(build, make, audit_dir):
    with open(f"{build}/tools/seamtls", "rb") as file:
        if b"__asan_init" in file.read():
            pytest.skip("the sanitizer keeps what was freed")
    path = make("a", *[("open", at(n % 1000, reason="x" * 300)) for n in range(1000)])
    data = path.read_bytes()
    with open(path, "ab") as file:
        for _ in range(150):
            file.write(data[8:])

    def limit():
        resource.setrlimit(resource.RLIMIT_DATA, (8_000_000, 8_000_000))

    assert path.stat().st_size > 50_000_000
    result = subprocess.run([f"{build}/tools/seamtls", "log", "--event=lost", "--format=json", path], preexec_fn=limit,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


# What a peer may put into its certificate, and how it comes out.
HOSTILE = [
    (b"\x1b[2J\x1b]0;title\x07", "\x1b[2J\x1b]0;title\x07", r"\x1B[2J\x1B]0;title\x07"),
    (b"a\nb\rc\td\x7f", "a\nb\rc\td\x7f", r"a\x0Ab\x0Dc\x09d\x7F"),
    (b"\xc2\x9b31m", "\x9b31m", r"\xC2\x9B31m"),
    (b"\xff\xfe\x80x\xc3", "\ufffd\ufffd\ufffdx\ufffd", r"\xFF\xFE\x80x\xC3"),
    (b"\xc0\xaf \xed\xa0\x80", "\ufffd\ufffd \ufffd\ufffd\ufffd", r"\xC0\xAF \xED\xA0\x80"),
    ("\u202etxt.exe".encode(), "\u202etxt.exe", r"\xE2\x80\xAEtxt.exe"),
    ("Zürich 🔒".encode(), "Zürich 🔒", "Zürich 🔒"),
    (b'say "hi", \\ twice', 'say "hi", \\ twice', 'say "hi", \\ twice'),
    (b"", "", ""),
]


@pytest.mark.parametrize("raw, in_json, elsewhere", HOSTILE)
def test_hostile_text_is_harmless(seamtls, make, audit_dir, raw, in_json, elsewhere):
    make("a", ("fail", at(0, reason=raw, rule=raw, peer_san=[raw])))
    result = seamtls("log", "--format=json", audit_dir)
    assert rows(result) == [{"time": "2025-11-23T12:13:20.000000Z", "event": "fail", "pid": 1, "uid": 0, "rule": in_json,
                             "reason": in_json, "peer": {"san": [in_json]}, "cause": "other"}]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", result.stdout), "nothing for a terminal to obey"
    row, = read_csv(seamtls("log", "--format=csv", audit_dir))
    assert row["reason"] == row["rule"] == row["peer_san"] == elsewhere
    table = seamtls("log", audit_dir).stdout
    assert table.splitlines()[1].endswith("  " + (elsewhere or "-"))
    assert len(table.splitlines()) == 2


def read_csv(result):
    assert (result.returncode, result.stderr) == (0, "")
    return list(csv.DictReader(io.StringIO(result.stdout, newline=""), strict=True))


def test_csv_has_every_field(seamtls, make, audit_dir):
    make("a", ("open", FULL), ("pass", at(5)))
    full, empty = read_csv(seamtls("log", "--format=csv", audit_dir))
    assert full == {k: str(v) for k, v in FULL_JSON.items() if not isinstance(v, dict)} | {
        "resumed": "true", "peer_subject": "CN=www.example.com", "peer_issuer": "CN=ca", "peer_san": "dns:a.test ip:::1",
        "peer_serial": "01AB", "peer_sha256": "abcd", "peer_not_after": "2027-01-15T08:00:00Z",
        "alert_sent": "bad_certificate", "alert_received": "close_notify"}
    assert {k: v for k, v in empty.items() if v} == {"time": "2025-11-23T12:13:25.000000Z", "event": "pass", "pid": "1", "uid": "0"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1"])
def test_csv_has_no_formulas(seamtls, make, audit_dir, text):
    make("a", ("fail", at(0, reason=text, rule="a" + text)))
    row, = read_csv(seamtls("log", "--format=csv", audit_dir))
    assert (row["reason"], row["rule"]) == ("'" + text, "a" + text)


def in_terminal(command, columns):
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=child)
    os.close(child)
    output = b""
    with contextlib.suppress(OSError):  # EIO: the other end was closed
        while part := os.read(parent, 4096):
            output += part
    os.close(parent)
    assert process.wait(60) == 0
    return output.decode().splitlines()


@pytest.mark.parametrize("columns", [1, 10, 40, 60, 80, 100, 111, 120, 200, 400])
def test_table_fits_the_terminal(build, make, audit_dir, columns):
    long = {"rule": "r" * 100, "program": "/bin/" + "ü" * 100, "direction": "outbound", "remote": "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535",
            "version": "TLSv1.3", "cipher": "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "reason": "why " * 60}
    make("a", ("fail", at(0, **long)), ("open", at(1, verify="ok")))
    lines = in_terminal([f"{build}/tools/seamtls", "log", audit_dir], columns)
    assert len(lines) == 3
    if columns >= 19:
        assert max(map(len, lines)) <= columns
    if columns >= 80:
        assert re.search("TIME +EVENT +RULE +PROGRAM +.*REMOTE +.*RESULT", lines[0])
        assert lines[0].index("RESULT") == lines[2].index("ok")
    if columns >= 120:
        assert lines[0].split() == ["TIME", "EVENT", "RULE", "PROGRAM", "DIRECTION", "REMOTE", "VERSION", "CIPHER", "RESULT"]


@pytest.mark.parametrize("columns", [1, 10, 40, 60, 80, 120, 400])
def test_a_failure_is_told_whole_on_a_terminal(build, make, audit_dir, columns):
    """Below its row if there is no room beside it: what failed and what to do; what it is made of stays harmless."""
    reason = "certificate is for 'dns:" + "x" * 50 + "', not for \x1b[31m'" + "y " * 40 + "'"
    make("a", ("fail", at(0, rule="r", cause="name", reason=reason)), ("open", at(1, verify="ok")))
    lines = in_terminal([f"{build}/tools/seamtls", "log", audit_dir], columns)
    text = " ".join(line.strip() for line in lines)
    assert "\x1b" not in text and r"\x1B[31m" in text.replace(" ", "")
    assert "what to do: set server_name to a name" in text
    if 41 < columns < 400:
        assert max(map(len, lines)) <= columns and " name" in lines[1] and lines[2].startswith(" " * 21 + "certificate is for")
    if columns == 400:
        assert len(lines) == 3


def test_table_elsewhere_is_not_cut(seamtls, make, audit_dir):
    make("a", ("close", at(0, reason="why " * 60, rule="r" * 100, bytes_in=5, bytes_out=6)), ("lost", at(1, lost=3, reason="No space")))
    closed, lost = seamtls("log", audit_dir).stdout.splitlines()[1:]
    assert "r" * 100 in closed and "why " * 60 in closed and closed.endswith("5 in, 6 out")
    assert lost.endswith("3 events lost: No space")


FILTER_EVENTS = [
    ("open", at(0, conn=1, rule="web", program="/usr/bin/curl", direction="outbound", remote="10.0.0.1:443", server_name="www.Example.com")),
    ("fail", at(1, conn=2, rule="web-2", program="/usr/sbin/nginx", direction="inbound", remote="[2001:db8::1]:5000")),
    ("close", at(2, conn=3, rule="db", program="/opt/db/bin/curl", direction="outbound", remote="10.0.0.1:5432")),
    ("observe", at(3, conn=4, program="/usr/bin/wget", direction="outbound", remote="10.0.0.10:80")),
    ("policy", at(4, conn=5)),
]


@pytest.mark.parametrize(
    "args, conns",
    [
        ([], [1, 2, 3, 4, 5]),
        (["--event=open"], [1]),
        (["--event=open,policy"], [1, 5]),
        (["--event=open", "--event=fail"], [1, 2]),
        (["--rule=web"], [1]),
        (["--rule=web*"], [1, 2]),
        (["--rule=db", "--rule=web"], [1, 3]),
        (["--program=curl"], [1, 3]),
        (["--program=/usr/bin/*"], [1, 4]),
        (["--program=*"], [1, 2, 3, 4]),
        (["--peer=10.0.0.1"], [1, 3]),
        (["--peer=10.0.0.1:443"], [1]),
        (["--peer=2001:DB8:0::1"], [2]),
        (["--peer=[2001:db8::1]"], [2]),
        (["--peer=[2001:db8::1]:5000"], [2]),
        (["--peer=[2001:db8::1]:5001"], []),
        (["--peer=*.example.COM"], [1]),
        (["--peer=example.com"], []),
        (["--peer=10.0.0"], []),
        (["--direction=inbound"], [2]),
        (["--direction=outbound", "--program=curl", "--event=close"], [3]),
        (["--since=2025-11-23T12:13:22Z"], [3, 4, 5]),
        (["--since=2025-11-23T12:13:21.000001Z"], [3, 4, 5]),
        (["--since=2025-11-23T14:13:23+02:00"], [4, 5]),
        (["--since=2025-11-23 06:43:24-05:30"], [5]),
        (["--until=2025-11-23T12:13:22Z"], [1, 2]),
        (["--since=2025-11-23T12:13:21Z", "--until=2025-11-23T12:13:23Z"], [2, 3]),
        (["--since=1h"], []),
        (["--since=999999h"], [1, 2, 3, 4, 5]),
        (["--since=2025-11-23T12:13:22Z", "--peer=10.0.0.1", "--direction=outbound"], [3]),
    ],
)
def test_filters(make, events, args, conns):
    make("a", *FILTER_EVENTS[::2])
    make("b", *FILTER_EVENTS[1::2])
    assert [int(e["conn"], 16) for e in events(*args)] == conns


def test_since_a_while_ago(make, events):
    now = datetime.datetime.now().timestamp()
    ages = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    make("a", *[("open", {"time_us": int((now - 2.5 * age) * 1_000_000), "pid": 1}) for age in ages.values()])
    assert [len(events(f"--since=3{unit}")) for unit in "mhdw"] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    "args",
    [
        ["--format=xml"], ["--format="], ["--event=opened"], ["--event="], ["--event=open,"], ["--event=file"],
        ["--direction=in"], ["--since=yesterday"], ["--until=tomorrow"], ["--since=10"], ["--since=10x"], ["--since=m"], ["--since=-1h"],
        ["--since=99999999999h"], ["--since=2025-11-23"], ["--since=2025-11-23T12:13:22"], ["--since=2025-02-30T00:00:00Z"],
        ["--since=2025-13-01T00:00:00Z"], ["--since=2025-11-23T24:00:00Z"], ["--since=2025-11-23T12:13:22Zx"],
        ["--since=2025-11-23T12:13:22+2:00"], ["--nothing"], ["--since"], ["--rule=x"] * 17,
    ],
    ids=" ".join,
)
def test_misuse_is_2(seamtls, audit_dir, args):
    result = seamtls("log", *args[:1] if args[0] == "--since" else args, *([] if args[0] == "--since" else [audit_dir]))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith("Try 'seamtls log --help'.\n")


def test_environment_names_the_directory(seamtls, make, audit_dir, tmp_path):
    make("a", ("open", at(0)))
    assert len(rows(seamtls("log", "--format=json", env={"SEAMTLS_AUDIT": str(audit_dir)}))) == 1
    # `none` is about writing: what is looked at is the usual directory, whatever this machine has there.
    state = {"XDG_STATE_HOME": str(tmp_path)}
    usual = "/var/log/seamtls" if os.geteuid() == 0 else f"{tmp_path}/seamtls"
    other, named = seamtls("log", env={"SEAMTLS_AUDIT": "none", **state}), seamtls("log", usual, env=state)
    assert (other.returncode, other.stdout, other.stderr) == (named.returncode, named.stdout, named.stderr)
    assert os.path.isdir(usual) or usual in other.stderr


def test_nothing_there_says_where_it_looked(seamtls, audit_dir, tmp_path):
    (audit_dir / "notes.txt").write_text("no audit file, and not looked at")
    empty = seamtls("log", audit_dir)
    assert (empty.returncode, empty.stdout) == (0, ""), "nothing was audited so far"
    assert empty.stderr.startswith(f"seamtls log: there are no audit files in '{audit_dir}': ")
    missing = seamtls("log", tmp_path / "missing")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == f"seamtls log: cannot open '{tmp_path}/missing': No such file or directory\n"


def test_no_event_is_no_failure(seamtls, make, audit_dir):
    make("a", ("file", at(0)))
    table, empty = seamtls("log", audit_dir), seamtls("log", "--format=json", audit_dir)
    assert (table.returncode, table.stderr, len(table.stdout.splitlines())) == (0, "", 1)
    assert (empty.returncode, empty.stderr, empty.stdout) == (0, "", "")


def test_other_files_are_shown_when_one_cannot_be_read(seamtls, make, audit_dir):
    make("a", ("open", at(0)))
    (audit_dir / "b.audit").write_text("something else entirely\n")
    (audit_dir / "c.audit").write_bytes(b"\x89SEAMAU\x09 and more")
    (audit_dir / "d.audit").mkdir()
    os.mkfifo(audit_dir / "e.audit")
    (audit_dir / "f\x1b[2J.audit").symlink_to("nowhere")
    result = seamtls("log", "--format=json", audit_dir)
    assert result.returncode == 1 and len(rows(result)) == 1
    assert sorted(result.stderr.splitlines()) == [
        f"seamtls log: '{audit_dir}/b.audit' is not an audit file",
        f"seamtls log: '{audit_dir}/c.audit' was written by another version of seamtls: read it with that one",
        f"seamtls log: '{audit_dir}/e.audit' is not a regular file",
        f"seamtls log: cannot read '{audit_dir}/d.audit': Is a directory",
        f"seamtls log: cannot read '{audit_dir}/f\\x1B[2J.audit': No such file or directory",
    ]


def test_damage_is_told_and_skipped(seamtls, make, audit_dir):
    path = make("a", *[("open", at(n, conn=n + 1)) for n in range(5)])
    data = bytearray(path.read_bytes())
    size = (len(data) - 8) // 5
    data[8 + 2 * size + 20] ^= 1
    path.write_bytes(data)
    result = seamtls("log", "--format=json", path)
    assert result.returncode == 1
    assert [int(e["conn"], 16) for e in rows(result)] == [1, 2, 4, 5]
    assert result.stderr == f"seamtls log: '{path}' is damaged in 1 place: {size} bytes skipped, the first at {8 + 2 * size}\n"


def test_torn_last_record_is_no_failure(seamtls, make, audit_dir):
    path = make("a", *[("open", at(n, conn=n + 1)) for n in range(3)])
    os.truncate(path, path.stat().st_size - 1)
    result = seamtls("log", "--format=json", audit_dir)
    assert (result.returncode, len(rows(result))) == (0, 2)
    assert result.stderr == f"seamtls log: the last record of '{path}' is incomplete: it is being written, or its program was killed\n"


def test_a_reader_that_leaves_is_no_failure_to_speak_of(build, make, audit_dir):
    make("a", *[("open", at(n, reason="x" * 300)) for n in range(1000)])

    def ignore():
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    process = subprocess.Popen([f"{build}/tools/seamtls", "log", audit_dir], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=ignore, restore_signals=False)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == -signal.SIGPIPE
    process.stderr.close()


def test_full_disk_is_a_failure(build, make, audit_dir):
    make("a", ("open", at(0)))
    with open("/dev/full", "w") as full:
        result = subprocess.run([f"{build}/tools/seamtls", "log", audit_dir], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 1 and "seamtls log: " in result.stderr


@pytest.fixture
def follow(build):
    """`seamtls log --follow`, whose events can be read one by one."""
    with contextlib.ExitStack() as stack:

        def start(*args):
            process = stack.enter_context(subprocess.Popen(
                [f"{build}/tools/seamtls", "log", "--follow", "--format=json", *args],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            return process

        yield start


def next_conn(process):
    return int(json.loads(process.stdout.readline())["conn"], 16)


def test_follow_sees_what_is_added(make, follow, audit_dir):
    path = make("a", ("open", at(0, conn=1)))
    process = follow("--event=open", audit_dir)
    assert next_conn(process) == 1
    make("a", ("open", at(1, conn=2)))
    assert next_conn(process) == 2
    make("new", ("fail", at(2, conn=9)), ("open", at(3, conn=3)))
    assert next_conn(process) == 3
    path.unlink()
    make("a", ("open", at(4, conn=4)))
    assert next_conn(process) == 4
    make("new", ("open", at(5, conn=5)))
    assert next_conn(process) == 5
    assert process.poll() is None


def test_follow_waits_for_the_rest_of_a_record(make, follow, audit_dir, tmp_path):
    whole = make("a", ("open", at(0, conn=1)), ("open", at(1, conn=2)))
    data = whole.read_bytes()
    growing = tmp_path / "growing.audit"
    growing.write_bytes(data[:-10])
    process = follow(growing)
    assert next_conn(process) == 1
    with open(growing, "ab", buffering=0) as file:
        for byte in data[-10:]:
            file.write(bytes([byte]))
        assert next_conn(process) == 2
        file.write(data[8:])
        assert [next_conn(process), next_conn(process)] == [1, 2]


def test_follow_begins_with_nothing(make, follow, audit_dir):
    process = follow(audit_dir)
    assert process.stderr.readline().startswith(f"seamtls log: there are no audit files in '{audit_dir}': ")
    make("a", ("open", at(0, conn=1)))
    assert next_conn(process) == 1


def test_follow_goes_on_where_the_writer_does(build, follow, audit_dir):
    """The library's writer goes through many small files: every event comes once, and in order."""
    process = follow(audit_dir)
    process.stderr.readline()
    subprocess.run([f"{build}/tests/tools/write_audit", audit_dir, "size=2000", "events=200"], check=True, timeout=60)
    assert len(list(audit_dir.glob("*.audit"))) > 10
    assert [next_conn(process) for _ in range(201)] == list(range(1, 202))


def test_follow_ends_when_nobody_reads(make, follow, audit_dir):
    make("a", ("open", at(0, conn=1)))
    process = follow(audit_dir)
    assert next_conn(process) == 1
    process.stdout.close()
    assert process.wait(60) == 0


# --- OpenTelemetry: the JSON mapping of OTLP ---

VALUES = {"stringValue": str, "intValue": str, "boolValue": bool, "arrayValue": dict}


def attributes(listed):
    """Checks a list of KeyValue, and returns it as a dict."""
    found = {}
    for attribute in listed:
        assert set(attribute) == {"key", "value"} and attribute["key"] not in found
        (kind, value), = attribute["value"].items()
        assert isinstance(value, VALUES[kind])
        if kind == "arrayValue":
            value = [item["stringValue"] for item in value["values"]]
        found[attribute["key"]] = int(value) if kind == "intValue" else value
    return found


def otlp(result):
    """The records of a result, which are checked to be ExportLogsServiceRequests."""
    assert (result.returncode, result.stderr) == (0, "")
    for request in rows(result):
        resource, = request["resourceLogs"]
        scope, = resource["scopeLogs"]
        record, = scope["logRecords"]
        assert scope["scope"]["name"] == "seamtls"
        assert set(record) == {"timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "body", "attributes"}
        yield attributes(resource["resource"]["attributes"]), record, attributes(record["attributes"])


def test_otlp(seamtls, make, audit_dir):
    make("a", ("open", FULL), ("fail", at(1, reason="why")), ("observe", at(2)))
    (resource, record, fields), fail, observe = otlp(seamtls("log", "--format=otlp-json", audit_dir))
    assert resource["service.name"] == "curl" and resource["host.name"]
    assert record["timeUnixNano"] == "1763900000123456000" and record["severityText"] == "INFO"
    assert fields["seamtls.event"] == "open" and fields["process.executable.path"] == "/usr/bin/curl" and fields["process.pid"] == 12
    assert fields["tls.cipher"] == "TLS_AES_256_GCM_SHA384" and fields["tls.resumed"] is True
    assert fields["seamtls.peer.san"] == ["dns:a.test", "ip:::1"] and fields["seamtls.peer.not_after"] == "2027-01-15T08:00:00Z"
    assert len(fields) == 38, "every field but the time"
    assert fail[1]["body"] == {"stringValue": "fail: why"} and fail[1]["severityNumber"] == 17
    assert observe[1]["severityText"] == "WARN" and observe[0]["service.name"] == "unknown_service"


@pytest.mark.parametrize("raw, in_json, elsewhere", HOSTILE)
def test_otlp_of_hostile_text(seamtls, make, audit_dir, raw, in_json, elsewhere):
    make("a", ("fail", at(0, reason=raw, program=raw, peer_san=[raw])))
    (_, record, fields), = otlp(seamtls("log", "--format=otlp-json", audit_dir))
    assert fields["seamtls.reason"] == in_json and fields["seamtls.peer.san"] == [in_json]


def test_files_that_are_too_old_are_not_read(seamtls, make, audit_dir):
    """A damaged file is told of, unless it was last written to before what is asked for."""
    path = make("old", ("open", at(0)))
    path.write_bytes(path.read_bytes() + b"rubbish" + path.read_bytes()[8:])
    assert seamtls("log", "--since=1h", audit_dir).returncode == 1
    os.utime(path, (T0, T0))
    assert seamtls("log", "--since=1h", audit_dir).returncode == 0
    assert seamtls("log", "--since=2025-11-23T12:13:20Z", audit_dir).returncode == 1


@pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed")
def test_progress_on_a_terminal(build, make, audit_dir):
    """A bar, when it takes longer than a moment and rows do not show it already; and then it is gone."""
    with open(f"{build}/tools/seamtls", "rb") as file:
        if b"__asan_init" in file.read():
            pytest.skip("the sanitizer's runtime wants to be the only library that is preloaded")
    path = make("a", *[("observe", at(n % 1000)) for n in range(1000)])
    path.write_bytes(path.read_bytes() + path.read_bytes()[8:] * 19)
    reading = f"{build}/tools/seamtls log --event=lost --format=json {audit_dir}"
    assert in_terminal(["sh", "-c", f"{reading} >/dev/null"], 80) == []
    hurried = f"faketime -f '+0 x100000' {reading}"  # a second is over in 10 us
    shown = "\n".join(in_terminal(["sh", "-c", f"{hurried} >/dev/null"], 80))
    assert re.search(r"\[#+ *\] +\d+ %", shown) and shown.endswith("\x1b[K"), shown
    assert in_terminal(["sh", "-c", hurried], 80) == []
