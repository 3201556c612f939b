# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in tools/collect, run by the collectors that they are for: what comes out is what went in, also of an event whose
peer has filled every field with what is long when escaped."""

import contextlib
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

from audit_files import at

COLLECT = pathlib.Path(os.environ["SEAMTLS_SOURCE"]) / "tools" / "collect"
WAIT_S = 20
HOSTILE = {field: "\x01\"" * 400 for field in ("peer_subject", "peer_issuer", "server_name", "reason", "alpn", "verify")}
EVENTS = [("open", at(0, conn=1, rule="db", version="TLSv1.3", verify="ok", peer_san=["dns:a", "dns:b"])),
          ("fail", at(1, conn=2, rule="web", cause="name", reason="certificate is for 'dns:\"x', not \x1b[31m\n for 'ü'")),
          ("observe", at(2, conn=3, **HOSTILE, peer_san=["\x02\\" * 200] * 16))]


def need(program):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/lib/systemd")
    if not found:
        pytest.skip(f"{program} is not installed")
    return found


@pytest.fixture
def lines(seamtls, make, audit_dir):
    """What `seamtls log --format=json` prints, as a collector gets it."""
    make("a", *EVENTS)
    result = seamtls("log", "--format=json", audit_dir)
    assert (result.returncode, result.stderr) == (0, "") and max(map(len, result.stdout.splitlines())) > 10_000
    return result.stdout


@contextlib.contextmanager
def running(*command, **kwargs):
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs) as process:
        try:
            yield process
        finally:
            process.terminate()


def until(process, look):
    """What `look` returns, once it is something."""
    end = time.monotonic() + WAIT_S
    while not (found := look()):
        assert process.poll() is None and time.monotonic() < end, process.stdout.read() if process.poll() is not None else "nothing came"
        select.select([], [], [], 0.05)
    return found


def written(path, count):
    """The lines of a file, once there are so many."""
    text = path.read_text() if path.exists() else ""
    return text.splitlines() if text.count("\n") >= count else None


def example(name, tmp_path, lines):
    """A configuration with its paths in the test's directory, and the file that it writes."""
    (tmp_path / "events.json").write_text(lines)
    text = (COLLECT / name).read_text()
    for path in ("/var/lib/seamtls-export/events.json", "/var/log/seamtls-findings.json"):
        assert path in text
        text = text.replace(path, str(tmp_path / path.rpartition("/")[2]))
    return text, tmp_path / "seamtls-findings.json"


def findings(lines):
    return [event for event in map(json.loads, lines.splitlines()) if event["event"] != "open"]


def test_rsyslog(tmp_path, lines):
    rsyslogd = need("rsyslogd")
    text, out = example("rsyslog.conf", tmp_path, lines)
    (tmp_path / "rsyslog.conf").write_text(f'global(workDirectory="{tmp_path}")\n{text}')
    with running(rsyslogd, "-n", "-f", tmp_path / "rsyslog.conf", "-i", tmp_path / "pid") as process:
        found = until(process, lambda: written(out, 2))
    assert [json.loads(line) for line in found] == findings(lines)


def test_syslog_ng(tmp_path, lines):
    syslog_ng = need("syslog-ng")
    text, out = example("syslog-ng.conf", tmp_path, lines)
    (tmp_path / "syslog-ng.conf").write_text(f"@version: 3.38\n{text}")
    files = [f"--{name}={tmp_path}/syslog-ng.{name}" for name in ("persist-file", "pidfile", "control")]
    with running(syslog_ng, "-F", "--no-caps", "-f", tmp_path / "syslog-ng.conf", *files) as process:
        found = until(process, lambda: written(out, 2))
    assert [json.loads(line) for line in found] == findings(lines)


JOURNAL = """
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal && mount --bind /run/log /var/log || exit 3
"$1" >/dev/null 2>&1 &
journald=$!
until [ -S /run/systemd/journal/stdout ]; do kill -0 $journald || exit 3; read -rt 0.05 <> <(:); done
systemd-cat -t seamtls <"$2"
journalctl --directory /run/log/journal --sync 2>/dev/null
until [ "$(journalctl --directory /run/log/journal -q -t seamtls -o cat --all --no-pager | wc -l)" -ge 3 ]; do read -rt 0.05 <> <(:); done
journalctl --directory /run/log/journal -q -t seamtls -o cat --all --no-pager
kill $journald
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a journald of its own is for root to start")
def test_journal(tmp_path, lines):
    journald = need("systemd-journald")
    need("systemd-cat")
    (tmp_path / "events.json").write_text(lines)
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "timeout", str(WAIT_S), "bash", "-c", JOURNAL, "bash", journald,
                           tmp_path / "events.json"], capture_output=True, text=True, timeout=60)
    if done.returncode == 3:
        pytest.skip("journald cannot be started here: " + done.stderr)
    assert done.stdout == lines, done.stderr


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_node_exporter(seamtls, make, audit_dir, tmp_path):
    exporter = need("prometheus-node-exporter")
    make("a", *EVENTS)
    (tmp_path / "prom").mkdir()
    (tmp_path / "prom" / "seamtls.prom").write_text(seamtls("stat", "--format=prometheus", audit_dir).stdout)
    port = free_port()

    def scrape():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                return answer.read().decode()
        except OSError:
            return None

    with running(exporter, "--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={tmp_path}/prom",
                 f"--web.listen-address=127.0.0.1:{port}") as process:
        samples = until(process, scrape).splitlines()
    assert 'seamtls_failures{cause="name"} 1' in samples and "node_textfile_scrape_error 0" in samples


def test_promtool(seamtls, make, audit_dir):
    promtool = need("promtool")
    make("a", *EVENTS)
    text = seamtls("stat", "--format=prometheus", audit_dir).stdout
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_units(tmp_path):
    """systemd finds nothing wrong with them but that the command is not installed."""
    analyze = need("systemd-analyze")
    units = [path for path in COLLECT.iterdir() if path.suffix in (".service", ".timer")]
    assert len(units) == 4
    done = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if line and "seamtls is not executable" not in line and "Operation not permitted" not in line]
    assert said == []
