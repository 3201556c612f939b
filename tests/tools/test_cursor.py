# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls log --cursor-file`: who collects events misses none, whatever happens to him meanwhile."""
import json
import random
import select
import signal
import subprocess
import time

import pytest

from audit_files import at

WAIT_S = 30


@pytest.fixture
def more(seamtls, audit_dir, tmp_path):
    """The connections of what is new."""

    def run(*options):
        result = seamtls("log", "--format=json", f"--cursor-file={tmp_path}/cursor", *options, audit_dir)
        assert (result.returncode, result.stderr) == (0, ""), result.stderr
        return [int(json.loads(line)["conn"], 16) for line in result.stdout.splitlines()]

    return run


def test_goes_on(make, more, audit_dir):
    make("a", *[("open", at(n, conn=n + 1)) for n in range(3)])
    make("b", ("open", at(1, conn=10)))
    assert sorted(more()) == [1, 2, 3, 10] and more() == []
    make("a", ("open", at(9, conn=4)))
    make("c", ("open", at(0, conn=20)))
    assert more() == [20, 4] and more() == []
    (audit_dir / "a.audit").unlink()
    assert more() == []
    make("a", ("open", at(0, conn=30)))  # another file of that name
    assert more() == [30]


def test_filters_do_not_come_back(make, more):
    make("a", ("open", at(0, conn=1)), ("fail", at(1, conn=2)))
    assert more("--event=fail") == [2] and more() == []


def test_a_record_in_the_making_waits(make, more, audit_dir, seamtls, tmp_path):
    make("a", ("open", at(0, conn=1)))
    make("b", ("open", at(1, conn=2)))
    whole = (audit_dir / "b.audit").read_bytes()[8:]
    with open(audit_dir / "a.audit", "ab") as file:
        file.write(whole[:-5])
    (audit_dir / "b.audit").unlink()
    result = seamtls("log", "--format=json", f"--cursor-file={tmp_path}/cursor", audit_dir)
    assert len(result.stdout.splitlines()) == 1 and "incomplete" in result.stderr
    with open(audit_dir / "a.audit", "ab") as file:
        file.write(whole[-5:])
    assert more() == [2]


@pytest.mark.parametrize("text", ["", "rubbish\n", "seamtls log cursor 2\n", "seamtls log cursor 1\nx y z\n", "seamtls log cursor 1\n1 2\n"])
def test_what_is_no_cursor(make, seamtls, audit_dir, tmp_path, text):
    make("a", ("open", at(0, conn=1)))
    (tmp_path / "cursor").write_text(text)
    result = seamtls("log", f"--cursor-file={tmp_path}/cursor", audit_dir)
    assert result.returncode == 1 and result.stdout == "" and "is no cursor of seamtls log: name another file, or delete it" in result.stderr
    assert (tmp_path / "cursor").read_text() == text


def test_a_cursor_that_cannot_be_written(make, seamtls, audit_dir, tmp_path):
    make("a", ("open", at(0, conn=1)))
    result = seamtls("log", f"--cursor-file={tmp_path}/nowhere/cursor", audit_dir)
    assert result.returncode == 1 and f"cannot write the cursor '{tmp_path}/nowhere/cursor': No such file or directory" in result.stderr


def test_an_offset_in_the_middle(make, seamtls, audit_dir, tmp_path, more):
    """It goes on at the next record, and says that the file is damaged there."""
    make("a", ("open", at(0, conn=1)), ("open", at(1, conn=2)))
    assert more() == [1, 2]
    head, line = (tmp_path / "cursor").read_text().splitlines()
    _, inode, path = line.split(" ", 2)
    (tmp_path / "cursor").write_text(f"{head}\n12 {inode} {path}\n")
    result = seamtls("log", "--format=json", f"--cursor-file={tmp_path}/cursor", audit_dir)
    assert [int(json.loads(row)["conn"], 16) for row in result.stdout.splitlines()][-1] == 2 and "is damaged" in result.stderr


def test_killed_again_and_again(build, audit_dir, tmp_path):
    """As a service whose output is appended to a file: each event is there, some twice, and half a line stands alone."""
    out, cursor = tmp_path / "out", tmp_path / "cursor"
    command = [f"{build}/tools/seamtls", "log", "--follow", "--format=json", f"--cursor-file={cursor}", audit_dir]
    chance = random.Random(1)

    def collect():
        with open(out, "ab") as file:
            return subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE)

    written = 0
    for _ in range(6):
        process = collect()
        writer = subprocess.Popen([f"{build}/tests/tools/write_audit", audit_dir, "events=150", "children=1", "size=20000"])
        size = out.stat().st_size
        wanted = size + chance.randrange(1, 20_000)
        end = time.monotonic() + WAIT_S
        while out.stat().st_size < wanted and writer.poll() is None and time.monotonic() < end:
            select.select([], [], [], 0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert writer.wait() == 0
        written += 300
    done = subprocess.run([*command[:2], *command[3:]], stdout=open(out, "ab"), stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    truth = subprocess.run([*command[:2], "--format=json", audit_dir], capture_output=True, text=True, timeout=60).stdout.splitlines()
    assert len(truth) >= written
    lines = out.read_text().splitlines()
    assert set(truth) <= set(lines), "an event was lost"
    torn = [line for line in lines if line not in set(truth)]
    assert len(torn) <= 6 and not any(is_json(line) for line in torn)
    assert subprocess.run(command[:2] + command[3:], capture_output=True, text=True, timeout=60).stdout == ""


def is_json(line):
    try:
        return json.loads(line)
    except ValueError:
        return None
