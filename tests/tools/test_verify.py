# SPDX-License-Identifier: GPL-3.0-or-later
"""`seamtls log --verify`: files that are as the library's writer wrote them, and files that are not."""

import fcntl
import os
import re
import shutil
import struct
import subprocess
import zlib

import pytest

from audit_files import at, rows

MAGIC_LEN = 8
F_OFD_SETLK = 37


@pytest.fixture
def write(build, audit_dir):
    """Has the library's writer write to the directory; its files, in the order of their names."""

    def run(*args, directory=audit_dir, when=None):
        fake = ["faketime", "-f", when] if when else []
        subprocess.run([*fake, f"{build}/tests/tools/write_audit", directory, *args], check=True, timeout=60)
        return sorted(directory.glob("*.audit"))

    return run


@pytest.fixture
def verify(seamtls, audit_dir):
    """{name: (state, detail)} and whether all is well."""

    def run(*args, directory=audit_dir):
        result = seamtls("log", "--verify", "--format=json", *args, directory)
        assert result.stderr == ""
        found = {os.path.basename(row["file"]): (row["state"], row.get("detail", "")) for row in rows(result)}
        return found, result.returncode == 0

    return run


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(bytes(range(32)))
    return path


def records(data):
    """The records of a file, each as bytes."""
    at, found = MAGIC_LEN, []
    while at < len(data):
        length, = struct.unpack_from("<H", data, at + 4)
        found.append(data[at:at + length])
        at += length
    return found


def with_crc(record):
    """A record whose checksum is right again."""
    crc = zlib.crc32(record[12:], zlib.crc32(record[:8]))
    return record[:8] + struct.pack("<I", crc) + record[12:]


def states(found):
    return {state for state, _ in found.values()}


def test_whole(write, verify, seamtls, audit_dir):
    write("children=3")
    found, good = verify()
    assert good and list(found.values()) == [("whole", "")]
    assert "whole" in seamtls("log", "--verify", audit_dir).stdout
    assert len(rows(seamtls("log", "--format=json", audit_dir))) == 41


def test_killed_and_written_on(write, verify):
    """Eight processes share a file, four of them are killed in the middle of it."""
    write("children=8", "kill=4", "events=300")
    found, good = verify()
    assert good, found
    (state, detail), = found.values()
    assert state in ("whole", "unsealed"), detail


def test_running_and_ended(write, verify, build, audit_dir):
    path, = write()
    data = path.read_bytes()
    sealed = records(data)
    path.write_bytes(data[:-len(sealed[-1])])
    found, good = verify()
    assert good and found[path.name][0] == "unsealed" and "ended without sealing it" in found[path.name][1]


@pytest.mark.parametrize("keyed", [False, True])
def test_every_changed_bit(write, verify, key, tmp_path, keyed):
    """No byte can be changed, whether its checksum is put right or not."""
    args = [f"key={key}"] if keyed else []
    path, = write("events=2", *args)
    data = path.read_bytes()
    changed = tmp_path / "changed"
    changed.mkdir()
    for n in range(len(data)):
        wrong = bytearray(data)
        wrong[n] ^= 1 << n % 8
        (changed / f"{n}.audit").write_bytes(wrong)
    start = MAGIC_LEN
    for number, record in enumerate(records(data)):
        for n in range(12, len(record)):
            wrong = bytearray(record)
            wrong[n] ^= 1 << n % 8
            (changed / f"crc{number}-{n}.audit").write_bytes(data[:start] + with_crc(bytes(wrong)) + data[start + len(record):])
        start += len(record)
    found, good = verify(*([f"--key={key}"] if keyed else []), directory=changed)
    assert not good and len(found) > 2 * len(data) - 100
    assert states(found) <= {"changed", "cut", "unreadable", "unchained", "unsealed"}, found
    # The last record's damage leaves a file that is not sealed.
    for name, (state, _) in found.items():
        assert state != "unchained" or name.startswith("crc0-"), name


def test_every_cut(write, verify, tmp_path):
    path, = write("events=2")
    data = path.read_bytes()
    ends = {MAGIC_LEN + sum(map(len, records(data)[:n])) for n in range(1, 20)}
    cut = tmp_path / "cut"
    cut.mkdir()
    for n in range(MAGIC_LEN + 1, len(data)):
        (cut / f"{n}.audit").write_bytes(data[:n])
    found, _ = verify(directory=cut)
    for name, (state, _) in found.items():
        assert state == ("unsealed" if int(name.split(".")[0]) in ends else "cut"), name


@pytest.mark.parametrize("keyed", [False, True])
def test_records_taken_out_put_in_and_swapped(write, verify, key, tmp_path, keyed, make):
    path, = write("events=5", *([f"key={key}"] if keyed else []))
    data = path.read_bytes()
    head, *rest = records(data)
    foreign = make("foreign", ("open", at(0))).read_bytes()[MAGIC_LEN:]
    wrong = {
        "beginning": rest, "first": [head, *rest[1:]], "middle": [head, *rest[:2], *rest[3:]], "twice": [head, rest[0], *rest],
        "swapped": [head, rest[1], rest[0], *rest[2:]], "foreign": [head, foreign, *rest], "before": [foreign, head, *rest], "rubbish": [head, b"x" * 7, *rest],
    }
    folder = tmp_path / "wrong"
    folder.mkdir()
    for name, parts in wrong.items():
        (folder / f"{name}.audit").write_bytes(data[:MAGIC_LEN] + b"".join(parts))
    found, good = verify(*([f"--key={key}"] if keyed else []), directory=folder)
    assert not good
    assert found.pop("beginning.audit")[0] == "cut"
    assert states(found) == {"changed"}
    at_byte = MAGIC_LEN + len(head) + len(rest[0]) + len(rest[1])
    assert found["middle.audit"][1] == f"1 records are missing before byte {at_byte}"
    assert "put in at byte" in found["foreign.audit"][1]


def test_a_key_is_needed(write, verify, key, tmp_path):
    path, = write(f"key={key}")
    assert verify() == ({path.name: ("key needed", "only who has its key can tell: --key=FILE")}, False)
    assert verify(f"--key={key}") == ({path.name: ("whole", "")}, True)
    other = tmp_path / "other"
    other.write_bytes(b"x" * 32)
    found, good = verify(f"--key={other}")
    assert not good and states(found) == {"changed"}


def test_a_chain_without_the_key_is_no_chain(write, verify, key, make):
    """Whoever rewrites a file cannot say that it never had a key."""
    write()
    make("old", ("open", at(0)))
    found, good = verify(f"--key={key}")
    assert not good and states(found) == {"changed"}


def test_old_files_are_told_apart(verify, make):
    make("old", ("file", at(0)), ("open", at(0)))
    assert verify() == ({"old.audit": ("unchained", "its records are not chained")}, True)


def test_files_go_on_from_each_other(write, verify):
    files = write("size=2000", "events=40")
    assert len(files) > 3 and all(path.stat().st_size < 2300 for path in files)
    found, good = verify()
    assert good and states(found) == {"whole"}
    # The end of one that another goes on from: even its seal cannot be taken.
    names = {name: path for path in files for name in [path.name]}
    first = next(path for path in files if not any(path.name in (detail or "") for _, detail in found.values()))
    data = first.read_bytes()
    first.write_bytes(data[:-len(records(data)[-1])])
    found, good = verify()
    cut = [name for name, (state, _) in found.items() if state == "cut"]
    last = [name for name, (state, _) in found.items() if state == "unsealed"]
    assert (cut == [first.name] and not good) or last == [first.name]
    assert len(names) == len(files)


def test_children_that_fill_files_of_their_own(write, verify):
    """Each goes on in files that are its own alone, at the same time: none takes another's place in the chain."""
    files = write("size=2000", "events=60", "children=8")
    found, good = verify()
    assert len(files) > 30 and good and states(found) == {"whole"}, found


def test_a_file_in_between_is_missed(write, verify):
    files = write("size=2000", "events=40")
    for path in files[:-1]:
        path.unlink()
    found, good = verify()
    (state, detail), = found.values()
    assert good and state == "whole" and "which is not here" in detail


@pytest.fixture
def days(write):
    """Files of three days, of a process each."""
    if not shutil.which("faketime"):
        pytest.skip("faketime is not installed")

    def run(*args):
        for day in (1, 2, 3):
            files = write(*args, when=f"2026-01-0{day} 12:00:00")
        return files

    return run


@pytest.mark.parametrize("keyed", [False, True])
def test_a_file_that_was_taken_away(days, verify, key, audit_dir, keyed):
    """What retention cannot have deleted is missed, and named: by the file that was made after it, or by the note of the last."""
    args = [f"key={key}"] if keyed else []
    options = [f"--key={key}"] if keyed else []
    files = days(*args)
    found, good = verify(*options)
    assert good and states(found) == {"whole"} and len(files) == 3
    for taken, witness in [(1, files[2].name), (2, ".seamtls-")]:
        data = files[taken].read_bytes()
        files[taken].unlink()
        found, good = verify(*options)
        state, detail = found[files[taken].name]
        assert not good and state == "missing" and witness in detail
        files[taken].write_bytes(data)
    # The oldest may have been too old.
    files[0].unlink()
    assert verify(*options)[1]
    files[1].unlink()
    assert verify(*options)[1]


def test_a_note_of_the_last_file_that_is_none(days, verify, audit_dir):
    days()
    note, = audit_dir.glob(".seamtls-*.last")
    for text in (b"", b"x" * 1000, b"../../etc/passwd", b"seamtls-20260109T000000Z-1-0000.audit/../x", b"\n\x1b"):
        note.write_bytes(text)
        assert verify()[1], text
    note.write_bytes(b"seamtls-20260109T000000Z-1-0000.audit\0\0")
    assert verify()[0]["seamtls-20260109T000000Z-1-0000.audit"][0] == "missing"


def test_processes_that_begin_together(build, verify, audit_dir):
    """Each has another before it."""
    running = [subprocess.Popen([f"{build}/tests/tools/write_audit", audit_dir]) for _ in range(12)]
    assert [process.wait() for process in running] == [0] * 12
    before = [re.findall(rb"\x4b.(seamtls-[0-9TZ]+-[0-9]+-[0-9a-f]+\.audit)", path.read_bytes()) for path in audit_dir.glob("*.audit")]
    assert len(before) == 12 and sum(map(len, before)) >= 11 and len({name for names in before for name in names}) == sum(map(len, before))
    assert verify()[1]


def test_nobody_waits_for_the_order(write, audit_dir, verify):
    """A process that was stopped with the lock, or a directory of another kind in its place, costs the order and nothing else."""
    write()
    note, = audit_dir.glob(".seamtls-*.last")
    with open(note, "r+b") as file:
        fcntl.fcntl(file, F_OFD_SETLK, struct.pack("hhqqixxxx", fcntl.F_WRLCK, 0, 0, 0, 0))
        assert len(write()) == 2
    note.unlink()
    note.mkdir()
    assert len(write()) == 3 and verify()[1]


def test_retention(write, audit_dir):
    old = audit_dir / "seamtls-20200101T000000Z-1-abcd.audit"
    fresh = audit_dir / "seamtls-20200101T000000Z-2-abcd.audit"
    other = audit_dir / "notes-20200101T000000Z-2-abcd.audit"
    for path in (old, fresh, other):
        path.write_bytes(b"")
    os.utime(old, (1, 1))
    os.utime(other, (1, 1))
    (audit_dir / "seamtls-20200101T000000Z-3-abcd.audit").symlink_to("nowhere")
    write("keep=3600")
    assert not old.exists(), "it is old"
    assert fresh.exists(), "it was written to a moment ago"
    assert other.exists(), "it is not ours"
    assert len([path for path in audit_dir.iterdir() if path.suffix == ".audit"]) == 4


def test_wrong_keys(seamtls, audit_dir, tmp_path):
    (tmp_path / "short").write_bytes(b"x" * 15)
    (tmp_path / "long").write_bytes(b"x" * 4097)
    for name in ("short", "long", "none", "."):
        result = seamtls("log", "--verify", "--key", tmp_path / name, audit_dir)
        assert (result.returncode, result.stdout) == (1, "") and (name == "." or name in result.stderr)


def test_not_an_audit_file(seamtls, audit_dir):
    (audit_dir / "x.audit").write_bytes(b"nothing of ours " * 2000)
    (audit_dir / "y.audit").mkdir()
    result = seamtls("log", "--verify", "--format=json", audit_dir)
    assert result.returncode == 1 and [row["state"] for row in rows(result)] == ["unreadable", "unreadable"]
